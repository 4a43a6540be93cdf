"""Frequencies: pandas offset aliases, and the steps and seasons that they mean."""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from pandas.tseries import offsets
from pandas.tseries.frequencies import to_offset

from models.calendar.timestamps import DAY
from models.errors import FrequencyError

SECOND = 1_000_000
"""microseconds"""
MAX_MULTIPLE = 366 * 86_400
"""units in one step at most: the seconds of a leap year"""
LONGEST_STEP = 366 * DAY
"""microseconds in one step at most: a leap year"""

MONTHS = {
    "MonthBegin": 1,
    "MonthEnd": 1,
    "BusinessMonthBegin": 1,
    "BusinessMonthEnd": 1,
    "QuarterBegin": 3,
    "QuarterEnd": 3,
    "BQuarterBegin": 3,
    "BQuarterEnd": 3,
    "YearBegin": 12,
    "YearEnd": 12,
    "BYearBegin": 12,
    "BYearEnd": 12,
}
"""Months in one step of each pandas offset class whose dates are the edges of months."""


@dataclass(frozen=True)
class Frequency:
    """A parsed pandas offset alias."""

    alias: str
    """canonical spelling, such as `h`, `15min`, `W-SUN`"""
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
    """Parse a pandas offset alias between one second and one year. Raises FrequencyError."""
    try:
        offset = parse_offset(alias)
    except (ValueError, TypeError, AttributeError, OverflowError) as e:
        raise FrequencyError(
            f"{alias!r} is not a frequency; use a pandas offset alias such as h, 15min, D, W-SUN, MS"
        ) from e
    if not 1 <= offset.n <= MAX_MULTIPLE:
        raise FrequencyError(f"the frequency {alias!r} must be positive, and at most a year")
    frequency = _classify(offset)
    if not SECOND <= frequency.approximate_us <= LONGEST_STEP:
        raise FrequencyError(f"the frequency {alias!r} must lie between one second and one year")
    return frequency


def _classify(offset: offsets.BaseOffset) -> Frequency:
    """Find the kind and the step of an offset. Raises FrequencyError for one that no grid can follow."""
    alias = str(offset.freqstr)
    name = type(offset).__name__
    if name in MONTHS:
        return Frequency(alias, "month", MONTHS[name] * offset.n)
    if isinstance(offset, offsets.Day):
        return Frequency(alias, "day", offset.n)
    if isinstance(offset, offsets.Tick):
        if offset.nanos % 1000:
            raise FrequencyError(f"the frequency {alias!r} is finer than a microsecond")
        return Frequency(alias, "tick", offset.nanos // 1000)
    if name == "BusinessDay":
        return Frequency(alias, "business", offset.n)
    if name == "Week":
        return Frequency(alias, "week", offset.n)
    return Frequency(alias, "walk", _walk_step(offset))


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
    match frequency.kind:
        case "tick":
            cycles = (3600 * SECOND, DAY) if step < 60 * SECOND else (DAY, 7 * DAY)
            return tuple(c // step for c in cycles if c % step == 0 and c // step >= 2)
        case "day":
            return (7,) if step == 1 else ()
        case "business":
            return (5,) if step == 1 else ()
        case "week":
            return (52,) if step == 1 else ()
        case "month":
            return (12 // step,) if 12 % step == 0 and step < 12 else ()
    return ()
