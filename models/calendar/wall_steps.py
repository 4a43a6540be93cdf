"""Steps of a grid counted on the wall clock: where a timezone changes its clocks, and what that does to the count."""

from functools import lru_cache

import numpy as np

from models.arrays import Ints
from models.calendar.frequency import SECOND, Frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import DAY, Stamps, load_timezone, to_local

NO_CHANGES: tuple[Stamps, Ints] = (np.empty(0, np.int64), np.empty(0, np.int64))


def count_day(frequency: Frequency) -> int | None:
    """Return the steps of a day, where a frequency has several of them in one and no rest; None otherwise."""
    if frequency.kind != "tick" or frequency.step >= DAY or DAY % frequency.step:
        return None
    return DAY // frequency.step


def has_changes(timezone: str, first: int, last: int) -> bool:
    """Say whether the clocks of a timezone are changed between two stamps."""
    changes, _ = _find_changes(timezone, first, last)
    return bool(((changes > first) & (changes <= last)).any())


def count_wall_steps(grid: Grid, first: int, last: int) -> Ints:
    """Return the wall-clock step of the grid indexes first..last-1 of a frequency of hours or less, (N,).

    Wall-clock steps divide each day from midnight on, so that those of one number in the day are alike. One follows
    another but where the clocks are changed: forward some are skipped, back some come twice.
    """
    stamps = grid.stamps(np.arange(first, last, dtype=np.int64))
    return (stamps + find_offsets(grid.timezone, stamps)) // grid.frequency.step


def find_offsets(timezone: str, stamps: Stamps) -> Ints:
    """Return how far the clocks of a timezone are ahead of UTC at ascending stamps (N,), N >= 1, microseconds.

    The same as `to_local` says, from the few moments at which that changes.
    """
    begin = stamps[:1]
    offset = to_local(begin, timezone) - begin
    changes, after = _find_changes(timezone, int(stamps[0]), int(stamps[-1]))
    later = changes > stamps[0]
    index = np.searchsorted(changes[later], stamps, side="right")
    return np.concatenate([offset, after[later]])[index]


def _find_changes(timezone: str, first: int, last: int) -> tuple[Stamps, Ints]:
    """Return the changes (N,) of the years that two stamps lie in, and the offset from each one on (N,)."""
    if load_timezone(timezone).utcoffset(None) is not None:
        return NO_CHANGES
    years = np.array([first, last], np.int64).view("M8[us]").astype("M8[Y]").astype(np.int64).tolist()
    if years[0] == years[1]:
        return _list_changes(timezone, years[0])
    parts = [_list_changes(timezone, year) for year in range(years[0], years[1] + 1)]
    return np.concatenate([stamps for stamps, _ in parts]), np.concatenate([offsets for _, offsets in parts])


@lru_cache(maxsize=4096)
def _list_changes(timezone: str, year: int) -> tuple[Stamps, Ints]:
    """Return the changes (N,) of one year, counted from 1970, and the offset from each one on (N,).

    Two within one day that cancel each other out are not found; no timezone has had such.
    """
    begin, end = np.array([year, year + 1], np.int64).view("M8[Y]").astype("M8[us]").view(np.int64).tolist()
    days = np.arange(begin, end + DAY, DAY, dtype=np.int64)
    offsets = to_local(days, timezone) - days
    changing = np.flatnonzero(np.diff(offsets)).tolist()
    changes = [_find_change(timezone, int(days[day]), int(offsets[day])) for day in changing]
    kept = np.array([change for change in changes if begin <= change < end], np.int64)
    return kept, to_local(kept, timezone) - kept


def _find_change(timezone: str, day: int, offset: int) -> int:
    """Return the first whole second from a stamp on at which another offset holds, which the next day has."""
    low = 0
    high = DAY // SECOND
    while low < high:
        middle = (low + high) // 2
        stamp = np.array([day + middle * SECOND], np.int64)
        if int((to_local(stamp, timezone) - stamp)[0]) == offset:
            low = middle + 1
        else:
            high = middle
    return day + low * SECOND
