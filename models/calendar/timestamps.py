"""Timestamps: int64 microseconds UTC inside, RFC 3339 text outside, local wall time between them.

Microseconds, because a long yearly series overflows nanoseconds. "Local" means the wall clock of a
timezone, written as if it were UTC: plain int64 microseconds that calendar arithmetic may be done on.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias, overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.arrays import Ints
from models.calendar.clock_changes import UNDECIDED, order_ambiguous
from models.calendar.iso import Mask, WrittenTimes, read_times
from models.calendar.lookalikes import explain_unreadable
from models.errors import TimestampError, TimezoneError

Stamps: TypeAlias = Ints

MINUTE = 60_000_000
"""microseconds"""
DAY = 86_400_000_000
"""microseconds"""
WEEK = 7 * DAY
"""microseconds"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAT = np.iinfo(np.int64).min
EARLIEST = (datetime(1000, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LATEST = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""First stamp that is accepted, and the end of those that are, microseconds UTC. The years around them are left to
contexts and horizons, whose stamps must have four digits too."""

LONGEST_TIMEZONE = 100
"""characters of a timezone's name: the longest one has 32"""
MOST_EXPLAINED = 1000
"""unreadable texts that get a full explanation; the rest get a short one"""


@lru_cache(maxsize=1024)
def load_timezone(name: str) -> ZoneInfo:
    """Load the IANA timezone `name`. Raises TimezoneError."""
    try:
        if name == "localtime" or len(name) > LONGEST_TIMEZONE:  # another zone on each machine; a package in packages
            raise ValueError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise TimezoneError(
            f"{name[:LONGEST_TIMEZONE]!r} is not an IANA timezone; use a name such as 'Europe/Berlin'"
        ) from e


def is_same_timezone(one: str, other: str) -> bool:
    """Say whether two names mean one timezone: they are equal, or both of one offset that never changes."""
    offset = load_timezone(one).utcoffset(None)
    return one == other or (offset is not None and offset == load_timezone(other).utcoffset(None))


def to_local(stamps: Stamps, timezone: str) -> Stamps:
    """Return the wall-clock microseconds of `stamps` (any shape) in `timezone`."""
    if timezone == "UTC":
        return stamps
    index = pd.DatetimeIndex(stamps.reshape(-1).view("M8[us]")).tz_localize("UTC").tz_convert(load_timezone(timezone))
    return index.tz_localize(None).to_numpy().view(np.int64).reshape(stamps.shape)


def from_local(local: Stamps, timezone: str) -> Stamps:
    """Return the UTC stamps of wall-clock microseconds (N,).

    A wall time that does not exist is moved forward to the first that does; of two equal ones the first
    is taken. Grids need one answer for each step; what a user sends goes through `parse_stamps`, which refuses.
    """
    if timezone == "UTC":
        return local
    index = pd.DatetimeIndex(local.view("M8[us]"))
    first = np.ones(len(index), dtype=bool)
    utc = index.tz_localize(load_timezone(timezone), ambiguous=first, nonexistent="shift_forward").tz_convert("UTC")
    return utc.tz_localize(None).to_numpy().view(np.int64)


def parse_stamps(texts: Sequence[str], timezone: str, *, daily: bool = False) -> Stamps:
    """Read ISO 8601 texts as UTC microseconds (N,), as `read_stamps` does.

    Raises TimestampError, which names the first bad row counted from 0: `invalid_timestamp`,
    `nonexistent_time` or `ambiguous_time`.
    """
    stamps, problems = read_stamps(texts, timezone, daily=daily)
    if problems:
        raise problems[0]
    return stamps


def read_stamps(texts: Sequence[str], timezone: str, *, daily: bool = False) -> tuple[Stamps, list[TimestampError]]:
    """Read ISO 8601 texts as UTC microseconds (N,), 0 where bad; return them and every problem, by row.

    Texts without an offset are wall times in `timezone`. A date without a time is the first instant of its day. The
    same holds for each wall time of a `daily` series, of steps of a day or longer: it is the one that the series'
    grid has on that day, even where the clocks change then.
    """
    return convert_times(read_times(texts), texts, timezone, daily=daily)


def convert_times(
    times: WrittenTimes, texts: Sequence[str], timezone: str, *, daily: bool = False, infer_ambiguous: bool = False
) -> tuple[Stamps, list[TimestampError]]:
    """Convert the times of `texts`, as `read_stamps` does.

    With `infer_ambiguous` a wall time that exists twice is told by the order of the rows, where that is possible.
    """
    stamps = times.wall - times.offset
    readable = times.readable & (stamps >= EARLIEST) & (stamps < LATEST)
    unreadable = np.flatnonzero(~readable).tolist()
    details = [explain_unreadable(texts[row]) for row in unreadable[:MOST_EXPLAINED]]
    details += ["not an ISO 8601 timestamp"] * (len(unreadable) - len(details))
    problems = [TimestampError(r, "invalid_timestamp", d) for r, d in zip(unreadable, details, strict=True)]
    stamps[~readable] = 0
    rows = np.flatnonzero(readable & times.naive)
    if len(rows) and timezone != "UTC":
        problems += _convert_walls(stamps, readable, rows, times.dates[rows] | daily, timezone, infer_ambiguous)
    return stamps, sorted(problems, key=lambda problem: problem.row)


def _convert_walls(
    stamps: Stamps, readable: Mask, rows: Ints, whole_days: Mask, timezone: str, infer_ambiguous: bool
) -> list[TimestampError]:
    """Replace the wall times among `stamps` (N,), those of `rows` (M,), by UTC in place, and return every problem.

    Args:
        readable: (N,)
        whole_days: (M,) of which a day is meant
    """
    walls = stamps[rows]
    stamps[rows], odd = _localize(walls, timezone)
    if not len(odd):
        return []
    rows = rows[odd]
    walls = walls[odd]
    first = from_local(walls, timezone)
    second = _find_second(walls, timezone)
    settled = whole_days[odd] & (to_local(first, timezone) // DAY == walls // DAY)
    stamps[rows[settled]] = first[settled]
    gone = ~settled & (second == _NAT)
    twice = np.flatnonzero(~settled & ~gone)
    if infer_ambiguous and len(twice):
        known = readable.copy()
        known[rows[gone]] = False
        position = np.cumsum(known) - 1
        chosen = order_ambiguous(stamps[known], position[rows[twice]], first[twice], second[twice])
        told = chosen != UNDECIDED
        stamps[rows[twice[told]]] = chosen[told]
        settled[twice[told]] = True
    return [
        _refuse_wall(int(rows[i]), int(walls[i]), timezone, gone=bool(gone[i]), inferred=infer_ambiguous)
        for i in np.flatnonzero(~settled).tolist()
    ]


def _refuse_wall(row: int, wall: int, timezone: str, *, gone: bool, inferred: bool) -> TimestampError:
    text = str(np.datetime64(wall, "us"))[:19]
    if gone:
        detail = f"the local time {text} does not exist in {timezone}: the clocks go forward over it"
        return TimestampError(row, "nonexistent_time", f"{detail}; send it with its UTC offset")
    detail = f"the local time {text} exists twice in {timezone}"
    if inferred:
        detail += ", and the order of the rows does not tell which is meant"
    return TimestampError(row, "ambiguous_time", f"{detail}; send it with its UTC offset")


def _localize(local: Stamps, timezone: str) -> tuple[Stamps, Ints]:
    """Return the UTC stamps of wall times (N,), 0 where there is not exactly one, and the positions (M,) of those.

    Only the days around a change of the clocks are left to pandas, which is slow at this.
    """
    days, inverse = np.unique(local // DAY, return_inverse=True)
    instants = (days[:, None] + np.arange(-1, 3)) * DAY
    offsets = to_local(instants, timezone) - instants
    steady = (offsets == offsets[:, :1]).all(axis=1)
    stamps = local - offsets[inverse, 0]
    changing = np.flatnonzero(~steady[inverse])
    if not len(changing):
        return stamps, changing
    index = pd.DatetimeIndex(local[changing].view("M8[us]"))
    utc = index.tz_localize(load_timezone(timezone), ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
    exact = utc.tz_localize(None).to_numpy().view(np.int64)
    stamps[changing] = np.where(exact == _NAT, 0, exact)
    return stamps, changing[exact == _NAT]


def _find_second(walls: Stamps, timezone: str) -> Stamps:
    """Return the later stamps of wall times (N,) that exist twice; NaT for those that do not exist."""
    index = pd.DatetimeIndex(walls.view("M8[us]"))
    is_first = np.zeros(len(index), np.bool_)
    utc = index.tz_localize(load_timezone(timezone), ambiguous=is_first, nonexistent="NaT").tz_convert("UTC")
    return utc.tz_localize(None).to_numpy().view(np.int64)


def format_stamps(stamps: Stamps, timezone: str) -> list[str]:
    """Return RFC 3339 texts of UTC microseconds (N,), with the offset of `timezone`.

    Offsets with seconds, as some zones had before 1940, are not RFC 3339: such a stamp is written in UTC.
    """
    local = to_local(stamps, timezone)
    offset = local - stamps
    odd = offset % MINUTE != 0
    if odd.any():
        local = np.where(odd, stamps, local)
        offset = np.where(odd, 0, offset)
    whole = not (stamps % 1_000_000).any()
    wall_times: NDArray[np.datetime64] = local.view("M8[us]")
    walls = np.datetime_as_string(wall_times, unit="s" if whole else "us")
    if timezone == "UTC":
        return [f"{wall}+00:00" for wall in walls.tolist()]
    return [wall + spell_offset(o) for wall, o in zip(walls.tolist(), (offset // MINUTE).tolist(), strict=True)]


@overload
def format_stamp(stamp: int, timezone: str) -> str: ...
@overload
def format_stamp(stamp: None, timezone: str) -> None: ...
def format_stamp(stamp: int | None, timezone: str) -> str | None:
    """Return the RFC 3339 text of one stamp; None stays None."""
    return None if stamp is None else format_stamps(np.array([stamp], np.int64), timezone)[0]


@lru_cache(maxsize=4096)
def spell_offset(minutes: int) -> str:
    """Write minutes ahead of UTC as `+01:00`."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"
