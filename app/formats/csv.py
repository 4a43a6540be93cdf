"""A long table in CSV."""

import csv
from collections.abc import Iterator
from typing import IO

from app.errors import ErrorCode, Invalid, RowError
from app.formats.table import REQUIRED, LongTable, Row
from app.scope import storable

LONGEST_CELL = 200
"""characters: of the longest id of a series"""
LONGEST_NAME = 200


def read_csv(lines: IO[str]) -> LongTable:
    """Return the table of a CSV text with a header.

    Raises Invalid for what is no such table, at once or while its rows are read.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
    except (csv.Error, UnicodeDecodeError) as e:
        raise _not_a_table(0, e) from e
    positions, covariates = _locate_columns(header)
    return LongTable(covariates, _read_rows(reader, positions, len(header)))


def _read_rows(reader: Iterator[list[str]], positions: list[int], width: int) -> Iterator[Row | RowError]:
    """Yield the rows; empty lines are no rows and have no number."""
    number = 0
    try:
        for cells in reader:
            if not cells:
                continue
            number += 1
            if len(cells) != width:
                detail = f"{len(cells)} cells where the header has {width}"
                yield RowError(number, ErrorCode.csv_malformed, detail)
            elif any(len(cell) > LONGEST_CELL or not storable(cell) for cell in cells):
                detail = f"a cell has more than {LONGEST_CELL} characters, or NUL among them"
                yield RowError(number, ErrorCode.invalid_value, detail)
            else:
                series_id, ds, y, *covariates = [cells[position] for position in positions]
                yield Row(number, series_id, ds.strip(), y, covariates)
    except (csv.Error, UnicodeDecodeError) as e:
        raise _not_a_table(number, e) from e


def _locate_columns(header: list[str]) -> tuple[list[int], list[str]]:
    """Return the positions of unique_id, ds, y and then the covariates, and the covariates' names. Raises Invalid."""
    names = [name.strip() for name in header]
    missing = [name for name in REQUIRED if name not in names]
    readable = all(name.isprintable() and 0 < len(name) <= LONGEST_NAME for name in names)
    if missing or len(set(names)) != len(names) or not readable:
        reason = f"missing: {', '.join(missing)}" if missing else "a name is empty, unprintable or repeated"
        detail = f"the header must name the columns unique_id, ds and y, each column once; {reason}"
        raise Invalid(ErrorCode.csv_malformed, detail)
    covariates = [name for name in names if name not in REQUIRED]
    return [names.index(name) for name in [*REQUIRED, *covariates]], covariates


def _not_a_table(number: int, cause: Exception) -> Invalid:
    detail = f"the body is not a UTF-8 CSV table after row {number}: {cause}"
    return Invalid(ErrorCode.csv_malformed, detail)
