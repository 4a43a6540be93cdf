"""Long tables, whatever format they came in: `unique_id, ds, y`, and a column a covariate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.errors import RowError

KEYS = ("unique_id", "ds")
"""columns that every table has"""
TARGET = "y"
"""column that a table of covariates alone does not have"""

Column = Sequence[float | str | None]
"""values of a covariate, None where missing"""


class Row(NamedTuple):
    """One row of a table, as text."""

    number: int
    """from 1 below the header"""
    series_id: str
    ds: str
    y: str
    """empty where the table has no column y"""
    covariates: Sequence[str]
    """(C,) in the order of the table's covariates"""


@dataclass(frozen=True)
class LongTable:
    """A table that is read row by row."""

    has_y: bool
    """whether there is a target beside the covariates"""
    covariates: list[str]
    """(C,) names of the other columns"""
    rows: Iterator[Row | RowError]
    """every row below the header, those that do not fit the table as errors"""


@dataclass
class Block:
    """The rows of one series, in columns."""

    rows: list[int] = field(default_factory=list)
    """(N,) numbers, from 1 below the header"""
    ds: list[str] = field(default_factory=list)
    y: list[str] = field(default_factory=list)
    covariates: list[list[str]] = field(default_factory=list)
    """(C, N) cells"""

    def add(self, row: Row) -> None:
        """Append a row."""
        self.rows.append(row.number)
        self.ds.append(row.ds)
        self.y.append(row.y)
        for column, cell in zip(self.covariates, row.covariates, strict=True):
            column.append(cell)
