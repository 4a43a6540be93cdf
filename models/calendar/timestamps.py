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
from models.errors import TimestampError, TimezoneError

Stamps: TypeAlias = Ints

MINUTE = 60_000_000
"""microseconds"""
DAY = 86_400_000_000
"""microseconds"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_NAT = np.iinfo(np.int64).min
EARLIEST = (datetime(1000, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LATEST = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""First stamp that is accepted, and the end of those that are, microseconds UTC. The years around them are left to
contexts and horizons, whose stamps must have four digits too."""


@lru_cache(maxsize=1024)
def load_timezone(name: str) -> ZoneInfo:
    """Load the IANA timezone `name`. Raises TimezoneError."""
    try:
        if name == "localtime":  # another zone on each machine
            raise ValueError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise TimezoneError(f"{name!r} is not an IANA timezone; use a name such as 'Europe/Berlin'") from e


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


def parse_stamps(texts: Sequence[str], timezone: str) -> Stamps:
    """Read ISO 8601 texts as UTC microseconds (N,); those without an offset are wall times in `timezone`.

    Raises TimestampError, which names the first bad row counted from 0: `invalid_timestamp`,
    `nonexistent_time` or `ambiguous_time`.
    """
    stamps, problems = read_stamps(texts, timezone)
    if problems:
        raise problems[0]
    return stamps


def read_stamps(texts: Sequence[str], timezone: str) -> tuple[Stamps, list[TimestampError]]:
    """Read texts as `parse_stamps` does; return the stamps (0 where bad) and every problem, by row."""
    stamps = np.zeros(len(texts), dtype=np.int64)
    problems = []
    naive = []
    for row, text in enumerate(texts):
        try:
            parsed = datetime.fromisoformat(text)
            if parsed.tzinfo is None:
                stamps[row] = (parsed - _NAIVE_EPOCH) // _MICROSECOND
                naive.append(row)
            else:
                stamps[row] = (parsed - _EPOCH) // _MICROSECOND
            if not EARLIEST <= stamps[row] < LATEST:
                raise ValueError
        except (ValueError, TypeError, OverflowError):
            stamps[row] = 0
            detail = (
                f"{str(text)[:60]!r} is not an ISO 8601 timestamp of the years 1000 to 8999, "
                "such as 2024-01-31T13:00:00+01:00"
            )
            problems.append(TimestampError(row, "invalid_timestamp", detail))
    if naive and timezone != "UTC":
        rows = np.array(naive)
        stamps[rows], wrong = _strict_from_local(stamps[rows], rows, timezone)
        problems = sorted(problems + wrong, key=lambda p: p.row)
    return stamps, problems


def _strict_from_local(local: Stamps, rows: Ints, timezone: str) -> tuple[Stamps, list[TimestampError]]:
    """Convert the wall times (N,) of the texts `rows` (N,); return the stamps (0 where bad) and every problem."""
    index = pd.DatetimeIndex(local.view("M8[us]"))
    utc = index.tz_localize(load_timezone(timezone), ambiguous="NaT", nonexistent="NaT")
    stamps = utc.tz_convert("UTC").tz_localize(None).to_numpy().view(np.int64)
    bad = np.flatnonzero(stamps == _NAT)
    if not len(bad):
        return stamps, []
    first = np.ones(len(bad), bool)
    missing = index[bad].tz_localize(load_timezone(timezone), ambiguous=first, nonexistent="NaT").isna()
    problems = []
    for position, gone in zip(bad.tolist(), missing.tolist(), strict=True):
        code, why = ("nonexistent_time", "does not exist") if gone else ("ambiguous_time", "exists twice")
        wall = str(local[position : position + 1].view("M8[us]")[0])[:19]
        detail = f"the local time {wall} {why} in {timezone}; send it with its UTC offset"
        problems.append(TimestampError(int(rows[position]), code, detail))
    return np.where(stamps == _NAT, 0, stamps), problems


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
    return [wall + _offset_text(o) for wall, o in zip(walls.tolist(), (offset // MINUTE).tolist(), strict=True)]


@overload
def format_stamp(stamp: int, timezone: str) -> str: ...
@overload
def format_stamp(stamp: None, timezone: str) -> None: ...
def format_stamp(stamp: int | None, timezone: str) -> str | None:
    """Return the RFC 3339 text of one stamp; None stays None."""
    return None if stamp is None else format_stamps(np.array([stamp], np.int64), timezone)[0]


@lru_cache(maxsize=4096)
def _offset_text(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"
