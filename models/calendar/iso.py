"""Reading ISO 8601 texts as they are written: a date, or a date and a time, with or without an offset.

Strictly: what may be read in two ways is not read at all. Columns of the usual layouts are read by numpy, all rows
at once, and what is left by a regular expression, row by row.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 1440 * _MINUTE
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)

_TEXT = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)"  # 2024-01-31 or 20240131
    r"(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?"  # T13, T13:00, T13:00:00.5
    r"(?:([Zz])|([+-])(\d\d)(?::?([0-5]\d))?)?)?)?",  # Z, +01:00, +0100, +01
    re.ASCII,
)
_PLAIN = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):\d\d(?::\d\d(?:\.\d{6})?)?(?:Z|[+-]\d\d:[0-5]\d)?)?", re.ASCII
)
"""what most texts are, and Python reads fast"""
_COMPACT_YEARS = range(1900, 2100)
"""of a date that is eight digits and nothing else: other numbers of eight digits are no dates that anybody means"""
_BODIES = (10, 16, 19, *range(21, 30))
"""characters of a date, a date and minutes, seconds, and one to nine decimals of a second"""
_SUFFIXES = (0, 1, 3, 5, 6)
"""characters of no offset, `Z`, `+01`, `+0100` and `+01:00`"""

_FEW = 100
"""texts that are read faster one by one than all at once, by measurement"""


@dataclass(frozen=True)
class WrittenTimes:
    """Times as their texts have them, in columns; each (N,)."""

    wall: Ints
    """microseconds of the clock that is written, as if it were UTC; 0 where nothing can be read"""
    offset: Ints
    """microseconds that this clock is ahead of UTC; 0 where none is written"""
    readable: Mask
    naive: Mask
    """without an offset"""
    dates: Mask
    """without a time of day, and so without an offset"""

    def select(self, rows: slice | Ints) -> "WrittenTimes":
        """Return some of the times: those of a slice as views, those at positions as copies."""
        return WrittenTimes(self.wall[rows], self.offset[rows], self.readable[rows], self.naive[rows], self.dates[rows])


def read_times(texts: Sequence[str]) -> WrittenTimes:
    """Read texts; decimals of a second beyond the sixth are cut off."""
    count = len(texts)
    times = WrittenTimes(
        np.zeros(count, np.int64), np.zeros(count, np.int64), *(np.zeros(count, np.bool_) for _ in range(3))
    )
    for rows, column in _split_by_length(texts) if count > _FEW else ():
        for body, suffix in _find_layouts(column.shape[0]):
            _read_layout(column, rows, body, suffix, times)
    singles = [(row, time) for row in np.flatnonzero(~times.readable).tolist() if (time := _read_text(texts[row]))]
    if singles:
        found = np.array([row for row, _ in singles])
        columns = zip(*(time for _, time in singles), strict=True)
        for target, values in zip((times.wall, times.offset, times.naive, times.dates), columns, strict=True):
            target[found] = values
        times.readable[found] = True
    return times


def _split_by_length(texts: Sequence[str]) -> Iterator[tuple[Ints, Bytes]]:
    """Yield the rows (M,) of texts of one length, and their characters (length, M), of lengths that have a layout."""
    try:
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    except TypeError:
        return
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if next(_find_layouts(length), None) is None:
            continue
        try:
            joined = "".join(texts if len(rows) == len(texts) else [texts[row] for row in rows.tolist()])
            characters = np.frombuffer(joined.encode("ascii"), np.uint8)
        except (TypeError, UnicodeEncodeError):
            continue
        yield rows, np.ascontiguousarray(characters.reshape(len(rows), length).T)


def _find_layouts(length: int) -> Iterator[tuple[int, int]]:
    """Yield the lengths of a body and a suffix that are `length` characters together."""
    for suffix in _SUFFIXES:
        if length - suffix in _BODIES and (suffix == 0 or length - suffix > 10):
            yield length - suffix, suffix


def _read_layout(column: Bytes, rows: Ints, body: int, suffix: int, times: WrittenTimes) -> None:
    """Note the times of the texts (body + suffix, M) in `rows` (M,) that have this layout and name a time that is."""
    digits = column - np.uint8(ord("0"))  # others wrap to more than 9

    def number(first: int, last: int) -> Ints:
        value = np.zeros(len(rows), np.int64)
        for position in range(first, last):
            value = value * 10 + digits[position]
        return value

    matches = _match_layout(column, digits, body, suffix)
    if not matches.any():
        return
    months = (number(0, 4) - 1970) * 12 + number(5, 7) - 1
    first_day = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    last_day = (months + 1).astype("M8[M]").astype("M8[D]").astype(np.int64) - 1
    day = first_day + number(8, 10) - 1
    matches &= (number(5, 7) - 1 < 12) & (number(5, 7) > 0) & (day >= first_day) & (day <= last_day)
    wall = day * _DAY
    if body >= 16:
        matches &= (number(11, 13) < 24) & (number(14, 16) < 60)
        wall += (number(11, 13) * 60 + number(14, 16)) * _MINUTE
    if body >= 19:
        matches &= number(17, 19) < 60
        wall += number(17, 19) * _SECOND
    if body > 20:
        read = min(body, 26)
        wall += number(20, read) * 10 ** (26 - read)
    offset = np.zeros(len(rows), np.int64)
    if suffix > 1:
        minutes = number(body + suffix - 2, body + suffix) if suffix > 3 else offset
        matches &= (number(body + 1, body + 3) < 24) & (minutes < 60)
        sign = np.where(column[body] == ord("-"), -1, 1)
        offset = sign * (number(body + 1, body + 3) * 60 + minutes) * _MINUTE
    found = rows[matches]
    times.wall[found] = wall[matches]
    times.offset[found] = offset[matches]
    times.readable[found] = True
    times.naive[found] = suffix == 0
    times.dates[found] = body == 10


def _match_layout(column: Bytes, digits: Bytes, body: int, suffix: int) -> Mask:
    """Say which texts (M,) have digits and signs where a layout has them."""
    signs = {4: "-", 7: "-", 10: "Tt ", 13: ":", 16: ":", 19: ".,"}
    expected = {position: characters for position, characters in signs.items() if position < body}
    if suffix:
        expected[body] = "Zz" if suffix == 1 else "+-"
    if suffix == 6:
        expected[body + 3] = ":"
    matches = np.ones(column.shape[1], np.bool_)
    for position in range(body + suffix):
        if position in expected:
            matches &= np.isin(column[position], np.frombuffer(expected[position].encode(), np.uint8))
        else:
            matches &= digits[position] <= 9
    return matches


def _read_text(text: object) -> tuple[int, int, bool, bool] | None:
    """Return wall, offset, naive and dates of one text; None where it cannot be read."""
    if not isinstance(text, str):
        return None
    if _PLAIN.fullmatch(text):
        return _read_plain(text)
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    year, hyphen, month, day, hour, minute, second, decimals, zulu, sign, hours, minutes = match.groups()
    if hour is None and not hyphen and int(year) not in _COMPACT_YEARS:
        return None
    if hours is not None and int(hours) > 23:
        return None
    try:
        day_start = datetime(int(year), int(month), int(day))
        moment = day_start.replace(hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0))
    except ValueError:
        return None
    wall = (moment - _EPOCH) // _MICROSECOND + int((decimals or "0")[:6].ljust(6, "0"))
    ahead = (int(hours or 0) * 60 + int(minutes or 0)) * _MINUTE
    return wall, -ahead if sign == "-" else ahead, zulu is None and sign is None, hour is None


def _read_plain(text: str) -> tuple[int, int, bool, bool] | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = moment.utcoffset()
    if offset is None:
        return (moment - _EPOCH) // _MICROSECOND, 0, True, len(text) == 10
    return (moment.replace(tzinfo=None) - _EPOCH) // _MICROSECOND, offset // _MICROSECOND, False, False
