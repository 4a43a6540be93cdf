"""How a CSV is written: what separates its cells, and whether its decimals stand behind a point or a comma."""

import csv
import re
from collections.abc import Collection, Sequence
from typing import Literal

from app.errors import ErrorCode, Invalid
from app.formats.table import KEYS, TARGET, Guess, TableOptions

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
"""what separates cells → what a message calls it"""
WORDS = {",": "comma", "\t": "tab", " ": "space"}
"""delimiters that `delimiter=` takes as words"""
SAMPLED = 200
"""rows that show how numbers are written"""
_SEP = re.compile(r"sep=([,;|\t:~^ ])\r?\n?", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
"""what is one number with decimals, or another with a thousands separator"""
_GROUPED_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+|[+-]?[1-9]\d{0,2}(\.\d{3}){2,}")


def read_separator_line(line: str) -> str | None:
    """Return the delimiter that a line `sep=;` says, as Excel reads it; None for another line."""
    match = _SEP.fullmatch(line)
    return None if match is None else match[1]


def find_delimiter(lines: Sequence[str], options: TableOptions) -> tuple[str, Guess | None]:
    """Return what separates the cells of the first lines, the header before them, and what was guessed."""
    if options.delimiter is not None:
        return options.delimiter, None
    wanted = {*KEYS, TARGET, *options.columns}
    best = max(DELIMITERS, key=lambda delimiter: _rate(lines, delimiter, wanted))  # the first of equals
    if best == ",":
        return best, None
    return best, Guess("delimiter", WORDS.get(best, best), f"{DELIMITERS[best]} separate the names in the header")


def _rate(lines: Sequence[str], delimiter: str, wanted: Collection[str]) -> tuple[int, int, int]:
    """Return how well a delimiter fits: names that are known, rows of the header's width, columns."""
    try:
        header, *rows = csv.reader(lines[:20], delimiter=delimiter)
    except (csv.Error, ValueError):
        return 0, 0, 0
    known = sum(name.strip() in wanted for name in header)
    if len(header) == 1:
        return 0, 0, 0
    return known, sum(len(row) == len(header) for row in rows), len(header) if delimiter != " " else 0


def find_decimal(cells: Sequence[str], delimiter: str, options: TableOptions) -> tuple[Literal[".", ","], Guess | None]:
    """Return what stands before the decimals of numbers, by some cells that may be numbers, and what was guessed.

    Raises Invalid where they can be read in two ways.
    """
    if options.decimal is not None or delimiter == ",":
        return options.decimal or ".", None
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    points = [cell for cell in cells if _POINT.fullmatch(cell)]
    grouped = [cell for cell in cells if _GROUPED_POINTS.fullmatch(cell)]
    sure_commas = [cell for cell in commas if not _THOUSANDS.fullmatch(cell)]
    sure_points = [cell for cell in points if not _THOUSANDS.fullmatch(cell)]
    if commas and points:
        raise _refuse(f"numbers are written both like {commas[0][:40]!r} and like {points[0][:40]!r}")
    if sure_commas or grouped:
        shown = (sure_commas or grouped)[0][:40]
        return ",", Guess("decimal", ",", f"the cells are separated by {_call(delimiter)}, and {shown!r} is a cell")
    if commas:
        raise _refuse(f"{commas[0]!r} may be {commas[0].replace(',', '')} or {commas[0].replace(',', '.')}")
    if points and not sure_points and delimiter == ";":
        raise _refuse(f"{points[0]!r} may be {points[0].replace('.', '')} or {points[0]}, as semicolons separate cells")
    return ".", None


def _call(delimiter: str) -> str:
    return DELIMITERS.get(delimiter, repr(delimiter))


def _refuse(seen: str) -> Invalid:
    detail = f"{seen}; send decimal=, where a comma stands before decimals, and decimal=. where a point does"
    return Invalid(ErrorCode.csv_malformed, detail)
