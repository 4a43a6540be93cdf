"""Layouts of times that are not ISO 8601, as `ds_format` names them: directives of strptime, and numbers since 1970."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from app.services.ingest.ds_parts import EPOCHS, SHORT_MONTHS, compose_dates, compose_times, count_epoch, read_offsets
from models.arrays import Ints
from models.calendar.iso import Mask, WrittenTimes
from models.calendar.timestamps import DAY, EARLIEST, LATEST

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = "%d/%m/%Y, %m/%d/%Y, %d.%m.%Y %H:%M, %Y%m%d, %b %Y, %Y-Q%q, %G-W%V, epoch_s, epoch_ms, epoch_us or epoch_ns"

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_SHORT_DAYS = "mon|tue|wed|thu|fri|sat|sun"
_DIRECTIVES = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "G": r"\d{4}",
    "q": r"[1-4]",
    "m": r"\d{1,2}",
    "b": SHORT_MONTHS,
    "B": _MONTHS,
    "V": r"\d{1,2}",
    "d": r"\d{1,2}",
    "j": r"\d{1,3}",
    "u": r"[1-7]",
    "a": _SHORT_DAYS,
    "A": _DAYS,
    "H": r"\d{1,2}",
    "I": r"\d{1,2}",
    "p": r"[ap]\.?m\.?",
    "M": r"\d{1,2}",
    "S": r"\d{1,2}",
    "f": r"\d{1,9}",
    "z": r"z|utc|gmt|[+-]\d{2}(?::?\d{2})?",
}
_NUMBERS = "YyGqmVdjuHIMSf"
_DATES = ({"Y"}, {"Y", "q"}, {"Y", "m"}, {"Y", "m", "d"}, {"Y", "j"}, {"G", "V"}, {"G", "V", "u"})
"""directives that name a date: a year, its quarter, month or week stand for their first day"""
_TIMES: tuple[set[str], ...] = (set(), {"H"}, {"H", "M"}, {"H", "M", "S"}, {"H", "M", "S", "f"})
_SAME = {"y": "Y", "b": "m", "B": "m"}
"""directives that say what another one does"""


class DsFormatError(ValueError):
    """A `ds_format` that cannot be followed; its message says why and what can."""


@dataclass(frozen=True)
class DsFormat:
    """A layout that all times of a column have."""

    name: str
    """as `ds_format` spells it"""
    pattern: str = field(repr=False)
    """a regular expression, of RE2 and of Python, with a group a directive; without regard to case"""
    has_time: bool
    """whether it names a time of day"""

    def read(self, texts: "pa.Array") -> WrittenTimes:
        """Read texts (N,); what does not have the layout, or names no time that is, is not readable."""
        import pyarrow.compute as pc

        fields = pc.extract_regex(texts, rf"(?i)\A(?:{self.pattern})\z")
        matches = fields.is_valid().to_numpy(zero_copy_only=False)
        parts = dict(zip([part.name for part in fields.type], fields.flatten(), strict=True))
        size = EPOCHS.get(self.name)
        if size is not None:
            wall, in_range = count_epoch(parts, size)
            return make_times(wall, matches & in_range, naive=False)
        wall, exists = compose_dates(parts)
        if self.has_time:
            time, in_day = compose_times(parts)
            wall = wall + time
            exists &= in_day
        offset = read_offsets(parts["z"]) if "z" in parts else np.zeros(len(wall), np.int64)
        exists &= (np.abs(offset) < DAY) & (wall - offset >= EARLIEST) & (wall - offset < LATEST)
        return make_times(wall, matches & exists, offset=offset, naive="z" not in parts, dates=not self.has_time)


def make_times(
    wall: Ints, readable: Mask, *, offset: Ints | None = None, naive: bool, dates: bool = False
) -> WrittenTimes:
    """Return times (N,) of one kind, with 0 where they are not readable."""
    count = len(wall)
    ahead = np.zeros(count, np.int64) if offset is None else offset
    return keep_readable(
        WrittenTimes(wall, ahead, np.ones(count, np.bool_), np.full(count, naive), np.full(count, dates)), readable
    )


def keep_readable(times: WrittenTimes, rows: Mask) -> WrittenTimes:
    """Return times (N,) of which those alone are readable that are so already and in `rows` (N,)."""
    readable = times.readable & rows
    return WrittenTimes(
        np.where(readable, times.wall, 0),
        np.where(readable, times.offset, 0),
        readable,
        times.naive & readable,
        times.dates & readable,
    )


@lru_cache(maxsize=1024)
def parse_ds_format(text: str) -> DsFormat:
    """Parse a `ds_format`. Raises DsFormatError."""
    if text in EPOCHS:
        return DsFormat(text, r"(?P<whole>-?\d{1,19})(?:\.(?P<decimals>\d*))?", has_time=True)
    pieces = re.findall(r"%.?| +|[^% ]+", text)
    names = [piece[1:] for piece in pieces if piece[0] == "%" and piece != "%%"]
    unknown = [name for name in names if name not in _DIRECTIVES]
    if not names or unknown:
        shown = f"%{unknown[0]} is not a directive that it may have" if unknown else f"{text[:60]!r} is no layout"
        known = " ".join(f"%{name}" for name in _DIRECTIVES)
        raise DsFormatError(f"ds_format: {shown}; send one such as {EXAMPLES} (directives: {known})")
    has_time = _check_directives(names)
    return DsFormat(text, "".join(_spell_pieces(pieces)), has_time=has_time)


def _check_directives(names: list[str]) -> bool:
    """Return whether there is a time of day. Raises DsFormatError where date and time are not whole."""
    meanings = [_SAME.get(name, name) for name in names if name not in "aA"]
    if "I" in meanings and "p" in meanings:
        meanings.remove("p")
        meanings[meanings.index("I")] = "H"
    if len(set(meanings)) < len(meanings):
        raise DsFormatError("ds_format: it names one thing twice; leave one of the two out")
    parts = set(meanings)
    if parts & set("YGqmVdju") not in _DATES:
        raise DsFormatError(
            "ds_format: it names no date; a date is %Y (or %y), with %m (or %b, %B) and %d, or %q, or %j, "
            f"or it is %G and %V, as in {EXAMPLES}"
        )
    time = parts & set("HIpMSf")
    if time not in _TIMES or ("z" in parts and not time):
        raise DsFormatError(
            "ds_format: its time is not whole; a time is %H (or %I with %p), then %M, %S and %f, "
            "and %z only after a time"
        )
    return bool(time)


def _spell_pieces(pieces: list[str]) -> list[str]:
    """Return a pattern a piece: numbers that stand side by side have all of their digits."""
    is_number = [piece[0] == "%" and piece[1:] in _NUMBERS for piece in pieces]
    patterns = []
    for i, piece in enumerate(pieces):
        if piece[0] == " ":
            patterns.append(" +")
        elif piece[0] != "%" or piece == "%%":
            patterns.append(re.escape(piece[:1] if piece == "%%" else piece))
        else:
            digits = _DIRECTIVES[piece[1:]]
            beside = any(is_number[j] for j in (i - 1, i + 1) if 0 <= j < len(pieces))
            if is_number[i] and beside and piece != "%f":
                digits = digits.replace("{1,", "{")
            patterns.append(f"(?P<{piece[1:]}>{digits})")
    return patterns
