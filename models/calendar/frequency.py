"""Frequencies: pandas offset aliases, and the steps and seasons that they mean."""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from pandas.tseries import offsets
from pandas.tseries.frequencies import to_offset

from models.calendar.aliases import suggest_alias
from models.calendar.timestamps import DAY, load_timezone
from models.errors import FrequencyError

SECOND = 1_000_000
"""microseconds"""
MAX_MULTIPLE = 366 * 86_400
"""units in one step at most: the seconds of a leap year"""
LONGEST_STEP = 366 * DAY
"""microseconds in one step at most: a leap year"""

LONGEST_ALIAS = 100
"""characters; pandas takes seconds for some thousands of digits"""

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_CALENDAR_CLASS = re.compile(r"(?:Custom)?(?:Business|B)?(Month|Quarter|Year)(?:Begin|End)")
"""names of the pandas offset classes whose dates are the edges of months"""
_MONTHS = {"Month": 1, "Quarter": 3, "Year": 12}
"""months in one step of each"""
_EDGES = str.maketrans("QY", "MM")
"""a quarter and a year begin and end as their first and last months do"""
_MINUTES_OR_MONTHS = re.compile(r"(\d*)m")
"""which pandas takes for months, and most people for minutes"""
_CHANGING = "Europe/Berlin"
"""a timezone whose clocks change, so that no number of hours is a day"""


