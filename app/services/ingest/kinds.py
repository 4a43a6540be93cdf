"""Covariates of a table: whether they are numbers or text, by the project or by all of their cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from app.errors import ErrorCode, RowError
from app.formats.cells import explain_number
from app.services.ingest.cells import Values, count_values, number_cells, show_cell, text_cells
from app.services.ingest.report import CovariateReport, ImportReport
from app.storage.tables import Covariate
from models.arrays import Ints
from models.calendar.iso import Mask

if TYPE_CHECKING:
    import pyarrow as pa

NUMERIC_SHARE = 0.9
"""share of a new covariate's cells that are numbers, from which on the others are taken for mistakes"""


@dataclass
class _Tally:
    numbers: int = 0
    texts: int = 0

    @property
    def kind(self) -> Literal["numeric", "categorical"] | None:
        if self.numbers + self.texts == 0:
            return None
        return "numeric" if self.numbers >= NUMERIC_SHARE * (self.numbers + self.texts) else "categorical"


class CovariateKinds:
    """The kinds of a table's covariates: those of the project, and of new ones what their cells show."""

    def __init__(self, names: Sequence[str], stored: dict[str, Covariate], *, has_types: bool) -> None:
        self._has_types = has_types
        self._tallies = {name: _Tally() for name in names if name not in stored}
        self.reports = {name: CovariateReport(_name_kind(stored.get(name)), name in stored) for name in names}

    def count(self, name: str, column: "pa.Array") -> None:
        """Count a part of a covariate's cells."""
        tally = self._tallies.get(name)
        if tally is None:
            return
        numbers, texts = count_values(column, has_types=self._has_types)
        tally.numbers += numbers
        tally.texts += texts

    def decide(self) -> None:
        """Give new covariates their kinds, when all cells are counted."""
        for name, tally in self._tallies.items():
            self.reports[name].kind = tally.kind

    def read(self, name: str, columns: "Sequence[pa.Array]", rows: Ints, report: ImportReport, good: Mask) -> Values:
        """Return a covariate's values (N,) of the rows numbered `rows` (N,), the concatenation of `columns`.

        Rows with a cell of the other kind are rejected and are good no longer.
        """
        covariate = self.reports[name]
        if not covariate.is_numeric:
            return np.concatenate([text_cells(column) for column in columns])
        parts = []
        at = 0
        for column in columns:
            numbers, wrong = number_cells(column)
            parts.append(numbers)
            self._reject(name, column, rows[at : at + len(column)], wrong, report)
            good[at + wrong] = False
            at += len(column)
        return np.concatenate(parts)

    def _reject(self, name: str, column: "pa.Array", rows: Ints, wrong: Ints, report: ImportReport) -> None:
        why = _explain_numeric(name, self.reports[name])

        def explain(i: int) -> RowError:
            detail = f"{why}: {explain_number(show_cell(column, int(wrong[i])))}"
            return RowError(int(rows[wrong[i]]), ErrorCode.covariate_kind_conflict, detail)

        report.reject_rows(len(wrong), explain)


def _name_kind(stored: Covariate | None) -> Literal["numeric", "categorical"] | None:
    if stored is None:
        return None
    return "numeric" if stored.kind == "numeric" else "categorical"


def _explain_numeric(name: str, covariate: CovariateReport) -> str:
    if covariate.is_stored:
        return f"the covariate {name!r} is numeric in this project"
    return (
        f"the covariate {name!r} is new and nine in ten of its values are numbers, so it is numeric "
        "(PUT /covariates/{name} makes it categorical beforehand)"
    )
