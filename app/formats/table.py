"""Long tables, whatever format they came in: `unique_id, ds, y`, and a column a covariate."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.errors import RowError

REQUIRED = ("unique_id", "ds", "y")
MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})
"""cells that say that a value is missing, in lower case"""

Column = Sequence[float | str | None]
"""values of a covariate, None where missing"""


class Row(NamedTuple):
    """One row of a table, as text."""

    number: int
    """from 1 below the header"""
    series_id: str
    ds: str
    y: str
    covariates: Sequence[str]
    """(C,) in the order of the table's covariates"""


@dataclass(frozen=True)
class LongTable:
    """A table that is read row by row."""

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


def parse_number(cell: str) -> float | None:
    """Return a cell's number, NaN where the cell says that the value is missing, and None where it is neither."""
    if cell.strip().lower() in MISSING:
        return math.nan
    if "_" in cell:  # Python reads 1_000 as a number, nobody else does
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_numeric(cells: Sequence[str]) -> bool:
    """Say whether every cell is a number or missing."""
    return all(parse_number(cell) is not None for cell in cells)


def convert_column(cells: Sequence[str], *, numeric: bool) -> Column:
    """Return a covariate's cells as numbers, which every cell must be, or as text; None where missing."""
    if not numeric:
        return [None if cell.strip().lower() in MISSING else cell for cell in cells]
    numbers = [parse_number(cell) for cell in cells]
    return [None if n is None or math.isnan(n) else n for n in numbers]
