"""What an import is asked, and what it did."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.errors import ErrorCode, FieldError, Invalid, RowError
from app.formats.table import Guess

SHOWN = 1000
"""rejected rows that a report lists; the rest are counted"""
LISTED = 100
"""rejected rows that a refusal lists"""
NAMED = 100
"""series that a report names"""


@dataclass(frozen=True)
class ImportOptions:
    """How to read a table."""

    freq: str | None
    """of series that are made; inferred from their timestamps when absent"""
    timezone: str | None
    """of naive timestamps, and of series that are made; UTC when absent"""
    ds_start: str | None
    """the timestamp of the integer step 0, where `ds` holds integers"""
    dry_run: bool
    on_error: Literal["abort", "skip"]
    on_duplicate: Literal["error", "last", "mean"]
    ambiguous: Literal["raise", "infer"] = "raise"
    """of local times that exist twice: refuse them, or tell them by the order of the rows"""
    empty_y: Literal["missing", "keep"] | None = None
    """of a stored value, of y or of a covariate, whose cell is empty; kept where there are covariates, when absent"""
    ds_format: str | None = None
    """of the timestamps; found out when absent"""

    def keeps_stored(self, *, has_covariates: bool) -> bool:
        """Say whether an empty cell leaves what is stored."""
        return has_covariates if self.empty_y is None else self.empty_y == "keep"


@dataclass
class CovariateReport:
    """A covariate of a table."""

    kind: Literal["numeric", "categorical"] | None
    """None where the covariate is new and no cell says"""
    is_stored: bool
    """whether the project has it already"""
    values: int = 0
    """written"""

    @property
    def is_numeric(self) -> bool:
        """Whether its cells are read as numbers."""
        return self.kind != "categorical"


@dataclass
class ImportReport:
    """What an import did, or would do."""

    abort: bool
    """whether the first rejected rows end it"""
    series: int = 0
    ids: list[str] = field(default_factory=list)
    """of the first of them"""
    grids: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(frequency, timezone) → series that are made with it"""
    rows: int = 0
    """read, rejected ones too"""
    frequencies: set[str] = field(default_factory=set)
    """of the series that were made, as their own rows show them"""
    assumed: dict[str, str] = field(default_factory=dict)
    """{id: frequency} of the series that were made with too few rows to show one, and took that of all others"""
    inserted: int = 0
    updated: int = 0
    covariates: dict[str, CovariateReport] = field(default_factory=dict)
    """by name, in the order of the table"""
    guesses: list[Guess] = field(default_factory=list)
    """what nobody said and the import decided by itself"""
    rejected: int = 0
    """rows, and of a wide table cells"""
    errors: list[RowError] = field(default_factory=list)
    """the first of them"""

    def reject(self, errors: Sequence[RowError]) -> None:
        """Note bad rows, counted from 1 below the header."""
        self.reject_rows(len(errors), lambda i: errors[i])

    def reject_rows(self, count: int, explain: Callable[[int], RowError]) -> None:
        """Note `count` bad rows, of which `explain` is called for the first ones alone."""
        self.rejected += count
        self.errors += [explain(i) for i in range(min(count, SHOWN))]
        if len(self.errors) > 4 * SHOWN:
            self.errors = self._order()[:SHOWN]

    def _order(self) -> list[RowError]:
        """Return what is wrong in the order of the rows, each once: a time of a wide table is one of many series."""
        return sorted(dict.fromkeys(self.errors), key=_get_row)

    def stop_early(self) -> None:
        """Raise Invalid where the import is to be whole, and more rows are bad than a refusal lists."""
        if self.rejected > LISTED:
            self.stop()

    def stop(self) -> None:
        """Raise Invalid, which names the first bad rows, where the import is to be whole."""
        if not self.abort or not self.errors:
            return
        ordered = self._order()
        first = ordered[0]
        raise Invalid(
            ErrorCode(first.code),
            f"row {first.row} (counted from 1 below the header): {first.detail}; nothing was imported. "
            "Correct it, or send on_error=skip to import the other rows",
            errors=[FieldError(f"row {p.row}", p.code, p.detail) for p in ordered[:LISTED]],
        )

    def add(self, inserted: int, updated: int) -> None:
        """Add rows that were written."""
        self.inserted += inserted
        self.updated += updated

    def body(self) -> dict[str, Any]:
        """Return the report as clients see it."""
        ordered = self._order()
        return {
            "series": self.series,
            "series_ids": self.ids,
            "new_series": [{"freq": f, "timezone": zone, "series": n} for (f, zone), n in self.grids.most_common()],
            "rows": self.rows,
            "inserted": self.inserted,
            "updated": self.updated,
            "guesses": [guess._asdict() for guess in self.guesses],
            "assumed": [{"series_id": i, "freq": freq} for i, freq in list(self.assumed.items())[:SHOWN]],
            "covariates": [
                {"name": name, "kind": c.kind, "new": not c.is_stored and c.values > 0, "values": c.values}
                for name, c in self.covariates.items()
            ],
            "rejected_rows": self.rejected,
            "rejected": [{"row": p.row, "code": p.code, "detail": p.detail} for p in ordered[:SHOWN]],
        }


def _get_row(error: RowError) -> int:
    return error.row
