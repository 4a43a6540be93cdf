"""What an import is asked, and what it did."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from app.errors import ErrorCode, FieldError, Invalid
from app.services.series.checks import RowProblem

SHOWN = 1000
"""Rejected rows that are listed; the rest are counted."""


@dataclass(frozen=True)
class ImportOptions:
    """How to read a table."""

    freq: str | None
    """of series that are made; inferred from their timestamps when absent"""
    timezone: str
    ds_start: str | None
    """the timestamp of the integer step 0, where `ds` holds integers"""
    dry_run: bool
    on_error: Literal["abort", "skip"]
    on_duplicate: Literal["error", "last", "mean"]


@dataclass
class Report:
    """What an import did, or would do; with `abort` the first rejected rows end it."""

    abort: bool
    series: int = 0
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    def reject(self, problems: Iterable[RowProblem]) -> None:
        """Note bad rows, counted from 1 below the header. Raises Invalid where the import is to be whole."""
        self.problems.extend(problems)
        if not self.abort or not self.problems:
            return
        first = min(self.problems, key=lambda p: p.row)
        raise Invalid(
            ErrorCode(first.code),
            f"row {first.row} (counted from 1 below the header): {first.detail}; nothing was imported. "
            "Mend it, or send on_error=skip to import the other rows",
            errors=[FieldError(f"row {p.row}", p.code, p.detail) for p in self.problems[:100]],
        )

    def body(self) -> dict[str, Any]:
        """Return the report as clients see it."""
        ordered = sorted(self.problems, key=lambda p: p.row)
        return {
            "series": self.series,
            "rows": self.rows,
            "inserted": self.inserted,
            "updated": self.updated,
            "rejected_rows": len(ordered),
            "rejected": [{"row": p.row, "code": p.code, "detail": p.detail} for p in ordered[:SHOWN]],
        }
