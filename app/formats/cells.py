"""Cells of a table, whatever format they came in: numbers, text, and what a cell that is neither seems to be."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

MISSING = frozenset({"", "nan", "null", "none", "na", "n/a", "<na>"})
"""cells of a column of numbers that say that a value is missing, in lower case"""
BOOLEANS = {"true": 1.0, "false": 0.0}
"""what a column of numbers takes truth values for, in lower case"""
_WORDS = {**dict.fromkeys(MISSING, math.nan), **BOOLEANS}
SHOWN = 60
"""characters of a cell that a message repeats"""

Texts = NDArray[Any]
"""(N,) text, None where missing"""

_SPREADSHEET_ERROR = re.compile(r"#(N/A|DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)", re.IGNORECASE)
_PLACEHOLDERS = frozenset({"-", "--", "---", "–", "—", "−", "?", ".", "..", "...", "…", "*", "missing", "unknown"})
_INFINITE = re.compile(r"[+-]?inf(inity)?|[+-]?[∞]", re.IGNORECASE)
_POINT_OR_COMMA = re.compile(r"([+-]?)(\d{1,3}),(\d{3})")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?P<group>[,_'’.\s])\d{3}((?P=group)\d{3})*([.,]\d+)?")
_IN_BRACKETS = re.compile(r"\(\s*\d[\d.,]*\s*\)")
_CURRENCY = re.compile(r"[$€£¥₹]|\b(USD|EUR|GBP|JPY|CHF|INR)\b", re.IGNORECASE)
_WITH_UNIT = re.compile(r"[+-]?\d+(\.\d+)?\s*[^\W\d_]+[\w/°²³]*|[+-]?\d+(\.\d+)?\s*°\w*")


def parse_number(cell: str) -> float | None:
    """Return a cell's number, NaN where the cell says that the value is missing, and None where it is neither."""
    try:
        value = float(cell)
    except ValueError:
        return _WORDS.get(cell.strip().lower())
    if math.isnan(value):
        return value
    # Python reads 1_000 as a number, nobody else does
    return value if math.isfinite(value) and "_" not in cell else None


def read_numbers(cells: Sequence[str]) -> tuple[Floats, list[int]]:
    """Return the numbers (N,), NaN where missing, and the positions of the cells that are neither."""
    numbers = np.full(len(cells), np.nan)
    wrong = []
    for i, cell in enumerate(cells):
        value = parse_number(cell) if cell else math.nan
        if value is None:
            wrong.append(i)
        else:
            numbers[i] = value
    return numbers, wrong


def read_texts(cells: Sequence[str]) -> Texts:
    """Return the texts (N,) without the blanks around them; only an empty cell is missing: NA may be a category."""
    texts = np.empty(len(cells), object)
    texts[:] = [cell.strip() or None for cell in cells]
    return texts


def count_kinds(cells: Sequence[str]) -> tuple[int, int]:
    """Return how many cells are numbers, and how many are text; those that say that a value is missing are neither."""
    numbers = 0
    texts = 0
    for cell in cells:
        value = parse_number(cell) if cell else math.nan
        if value is None:
            texts += 1
        elif value == value:  # not NaN
            numbers += 1
    return numbers, texts


def explain_number(cell: str) -> str:
    """Say what a cell that should be a number seems to be, and what to send instead."""
    text = cell.strip()
    shown = repr(text[:SHOWN])
    if _SPREADSHEET_ERROR.fullmatch(text):
        return f"{shown} is a spreadsheet's error value; leave the cell empty where a value is missing"
    if text.lower() in _PLACEHOLDERS:
        return f"{shown} is a placeholder; leave the cell empty where a value is missing"
    if _is_infinite(text):
        return f"{shown} is not a finite number; leave the cell empty where a value is missing"
    return f"{shown} {_explain_format(text)}"


def _is_infinite(text: str) -> bool:
    try:
        return not math.isfinite(float(text))
    except ValueError:
        return _INFINITE.fullmatch(text) is not None


def _explain_format(text: str) -> str:
    """Say how a text differs from a number, beginning with a verb."""
    if text.endswith("%"):
        return "has a percent sign; send the number alone, in one unit throughout the column"
    if _CURRENCY.search(text):
        return "has a currency; send the number alone"
    if _IN_BRACKETS.fullmatch(text):
        return "is a number in brackets; send a negative one with a minus sign, such as -5"
    if text.startswith("−"):
        return "begins with a typographic minus sign; send a hyphen instead"
    either = _POINT_OR_COMMA.fullmatch(text)
    if either:
        sign, whole, rest = either.groups()
        return (
            f"has a comma, of thousands or of decimals; send {sign}{whole}{rest} or {sign}{whole}.{rest}, or decimal="
        )
    if _GROUPED.fullmatch(text):
        return f"has thousands separators; send {_ungroup(text)}"
    if _DECIMAL_COMMA.fullmatch(text):
        return f"has a decimal comma; send {text.replace(',', '.')}, or decimal=, for the whole table"
    if _WITH_UNIT.fullmatch(text):
        return "has a unit; send the number alone"
    return "is not a finite number; leave the cell empty where a value is missing"


def _ungroup(text: str) -> str:
    """Return a number without its thousands separators, and with a decimal point."""
    marks = [c for c in text if not c.isdigit() and c not in "+-"]
    fraction = marks[-1] if len(set(marks)) > 1 else ""
    whole, _, decimals = text.rpartition(fraction) if fraction else (text, "", "")
    digits = re.sub(r"[^\d+-]", "", whole)
    return f"{digits}.{decimals}" if decimals else digits
