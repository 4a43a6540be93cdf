"""A long table in CSV."""

import csv
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import IO, Any

from app.errors import ErrorCode, FieldError, Invalid, RowError
from app.formats.header import locate_columns
from app.formats.table import LongTable, Row
from app.formats.text import HOW, explain_bytes
from app.scope import storable

LINE_BREAKS = f"curl's --data and -d drop line breaks; {HOW} does not"
LONGEST_CELL = 200
"""characters: of the longest id of a series"""
_WHOLE = re.compile(r"[+-]?\d+")
_DECIMALS = re.compile(r"\d+")


def read_csv(lines: IO[str]) -> LongTable:
    """Return the table of a CSV text with a header.

    Raises Invalid for what is no such table, at once or while its rows are read.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = next((cells for cells in reader if cells), [])
    except (csv.Error, UnicodeDecodeError) as e:
        raise Invalid(ErrorCode.csv_malformed, _explain_stop("the header", e, 0)) from e
    try:
        places = locate_columns(header)
    except Invalid as e:
        raise _hint_at_line_breaks(lines, e) from e
    positions = [places.unique_id, places.ds, *places.covariates.values()]
    rows = _read_rows(reader, positions, places.y, len(header))
    return LongTable(places.y is not None, list(places.covariates), rows)


def _read_rows(reader: Any, positions: list[int], target: int | None, width: int) -> Iterator[Row | RowError]:
    """Yield the rows; empty lines are no rows and have no number."""
    number = 0
    try:
        for cells in reader:
            if not cells:
                continue
            number += 1
            if len(cells) != width:
                yield RowError(number, ErrorCode.csv_malformed, _explain_width(cells, width))
            elif any(len(cell) > LONGEST_CELL or not storable(cell) for cell in cells):
                detail = f"a cell has more than {LONGEST_CELL} characters, or NUL among them"
                yield RowError(number, ErrorCode.invalid_value, detail)
            else:
                series_id, ds, *covariates = [cells[position] for position in positions]
                y = "" if target is None else cells[target]
                yield Row(number, series_id.strip(), ds.strip(), y, covariates)
    except (csv.Error, UnicodeDecodeError) as e:
        row = number + 1
        detail = _explain_stop(f"row {row} (counted from 1 below the header)", e, reader.line_num)
        raise Invalid(
            ErrorCode.csv_malformed, detail, errors=[FieldError(f"row {row}", "csv_malformed", detail)]
        ) from e
    if number == 0:
        detail = f"the table has a header and no rows. {LINE_BREAKS}"
        raise Invalid(ErrorCode.csv_malformed, detail)


def _explain_width(cells: list[str], width: int) -> str:
    """Say what seems to be wrong with a row that is longer or shorter than the header."""
    counted = f"{len(cells)} cells where the header has {width}"
    if len(cells) < width:
        return f"{counted}; write one for each column, an empty one where a value is missing"
    if not any(cells[width:]):
        return f"{counted}; the row ends in a comma too many"
    for left, right in pairwise(cells):
        if _WHOLE.fullmatch(left) and _DECIMALS.fullmatch(right):
            shown = f"{left},{right}"[:60]
            return (
                f"{counted}; {shown} looks like one number with a comma: send a decimal point, no thousands separator"
            )
    return f'{counted}; put a cell that holds a comma into quotation marks: "a, b"'


def _hint_at_line_breaks(lines: IO[str], refusal: Invalid) -> Invalid:
    """Return a header's refusal, with its cause where the whole body is one line: the line breaks were lost."""
    try:
        is_whole = not lines.readline()
    except UnicodeDecodeError:
        is_whole = False
    if not is_whole:
        return refusal
    return Invalid(refusal.code, f"{refusal.detail}. The body is a single line. {LINE_BREAKS}")


def _explain_stop(where: str, cause: csv.Error | UnicodeDecodeError, line: int) -> str:
    """Say why the text cannot be read on at `where`, `line` lines having been read."""
    if isinstance(cause, UnicodeDecodeError):
        return explain_bytes(cause, line + 1)
    if "unexpected end of data" in str(cause):
        return f"{where} opens a quotation mark that is not closed; double those that belong to a cell"
    if "field limit" in str(cause):
        return f"a cell of {where} is too long; perhaps a quotation mark before it is not closed"
    return f"{where} has a quotation mark out of place ({cause}); put the cell in quotes and double those within"