@dataclass(frozen=True)
class Frequency:
    """A parsed pandas offset alias."""

    alias: str
    """canonical spelling, such as `h`, `15min`, `W-SUN`: one for all aliases that have the same dates"""
    kind: str
    """`tick` (absolute), `day`, `business`, `week`, `month`, or `walk` (any other pandas offset)"""
    step: int
    """microseconds (tick), days, business days, weeks or months in one step; about so many microseconds (walk)"""

    @property
    def approximate_us(self) -> int:
        """Typical length of a step in microseconds."""
        # five business days in a week; 487 / 16 days is a mean month of 30.4375 days
        unit = {"day": DAY, "business": DAY * 7 // 5, "week": 7 * DAY, "month": DAY * 487 // 16}
        return self.step * unit.get(self.kind, 1)

    @property
    def is_daily(self) -> bool:
        """Whether its steps are taken on the wall clock: of a day or longer, and not of hours."""
        return self.kind != "tick"

    @property
    def season(self) -> int:
        """The shortest season in steps, which MASE and season-naive use; 1 where none is suggested."""
        return next(iter(season_lengths(self)), 1)


@lru_cache(maxsize=1024)
def parse_offset(alias: str) -> offsets.BaseOffset:
    """Parse a pandas offset alias. Raises ValueError, TypeError, AttributeError or OverflowError, as pandas does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # old spellings such as 'H' stay welcome
        return to_offset(alias)


@lru_cache(maxsize=1024)
def parse_frequency(alias: str) -> Frequency:
    """Parse a pandas offset alias between one second and one year. Raises FrequencyError, which names the nearest."""
    if len(alias) > LONGEST_ALIAS:
        raise FrequencyError(f"{alias[:LONGEST_ALIAS]!r} is not a frequency: it has {len(alias)} characters")
    minutes = _MINUTES_OR_MONTHS.fullmatch(alias)
    if minutes is not None:
        count = minutes[1]
        raise FrequencyError(f"{alias!r} may be minutes or months; send {count}min for minutes, {count}ME for months")
    try:
        offset = parse_offset(alias)
    except (ValueError, TypeError, AttributeError, OverflowError) as e:
        meant = suggest_alias(alias)
        known = "use a pandas offset alias such as h, 15min, D, W-SUN, MS" if meant is None else f"send {meant}"
        raise FrequencyError(f"{alias!r} is not a frequency; {known}") from e
    if not 1 <= offset.n <= MAX_MULTIPLE:
        raise FrequencyError(f"the frequency {alias!r} must be positive, and at most a year")
    frequency = _classify(offset)
    if frequency.approximate_us < SECOND:
        raise FrequencyError(f"the frequency {alias!r} must lie between one second and one year; aggregate to s")
    if frequency.approximate_us > LONGEST_STEP:
        unit = parse_frequency(str(offset.base.freqstr)).alias
        detail = f"use {unit}, and leave the others missing"
        raise FrequencyError(f"the frequency {alias!r} must lie between one second and one year; {detail}")
    return frequency


def _classify(offset: offsets.BaseOffset) -> Frequency:
    """Find the kind and the step of an offset. Raises FrequencyError for one that no grid can follow."""
    alias = str(offset.freqstr)
    multiple = "" if offset.n == 1 else str(offset.n)
    name = type(offset).__name__
    calendar_class = _CALENDAR_CLASS.fullmatch(name)
    if calendar_class is not None:
        unit = calendar_class[1]
        return Frequency(f"{multiple}{_spell_edge(offset, unit)}", "month", _MONTHS[unit] * offset.n)
    if isinstance(offset, offsets.Day):
        return Frequency(f"{multiple}D", "day", offset.n)
    if isinstance(offset, offsets.Tick):
        if offset.nanos % 1000:
            raise FrequencyError(f"the frequency {alias!r} is finer than a microsecond")
        return Frequency(spell_tick(offset.nanos // 1000), "tick", offset.nanos // 1000)
    if name in ("BusinessDay", "CustomBusinessDay"):
        return Frequency(f"{multiple}B", "business", offset.n)
    if name == "Week":
        return Frequency(alias, "week", offset.n)
    return Frequency(alias, "walk", _walk_step(offset))


def _spell_edge(offset: offsets.BaseOffset, unit: str) -> str:
    """Spell a frequency of months; the four quarterly aliases of one set of dates become one, as pandas prefers it."""
    prefix, _, month = str(offset.rule_code).removeprefix("C").partition("-")  # as in BQE-DEC
    business = "B" if "B" in prefix else ""
    edge = prefix[-1]
    if unit != "Quarter":
        return f"{business}{unit[0]}{edge}" + (f"-{month}" if month else "")
    in_quarter = _MONTH_NAMES.index(month) % 3
    return f"{business}Q{edge}-{_MONTH_NAMES[in_quarter if edge == 'S' else in_quarter + 9]}"


def spell_tick(step: int) -> str:
    """Write microseconds as a pandas alias, in the largest unit that divides them."""
    units = (("h", 3600 * SECOND), ("min", 60 * SECOND), ("s", SECOND), ("ms", 1000), ("us", 1))
    unit, length = next((unit, length) for unit, length in units if step % length == 0)
    return unit if step == length else f"{step // length}{unit}"


@lru_cache(maxsize=4096)
def get_pace(frequency: Frequency, timezone: str) -> tuple[str, int]:
    """Return what makes the grids of two frequencies equal in a timezone, if they share one date: (unit, steps of it).

    24 hours are a day where the clocks are never changed, five business days are a week, and four quarters a year.
    """
    match frequency.kind:
        case "tick" if frequency.step % DAY == 0 and load_timezone(timezone).utcoffset(None) is not None:
            return "day", frequency.step // DAY
        case "week":
            return "day", 7 * frequency.step
        case "business" if frequency.step % 5 == 0:
            return "day", 7 * frequency.step // 5
        case "month":
            return str(parse_offset(frequency.alias).rule_code).partition("-")[0].translate(_EDGES), frequency.step
        case "walk":
            return frequency.alias, 1
    return frequency.kind, frequency.step


@lru_cache(maxsize=4096)
def share_dates(one: Frequency, other: Frequency, timezone: str = _CHANGING) -> bool:
    """Say whether a series may lie on grids of both frequencies: they have one pace, and a date in common.

    Without a timezone it is said for all, those where the clocks change among them.
    """
    if one == other:
        return True
    if get_pace(one, timezone) != get_pace(other, timezone):
        return False
    return any(is_date(one, day) and is_date(other, day) for day in pd.date_range("2024-01-01", "2024-12-31"))


def is_date(frequency: Frequency, wall: pd.Timestamp) -> bool:
    """Say whether a wall time lies on a date of the frequency, whatever its phase."""
    return frequency.kind in ("tick", "day") or bool(parse_offset(frequency.alias).is_on_offset(wall))


def _walk_step(offset: offsets.BaseOffset) -> int:
    """Return the mean step of an offset without a closed form. Raises FrequencyError for steps within a day."""
    try:
        dates = pd.date_range("2024-01-01", periods=13, freq=offset, unit="us").to_numpy().view(np.int64)
    except (ValueError, OverflowError) as e:
        raise FrequencyError(f"the frequency {offset.freqstr!r} is longer than a year") from e
    if np.diff(dates).min() < DAY:
        raise FrequencyError(f"{offset.freqstr!r} skips hours of a day; use h, and leave the others missing")
    return int(dates[-1] - dates[0]) // (len(dates) - 1)


def season_lengths(frequency: Frequency) -> tuple[int, ...]:
    """Return the season lengths in steps that a frequency suggests, shortest first; empty where none fits."""
    step = frequency.step
    if frequency.approximate_us == 7 * DAY:  # W-SUN, and 7D, 5B and 168h as well
        return (52,)
    match frequency.kind:
        case "tick":
            cycles = (3600 * SECOND, DAY) if step < 60 * SECOND else (DAY, 7 * DAY)
            return tuple(c // step for c in cycles if c % step == 0 and c // step >= 2)
        case "day":
            return (7,) if step == 1 else ()
        case "business":
            return (5,) if step == 1 else ()
        case "month":
            return (12 // step,) if 12 % step == 0 and step < 12 else ()
    return ()
