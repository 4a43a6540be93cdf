"""The columns of a table: values, covariates and their kinds, and rows of one timestamp."""

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, RowError
from app.formats.table import Block, is_numeric, parse_number
from app.scope import Scope
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.series.checks import find_repeated
from app.storage import observations
from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps


def parse_y(block: Block) -> tuple[Floats, list[RowError]]:
    """Return the values (N,), NaN where missing, and the errors of rows whose cell is neither."""
    y = np.full(len(block.y), np.nan)
    errors = []
    for i, text in enumerate(block.y):
        value = parse_number(text)
        if value is None:
            detail = f"{text[:60]!r} is not a finite number; leave the cell empty where a value is missing"
            errors.append(RowError(block.rows[i], ErrorCode.invalid_value, detail))
        else:
            y[i] = value
    return y, errors


def find_numeric(session: Session, scope: Scope, names: list[str], blocks: dict[str, Block]) -> dict[str, bool]:
    """Return {covariate: whether it is numeric}: as the project knows it, and by all of its cells where it is new."""
    stored = observations.get_covariates(session, scope, names)
    numeric = {}
    for i, name in enumerate(names):
        if name in stored:
            numeric[name] = stored[name].kind == "numeric"
        else:
            numeric[name] = all(is_numeric(block.covariates[i]) for block in blocks.values())
    return numeric


def check_numeric(block: Block, numeric: dict[str, bool]) -> list[RowError]:
    """Return the rows with text in the column of a numeric covariate."""
    errors = []
    for (name, is_number), column in zip(numeric.items(), block.covariates, strict=True):
        for i, cell in enumerate(column if is_number else []):
            if parse_number(cell) is None:
                detail = f"the covariate {name!r} is numeric, and {cell[:60]!r} is not a number"
                errors.append(RowError(block.rows[i], ErrorCode.covariate_kind_conflict, detail))
    return errors


def drop_duplicates(
    good: Ints,
    stamps: Stamps,
    y: Floats,
    rows: Ints,
    options: ImportOptions,
    report: ImportReport,
) -> Ints:
    """Return the positions (M,) to write, one a timestamp; `y` takes the mean in place where that is asked for."""
    again = find_repeated(stamps[good], rows[good])
    if not len(again):
        return good
    if options.on_duplicate == "error":
        detail = "this timestamp stands in an earlier row"
        report.reject(RowError(r, ErrorCode.duplicate_timestamp, detail) for r in rows[good[again]].tolist())
        return np.delete(good, again)
    _, last = np.unique(stamps[good][::-1], return_index=True)
    kept = np.sort(good[::-1][last])
    if options.on_duplicate == "mean":
        y[kept] = _average(stamps[good], y[good], stamps[kept])
    return kept


def _average(stamps: Stamps, y: Floats, wanted: Stamps) -> Floats:
    """Return the mean of the observed y (N,) at each of the stamps `wanted` (M,); NaN where none is observed."""
    values, inverse = np.unique(stamps, return_inverse=True)
    seen = ~np.isnan(y)
    total = np.bincount(inverse[seen], y[seen], len(values))
    counts = np.bincount(inverse[seen], minlength=len(values))
    means = np.divide(total, counts, out=np.full(len(values), np.nan), where=counts > 0)
    averages: Floats = means[np.searchsorted(values, wanted)]
    return averages
