"""The columns of a table: covariates' kinds, cells as values, and rows of one timestamp."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import ErrorCode, RowError
from app.formats.cells import count_kinds, explain_number, read_numbers, read_texts
from app.formats.table import Block
from app.scope import Scope
from app.services.ingest.report import CovariateReport, ImportOptions, ImportReport
from app.services.series.checks import find_repeated
from app.storage.covariates import get_covariates
from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps

NUMERIC_SHARE = 0.9
"""share of a new covariate's cells that are numbers, from which on the others are taken for mistakes"""

Values = NDArray[Any]
"""(N,) float64 with NaN, or text with None, where missing"""


@dataclass(frozen=True)
class BlockValues:
    """The values of one series' rows."""

    y: Floats
    """(N,) NaN where missing"""
    covariates: dict[str, Values]

    @property
    def columns(self) -> list[Values]:
        """All of them, y first."""
        return [self.y, *self.covariates.values()]


def find_kinds(
    session: Session, scope: Scope, names: Sequence[str], blocks: dict[str, Block]
) -> dict[str, CovariateReport]:
    """Return the covariates' kinds: as the project knows them, and by all of their cells where they are new."""
    stored = get_covariates(session, scope, names, lock=True)
    kinds = {}
    for i, name in enumerate(names):
        if name in stored:
            kinds[name] = CovariateReport("numeric" if stored[name].kind == "numeric" else "categorical", True)
        else:
            kinds[name] = CovariateReport(_infer_kind([block.covariates[i] for block in blocks.values()]), False)
    return kinds


def _infer_kind(columns: Sequence[Sequence[str]]) -> Literal["numeric", "categorical"] | None:
    """Return the kind of a new covariate by its cells; None where all of them are missing."""
    counts = [count_kinds(cells) for cells in columns]
    numbers = sum(n for n, _ in counts)
    texts = sum(n for _, n in counts)
    if numbers + texts == 0:
        return None
    return "numeric" if numbers >= NUMERIC_SHARE * (numbers + texts) else "categorical"


def read_block(block: Block, kinds: dict[str, CovariateReport]) -> tuple[BlockValues, list[RowError]]:
    """Return the values of a series' rows, and the errors of rows with a cell that is none."""
    y, wrong = read_numbers(block.y)
    errors = [RowError(block.rows[i], ErrorCode.invalid_value, f"y: {explain_number(block.y[i])}") for i in wrong]
    covariates: dict[str, Values] = {}
    for (name, covariate), cells in zip(kinds.items(), block.covariates, strict=True):
        if not covariate.is_numeric:
            covariates[name] = read_texts(cells)
            continue
        covariates[name], wrong = read_numbers(cells)
        why = _explain_numeric(name, covariate) if wrong else ""
        code = ErrorCode.covariate_kind_conflict
        errors += [RowError(block.rows[i], code, f"{why}: {explain_number(cells[i])}") for i in wrong]
    return BlockValues(y, covariates), errors


def _explain_numeric(name: str, covariate: CovariateReport) -> str:
    if covariate.is_stored:
        return f"the covariate {name!r} is numeric in this project"
    return (
        f"the covariate {name!r} is new and nine in ten of its values are numbers, so it is numeric "
        "(PUT /covariates/{name} makes it categorical beforehand)"
    )


def merge_duplicates(
    good: Ints,
    stamps: Stamps,
    values: BlockValues,
    rows: Ints,
    options: ImportOptions,
    report: ImportReport,
    *,
    keep: bool,
) -> Ints:
    """Return the positions (M,) to write, one a timestamp; `values` takes what several rows give, in place.

    That is by `on_duplicate` the last row, in which an empty cell gives way to the rows before it where it would leave
    a stored value too (`keep`), or the mean of the numbers and the last of the texts.
    """
    again = find_repeated(stamps[good], rows[good])
    if not len(again):
        return good
    if options.on_duplicate == "error":
        detail = "this timestamp stands in an earlier row; on_duplicate=last or mean makes one row of them"
        report.reject(RowError(r, ErrorCode.duplicate_timestamp, detail) for r in rows[good[again]].tolist())
        return np.delete(good, again)
    _, last = np.unique(stamps[good][::-1], return_index=True)
    kept = np.sort(good[::-1][last])
    is_mean = options.on_duplicate == "mean"
    if is_mean or keep:
        for column in values.columns:
            merge = _average if is_mean and column.dtype == np.float64 else _take_last
            column[kept] = merge(stamps[good], column[good], stamps[kept])
    return kept


def _average(stamps: Stamps, numbers: Floats, wanted: Stamps) -> Floats:
    """Return the mean of the observed numbers (N,) at each of the stamps `wanted` (M,); NaN where none is observed."""
    distinct, inverse = np.unique(stamps, return_inverse=True)
    seen = ~np.isnan(numbers)
    total = np.bincount(inverse[seen], numbers[seen], len(distinct))
    counts = np.bincount(inverse[seen], minlength=len(distinct))
    means = np.divide(total, counts, out=np.full(len(distinct), np.nan), where=counts > 0)
    averages: Floats = means[np.searchsorted(distinct, wanted)]
    return averages


def _take_last(stamps: Stamps, values: Values, wanted: Stamps) -> Values:
    """Return the last present value (N,) at each of the stamps `wanted` (M,), or that none is."""
    present = _is_present(values)
    distinct, last = np.unique(stamps[present][::-1], return_index=True)
    taken = values[:1].repeat(len(wanted))
    taken[:] = None if values.dtype == object else np.nan
    found = np.isin(wanted, distinct)
    taken[found] = values[present][::-1][last[np.searchsorted(distinct, wanted[found])]]
    return taken


def _is_present(values: Values) -> NDArray[np.bool_]:
    """Return which values (N,) are not missing."""
    if values.dtype == np.float64:
        return ~np.isnan(values)
    return np.array([value is not None for value in values], bool)


def list_values(values: Values) -> list[float | str | None]:
    """Return the values (N,), None where missing."""
    if values.dtype == np.float64:
        return [None if number != number else number for number in values.tolist()]
    return list(values)
