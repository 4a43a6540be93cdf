"""In which step of its series a sample lies."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.arrays import Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.nesting import build_coarse_grid, compute_edges, locate_steps

ORIGIN = 946_684_800_000_000
"""2000-01-01 in UTC, microseconds: steps of series that rules make are counted from its day"""


@dataclass(frozen=True)
class StepTimes:
    """Times (N,) of steps, microseconds UTC."""

    ts: Ints
    """their stamps"""
    end: Ints
    """where they end"""
    before: Ints
    """stamps of the steps before them"""
    after: Ints
    """stamps of the steps after them"""


@lru_cache(maxsize=1024)
def find_anchor(freq: str, timezone: str) -> int:
    """Return the anchor of new series: with all series of a frequency on one grid, steps begin at midnight, at full
    hours, on the days that the frequency names."""
    seconds = Grid(parse_frequency("s"), timezone, ORIGIN)
    return build_coarse_grid(seconds, parse_frequency(freq)).anchor


@lru_cache(maxsize=4096)
def make_grid(freq: str, timezone: str, anchor: int) -> Grid:
    """Return a grid; many series share one."""
    return Grid(parse_frequency(freq), timezone, anchor)


def locate_times(grid: Grid, times: Ints) -> StepTimes:
    """Return the steps in which times (N,) lie, microseconds UTC in any order."""
    if grid.frequency.kind == "tick":
        step = grid.frequency.step
        ts = times - (times - grid.anchor) % step
        return StepTimes(ts, ts + step, ts - step, ts + step)
    if not len(times):
        return StepTimes(times, times, times, times)
    distinct, place = np.unique(times, return_inverse=True)
    index = locate_steps(grid, distinct)
    low, high = int(index[0]), int(index[-1])
    stamps = grid.stamps(np.arange(low - 1, high + 2, dtype=np.int64))
    ends = compute_edges(grid, low, high + 1)[1:]
    at = (index - low)[place]
    return StepTimes(stamps[at + 1], ends[at], stamps[at], stamps[at + 2])
