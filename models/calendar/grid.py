"""Frequencies, time grids and calendar features. Every grid of the project is made by `Grid.stamps`.

A frequency is a pandas offset alias. Steps of hours and less are absolute time; steps of days and more are
taken on the wall clock of the series' timezone, so that a daily series keeps its hour across a clock change.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries import offsets
from pandas.tseries.frequencies import to_offset

from models.calendar.holidays import holiday_codes
from models.calendar.timestamps import DAY, Stamps, format_stamps, from_local, to_local

CALENDAR_FIELDS = ("second_of_day", "day_of_week", "day_of_month", "day_of_year", "holiday")
"""Columns of `calendar_features`, zero-based integers on the local wall clock; the last: `models.calendar.holidays`."""
CALENDAR_PERIODS = (86_400, 7, 31, 366, 4)
"""Length of each field's cycle, for encoding it on a circle."""

SECOND = 1_000_000
MOST_STEPS = 366 * 86_400
LONGEST_WALK = 20_000
"""steps between two stamps of a frequency that can only be walked"""
_LONGEST_DAYS = 366


class FrequencyError(ValueError):
    """The frequency is not a pandas offset alias between one second and one year."""


class OffGridError(ValueError):
    """A timestamp does not lie on the series' grid; `row` counts from 0."""

    def __init__(self, row: int, detail: str) -> None:
        super().__init__(f"row {row}: {detail}")
        self.row = row
        self.detail = detail


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
        unit = {"day": DAY, "business": DAY * 7 // 5, "week": 7 * DAY, "month": DAY * 487 // 16}
        return self.step * unit.get(self.kind, 1)


@lru_cache(maxsize=1024)
def _offset(alias: str) -> offsets.BaseOffset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # old spellings such as 'H' stay welcome
        return to_offset(alias)


@lru_cache(maxsize=1024)
def parse_frequency(alias: str) -> Frequency:
    """Parse a pandas offset alias between one second and one year. Raises FrequencyError."""
    try:
        offset = _offset(alias)
    except (ValueError, TypeError, AttributeError, OverflowError) as e:
        raise FrequencyError(
            f"{alias!r} is not a frequency; use a pandas offset alias such as h, 15min, D, W-SUN, MS"
        ) from e
    if not 1 <= offset.n <= MOST_STEPS:
        raise FrequencyError(f"the frequency {alias!r} must be positive, and at most a year")
    frequency = _classify(offset)
    if not SECOND <= frequency.approximate_us <= _LONGEST_DAYS * DAY:
        raise FrequencyError(f"the frequency {alias!r} must lie between one second and one year")
    return frequency


def _classify(offset: offsets.BaseOffset) -> Frequency:
    alias = str(offset.freqstr)
    name = type(offset).__name__
    months = {"Month": 1, "Quarter": 3, "Year": 12}
    for word, length in months.items():
        if name in {f"{word}{edge}" for edge in ("Begin", "End")} | {f"B{word}{edge}" for edge in ("Begin", "End")} | {
            f"Business{word}{edge}" for edge in ("Begin", "End")
        }:
            return Frequency(alias, "month", length * offset.n)
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
    return int(dates[-1] - dates[0]) // 12


@dataclass(frozen=True)
class Grid:
    """The time grid of a series: integers to stamps and back. `anchor` is the stamp of index 0."""

    frequency: Frequency
    timezone: str
    anchor: int

    def __post_init__(self) -> None:
        if self.frequency.kind in ("tick", "day"):
            return
        wall = to_local(np.array([self.anchor], np.int64), self.timezone).view("M8[us]")[0]
        if not _offset(self.frequency.alias).is_on_offset(pd.Timestamp(wall)):
            raise OffGridError(0, f"{str(wall)[:19]} is not a date of the frequency {self.frequency.alias!r}")

    def stamps(self, index: NDArray[np.int64]) -> Stamps:
        """Return the UTC microseconds of grid indexes (any shape)."""
        if self.frequency.kind == "tick":
            return self.anchor + index * self.frequency.step
        flat = np.ascontiguousarray(index).reshape(-1)
        wall = int(to_local(np.array([self.anchor], np.int64), self.timezone)[0])
        if self.frequency.kind == "walk":
            local = self._walk(wall, int(flat.min(initial=0)), int(flat.max(initial=0)))[
                flat - min(0, int(flat.min(initial=0)))
            ]
        else:
            local = self._dates(np.datetime64(wall // DAY, "D"), flat).astype(np.int64) * DAY + self._time_of_day(wall)
        return from_local(local, self.timezone).reshape(index.shape)

    def _time_of_day(self, wall: int) -> int:
        """Return the wall time of day of the grid: midnight too where the anchor's midnight was skipped."""
        midnight = from_local(np.array([wall // DAY * DAY], np.int64), self.timezone)[0]
        return 0 if midnight == self.anchor else wall % DAY

    def index(self, stamps: Stamps) -> NDArray[np.int64]:
        """Return the grid indexes of UTC microseconds (N,). Raises OffGridError for the first that has none."""
        index, on_grid = self.locate(stamps)
        if not on_grid.all():
            row = int(np.argmin(on_grid))
            raise OffGridError(row, self.explain(int(stamps[row])))
        return index

    def locate(self, stamps: Stamps) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the index (N,) of each stamp, or of a step before it, and whether it lies on the grid (N,)."""
        if self.frequency.kind == "tick":
            index, rest = np.divmod(stamps - self.anchor, self.frequency.step)
            return index, rest == 0
        index = self._nearest(stamps)
        return index, self.stamps(index) == stamps

    def explain(self, stamp: int) -> str:
        """Say where a stamp that is not on the grid should have been."""
        at = np.array([stamp], np.int64)
        before = self.stamps(self.locate(at)[0])
        wrong, near = format_stamps(np.concatenate([at, before]), self.timezone)
        return f"{wrong} is not on the series' grid of frequency {self.frequency.alias!r}; a step near it is {near}"

    def _nearest(self, stamps: Stamps) -> NDArray[np.int64]:
        """Return each stamp's index where it is on the grid, and an index before it otherwise."""
        walls = to_local(np.concatenate([np.array([self.anchor], np.int64), stamps]), self.timezone)
        days = (walls // DAY).astype("M8[D]")
        anchor, days = days[0], days[1:]
        step = self.frequency.step
        match self.frequency.kind:
            case "day":
                return _whole(days - anchor) // step
            case "week":
                return _whole(days - anchor) // (7 * step)
            case "month":
                return _whole(days.astype("M8[M]") - anchor.astype("M8[M]")) // step
            case "business":
                return np.busday_count(anchor, days).astype(np.int64) // step
        low, high = self._bounds(walls)
        return np.searchsorted(self._walk(int(walls[0]), low, high), walls[1:], side="right") - 1 + low

    def _dates(self, anchor: np.datetime64, index: NDArray[np.int64]) -> NDArray[np.datetime64]:
        step = self.frequency.step
        match self.frequency.kind:
            case "day":
                return anchor + index * step
            case "week":
                return anchor + index * (7 * step)
            case "business":
                return np.busday_offset(anchor, index * step)
        months = anchor.astype("M8[M]") + index * step
        return _day_of_month(type(_offset(self.frequency.alias)).__name__, months)

    def _walk(self, wall: int, low: int, high: int) -> NDArray[np.int64]:
        """Return the wall times of the indexes low..high of an offset that has no closed form."""
        if high - low > LONGEST_WALK:
            raise OffGridError(0, f"more than {LONGEST_WALK} steps of {self.frequency.alias!r} lie between the stamps")
        start = pd.Timestamp(np.datetime64(wall, "us"))
        offset = _offset(self.frequency.alias)
        after = pd.date_range(start, periods=high + 1, freq=offset, unit="us").to_numpy().view(np.int64)
        if low >= 0:
            return after
        before = pd.date_range(end=start, periods=1 - low, freq=offset, unit="us").to_numpy().view(np.int64)
        return np.concatenate([before[:-1], after])

    def _bounds(self, walls: Stamps) -> tuple[int, int]:
        """Return indexes that surely enclose `walls`, whose first is the anchor's."""
        offset = _offset(self.frequency.alias)
        if (walls.max() - walls.min()) / self.frequency.step > LONGEST_WALK:
            detail = f"the stamps lie more than {LONGEST_WALK} steps of {self.frequency.alias!r} apart"
            raise OffGridError(int(np.argmax(np.abs(walls - walls[0]))) - 1, detail)
        first, anchor, last = (pd.Timestamp(np.datetime64(int(w), "us")) for w in (walls.min(), walls[0], walls.max()))
        low = len(pd.date_range(first, anchor, freq=offset, unit="us"))
        return -low, len(pd.date_range(anchor, last, freq=offset, unit="us"))


def _whole(difference: NDArray[np.timedelta64]) -> NDArray[np.int64]:
    """Return differences of dates as numbers of their unit."""
    return difference.astype(np.int64)


def _day_of_month(offset_name: str, months: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return the first or last (business) day of each month, as the pandas offset class says."""
    business = offset_name.startswith(("Business", "BQuarter", "BYear", "BMonth"))
    if offset_name.endswith("Begin"):
        first = months.astype("M8[D]")
        return np.busday_offset(first, 0, roll="forward") if business else first
    last = (months + 1).astype("M8[D]") - 1
    return np.busday_offset(last, 0, roll="backward") if business else last


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


def calendar_features(stamps: Stamps, timezone: str, country: str | None = None) -> NDArray[np.int64]:
    """Return the calendar integers (..., 5) of UTC microseconds (...), in the order of CALENDAR_FIELDS.

    Without a country no day is a holiday.
    """
    local = to_local(stamps, timezone)
    days = (local // DAY).astype("M8[D]")
    fields = (
        local % DAY // SECOND,
        (days.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday; Monday is 0
        (days - days.astype("M8[M]").astype("M8[D]")).astype(np.int64),
        (days - days.astype("M8[Y]").astype("M8[D]")).astype(np.int64),
        np.zeros(days.shape, np.int64) if country is None else holiday_codes(days, country),
    )
    return np.stack(fields, axis=-1)


def active_calendar_fields(frequency: Frequency, country: str | None = None) -> tuple[int, ...]:
    """Return which columns of `calendar_features` vary usefully at this frequency."""
    holiday = () if country is None else (4,)
    if frequency.kind == "tick" and frequency.step < DAY:
        return (0, 1, 3, *holiday)
    if frequency.approximate_us < 5 * DAY:
        return (1, 2, 3, *holiday)
    return (3,) if frequency.approximate_us < 300 * DAY else ()
