"""A table's columns, whatever format they came in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})


Column = Sequence[float | str | None]


@dataclass
class Block:
    """The rows of one series, in columns; `rows` counts from 1 below the header."""

    rows: list[int] = field(default_factory=list)
    ds: list[str] = field(default_factory=list)
    y: list[str] = field(default_factory=list)
    covariates: list[list[str]] = field(default_factory=list)
    """one list a covariate column"""


def number(cell: str) -> float | None:
    """Return a cell's number, NaN where the cell says that the value is missing, and None where it is neither."""
    if cell.strip().lower() in MISSING:
        return math.nan
    try:
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_numeric(cells: list[str]) -> bool:
    """Say whether every cell is a number or missing."""
    return all(number(cell) is not None for cell in cells)


def typed(cells: list[str], *, numeric: bool) -> Column:
    """Return a covariate column as numbers, which every cell must be, or as text; None where missing."""
    if not numeric:
        return [None if cell.strip().lower() in MISSING else cell for cell in cells]
    numbers = [number(cell) for cell in cells]
    return [None if n is None or math.isnan(n) else n for n in numbers]
