"""The time grid of a series. Every timestamp that the project computes is made by `Grid.stamps`.

Steps of hours and less are absolute time; steps of days and more are
taken on the wall clock of the series' timezone, so that a daily series keeps its hour across a clock change.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.arrays import Ints
from models.calendar.frequency import Frequency, get_pace, is_date, parse_offset
from models.calendar.timestamps import DAY, Stamps, format_stamps, from_local, to_local
from models.errors import OffGridError

LONGEST_WALK = 20_000
"""Steps at most between two stamps of a frequency without a closed form, whose dates pandas must list."""


@dataclass(frozen=True)
class Grid:
    """The time grid of a series: integers to stamps and back. `anchor` is the stamp of index 0."""

    frequency: Frequency
    timezone: str
    anchor: int

    def __post_init__(self) -> None:
        if not is_date(self.frequency, self._anchor_wall):
            wall = self._anchor_wall.isoformat(timespec="seconds")
            raise OffGridError(0, f"{wall} is not a date of the frequency {self.frequency.alias!r}")

    @property
    def _anchor_wall(self) -> pd.Timestamp:
        return pd.Timestamp(to_local(np.array([self.anchor], np.int64), self.timezone).view("M8[us]")[0])

    def follows(self, frequency: Frequency) -> bool:
        """Say whether this is a grid of another frequency too: quarters from January of `3MS` are those of `QS`."""
        return frequency == self.frequency or (
            get_pace(frequency, self.timezone) == get_pace(self.frequency, self.timezone)
            and is_date(frequency, self._anchor_wall)
        )

    def stamps(self, index: Ints) -> Stamps:
        """Return the UTC microseconds of grid indexes (any shape)."""
        if self.frequency.kind == "tick":
            return self.anchor + index * self.frequency.step
        flat = np.ascontiguousarray(index).reshape(-1)
        wall = int(to_local(np.array([self.anchor], np.int64), self.timezone)[0])
        if self.frequency.kind == "walk":
            low = int(flat.min(initial=0))
            high = int(flat.max(initial=0))
            local = self._walk(wall, low, high)[flat - min(0, low)]
        else:
            local = self._dates(np.datetime64(wall // DAY, "D"), flat).astype(np.int64) * DAY + self._time_of_day(wall)
        return from_local(local, self.timezone).reshape(index.shape)

    def _time_of_day(self, wall: int) -> int:
        """Return the wall time of day of the grid: midnight too where the anchor's midnight was skipped."""
        midnight = from_local(np.array([wall // DAY * DAY], np.int64), self.timezone)[0]
        return 0 if midnight == self.anchor else wall % DAY

    def index(self, stamps: Stamps) -> Ints:
        """Return the grid indexes of UTC microseconds (N,). Raises OffGridError for the first that has none."""
        index, on_grid = self.locate(stamps)
        if not on_grid.all():
            row = int(np.argmin(on_grid))
            raise OffGridError(row, self.explain(int(stamps[row])))
        return index

    def locate(self, stamps: Stamps) -> tuple[Ints, NDArray[np.bool_]]:
        """Return the index (N,) of each stamp, or of a step before it, and whether it lies on the grid (N,)."""
        if self.frequency.kind == "tick":
            index, rest = np.divmod(stamps - self.anchor, self.frequency.step)
            return index, rest == 0
        index = self._nearest(stamps)
        on_grid = self.stamps(index) == stamps
        off = np.flatnonzero(~on_grid)
        # the time of a step may be skipped: the first after it may lie on the next day, and where two hours are skipped
        # pandas takes one before it
        for shift in (-1, 1) if len(off) else ():
            is_there = self.stamps(index[off] + shift) == stamps[off]
            index[off] += shift * is_there
            on_grid[off] |= is_there
        return index, on_grid

    def explain(self, stamp: int) -> str:
        """Say where a stamp that is not on the grid should have been."""
        off_grid = np.array([stamp], np.int64)
        before = self.stamps(self.locate(off_grid)[0])
        wrong, near = format_stamps(np.concatenate([off_grid, before]), self.timezone)
        return f"{wrong} is not on the series' grid of frequency {self.frequency.alias!r}; a step near it is {near}"

    def locate_one(self, stamp: int) -> int:
        """Return the index of a stamp, or of a step before it."""
        return int(self.locate(np.array([stamp], np.int64))[0][0])

    def _nearest(self, stamps: Stamps) -> Ints:
        """Return each stamp's index where it is on the grid, and an index before it otherwise."""
        walls = to_local(np.concatenate([np.array([self.anchor], np.int64), stamps]), self.timezone)
        dates = (walls // DAY).astype("M8[D]")
        anchor = dates[0]
        days = dates[1:]
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
        low, high = self._enclosing_indexes(walls)
        return np.searchsorted(self._walk(int(walls[0]), low, high), walls[1:], side="right") - 1 + low

    def _dates(self, anchor: np.datetime64, index: Ints) -> NDArray[np.datetime64]:
        """Return the local dates (N,) of grid indexes (N,) of a frequency of days or more."""
        step = self.frequency.step
        match self.frequency.kind:
            case "day":
                return anchor + index * step
            case "week":
                return anchor + index * (7 * step)
            case "business":
                return np.busday_offset(anchor, index * step)
        months = anchor.astype("M8[M]") + index * step
        return find_edges_of_months(type(parse_offset(self.frequency.alias)).__name__, months)

    def _walk(self, wall: int, low: int, high: int) -> Ints:
        """Return the wall times of the indexes low..high of an offset that has no closed form."""
        if high - low > LONGEST_WALK:
            raise OffGridError(0, f"more than {LONGEST_WALK} steps of {self.frequency.alias!r} lie between the stamps")
        start = pd.Timestamp(np.datetime64(wall, "us"))
        offset = parse_offset(self.frequency.alias)
        after = pd.date_range(start, periods=high + 1, freq=offset, unit="us").to_numpy().view(np.int64)
        if low >= 0:
            return after
        before = pd.date_range(end=start, periods=1 - low, freq=offset, unit="us").to_numpy().view(np.int64)
        return np.concatenate([before[:-1], after])

    def _enclosing_indexes(self, walls: Stamps) -> tuple[int, int]:
        """Return a low and a high index that enclose wall times (1 + N,), the anchor's first."""
        offset = parse_offset(self.frequency.alias)
        if (walls.max() - walls.min()) / self.frequency.step > LONGEST_WALK:
            detail = f"the stamps lie more than {LONGEST_WALK} steps of {self.frequency.alias!r} apart"
            raise OffGridError(int(np.argmax(np.abs(walls - walls[0]))) - 1, detail)
        first, anchor, last = (pd.Timestamp(np.datetime64(int(w), "us")) for w in (walls.min(), walls[0], walls.max()))
        low = len(pd.date_range(first, anchor, freq=offset, unit="us"))
        return -low, len(pd.date_range(anchor, last, freq=offset, unit="us"))


def _whole(difference: NDArray[np.timedelta64]) -> Ints:
    """Return differences of dates as numbers of their unit."""
    return difference.astype(np.int64)


def find_edges_of_months(offset_name: str, months: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return the first or last (business) day of each month, as the pandas offset class says."""
    business = offset_name.startswith("B")
    if offset_name.endswith("Begin"):
        first = months.astype("M8[D]")
        return np.busday_offset(first, 0, roll="forward") if business else first
    last = (months + 1).astype("M8[D]") - 1
    return np.busday_offset(last, 0, roll="backward") if business else last
