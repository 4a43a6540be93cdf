"""Tables in NDJSON: a JSON object a line, whose fields are the columns."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import orjson

from app.errors import ErrorCode, Invalid, RowError
from app.formats.csv_text import CsvText
from app.formats.source import SourceBatch
from app.formats.table import Guess
from app.scope import storable

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLED = 500
"""lines whose fields are the columns"""
SHOWN = 60
"""characters of a line that a message repeats"""
_LARGEST = 2**63


class NdjsonSource:
    """A table in NDJSON. A field that a line does not have is missing there."""

    code = ErrorCode.table_malformed
    has_types = True
    is_columnar = False
    hint = ""

    def __init__(self, file: BinaryIO) -> None:
        """Read the fields of the first lines. Raises Invalid where none of them is an object."""
        self._file = file
        self.guesses: Sequence[Guess] = ()
        opening = next(self._read_parts(), [])
        first = [_parse(line) for line in opening[:SAMPLED]]
        rows = [row for row in first if isinstance(row, dict)]
        if not rows:
            raise Invalid(self.code, f"the first line is no JSON object: {first[0]}; send one object a line")
        self._fields = list(dict.fromkeys(name for row in rows for name in row))
        self.names: Sequence[str] = [name.strip() for name in self._fields]
        self._known = frozenset(self._fields)

    def _read_parts(self) -> Iterator[list[bytes]]:
        """Yield some lines after another, without those that are blank. Raises Invalid."""
        for part in CsvText(self._file, "utf-8-sig" if self._has_mark() else "utf-8", self.code).read_parts():
            lines = [line for line in part.split(b"\n") if line.strip()]
            if lines:
                yield lines

    def _has_mark(self) -> bool:
        self._file.seek(0)
        return self._file.read(3) == b"\xef\xbb\xbf"

    def read(self, positions: Sequence[int]) -> Iterator[SourceBatch]:
        """Yield the rows; blank lines are no rows and have no number. Raises Invalid."""
        number = 0
        for lines in self._read_parts():
            yield self._read_part(lines, positions, number)
            number += len(lines)

    def _read_part(self, lines: list[bytes], positions: Sequence[int], number: int) -> SourceBatch:
        """Read some lines, before which `number` rows came."""
        rows = []
        good = []
        errors = []
        wanted = [self._fields[i] for i in positions]
        for row, line in enumerate(lines, number + 1):
            parsed = _parse(line)
            problem = parsed if isinstance(parsed, str) else self._find_problem(parsed, wanted)
            if isinstance(parsed, dict) and problem is None:
                rows.append(row)
                good.append(parsed)
            else:
                errors.append(RowError(row, ErrorCode.invalid_value, str(problem)))
        columns = {i: _make_column([row.get(self._fields[i]) for row in good]) for i in positions}
        return SourceBatch(len(lines), np.array(rows, np.int64), columns, errors)

    def _find_problem(self, row: dict[str, Any], wanted: Sequence[str]) -> str | None:
        """Return why a line is no row of this table, or None."""
        if not self._known.issuperset(row):
            name = next(name for name in row if name not in self._known)
            return (
                f"the field {name[:SHOWN]!r} stands in none of the first {SAMPLED} lines, which name the columns; "
                "put a line with all of them first, null where a value is missing"
            )
        for name in wanted:
            value = row.get(name)
            if isinstance(value, (dict, list)):
                return f"{name}: a {'list' if isinstance(value, list) else 'nested object'} is no value; send one a row"
        return None


def _parse(line: bytes) -> dict[str, Any] | str:
    """Return the object of a line, or why it is none."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as e:
        row = _parse_leniently(line)
        if row is None:
            return f"{_show(line)} is not JSON ({e.msg})"
    return row if isinstance(row, dict) else f"{_show(line)} is no JSON object"


def _parse_leniently(line: bytes) -> Any:
    """Return what a line holds that Python's json wrote, with NaN for what is missing; None where it is no JSON."""
    if b"NaN" not in line and b"Infinity" not in line:
        return None
    try:
        row = json.loads(line, parse_int=lambda text: int(text) if len(text) < 20 else float(text))
        return row if storable(json.dumps(row, ensure_ascii=False)) else None
    except (ValueError, RecursionError):
        return None


def _show(line: bytes) -> str:
    return repr(line[:SHOWN].decode(errors="replace"))


def _make_column(values: list[Any]) -> "pa.Array":
    """Return a column (N,): text where one value is text, whole numbers or truth values where all are, else numbers."""
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    if str in kinds:
        return pa.array(values if kinds == {str} else [_spell(value) for value in values], pa.string())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or abs(value) < _LARGEST for value in values):
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def _spell(value: Any) -> str | None:
    """Return a value as the text that JSON has for it, None where it is missing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    return json.dumps(value)
