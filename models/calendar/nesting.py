"""Coarser grids: which frequencies are made of whole steps of another, and in which step of theirs a stamp lies.

A step begins at its stamp and lasts until the next one, as those of h, D and W-MON do. That of a frequency whose dates
are ends of months, such as ME or QE-DEC, lasts until the end of its date's day. Days and longer are those of the wall
clock.
"""

from math import ceil

import numpy as np
import pandas as pd

from models.arrays import Ints
from models.calendar.frequency import Frequency, is_date, parse_offset
from models.calendar.grid import Grid
from models.calendar.timestamps import DAY, Stamps, from_local, to_local

COARSE_KINDS = ("tick", "day", "week", "month")
FINE_KINDS = (*COARSE_KINDS, "business")
WEEK = 7
"""days"""


def explain_nesting(fine: Frequency, coarse: Frequency) -> str | None:
    """Say why no step of a coarse frequency is made of whole steps of a fine one; None where each is."""
    advice = "name a longer one that is made of whole steps, such as D, W-MON or MS"
    if coarse.kind not in COARSE_KINDS:
        return f"{coarse.alias!r} leaves days out, which would be lost; {advice}"
    if fine.kind not in FINE_KINDS:
        return f"steps of {fine.alias!r} cannot be aggregated"
    if fine == coarse:
        return f"is the frequency of the series, {fine.alias!r}; leave aggregate out, or {advice}"
    if fine.approximate_us >= coarse.approximate_us:
        return f"{coarse.alias!r} is not longer than the series' steps of {fine.alias!r}; {advice}"
    if not _is_whole(fine, coarse):
        return f"steps of {coarse.alias!r} are not made of whole steps of {fine.alias!r}; {advice}"
    return None


def nests(fine: Frequency, coarse: Frequency) -> bool:
    """Say whether each step of a coarse frequency is made of whole steps of a fine one."""
    return explain_nesting(fine, coarse) is None


def _is_whole(fine: Frequency, coarse: Frequency) -> bool:
    match fine.kind, coarse.kind:
        case "tick", "tick":
            return coarse.step % fine.step == 0
        case "tick", _:
            return DAY % fine.step == 0
        case (("day" | "week"), ("day" | "week")):
            return _count_days(coarse) % _count_days(fine) == 0 and _share_phase(fine, coarse)
        case "day", "month":
            return fine.step == 1
        case "business", ("week" | "month"):
            return fine.step == 1
        case "month", "month":
            return coarse.step % fine.step == 0 and (fine.step == 1 or _includes(fine, coarse))
    return False


def _count_days(frequency: Frequency) -> int:
    return frequency.step * (WEEK if frequency.kind == "week" else 1)


def _share_phase(fine: Frequency, coarse: Frequency) -> bool:
    """Say whether steps of days begin together: single days always do, others where both count from one weekday."""
    return _count_days(fine) == 1 or (fine.kind == coarse.kind and _includes(fine, coarse))


def _includes(fine: Frequency, coarse: Frequency) -> bool:
    """Say whether every date of a coarse frequency is one of a fine one."""
    days = pd.date_range("2024-01-01", "2024-12-31")
    return all(is_date(fine, day) for day in days if is_date(coarse, day))


def build_coarse_grid(fine: Grid, coarse: Frequency) -> Grid:
    """Return the grid of a coarse frequency in the timezone of a fine one, the same whatever part of a series is read.

    Its anchor is the date at or before the anchor of the fine grid, at midnight.
    """
    wall = int(to_local(np.array([fine.anchor], np.int64), fine.timezone)[0]) // DAY * DAY
    day = pd.Timestamp(np.datetime64(wall, "us"))
    if coarse.kind not in ("tick", "day"):
        day = pd.Timestamp(parse_offset(coarse.alias).base.rollback(day))
    local = np.array([day.to_datetime64().astype("M8[us]").astype(np.int64)])
    return Grid(coarse, fine.timezone, int(from_local(local, fine.timezone)[0]))


def compute_edges(grid: Grid, first: int, last: int) -> Stamps:
    """Compute the stamps at which the steps first..last-1 of a grid begin, and at which the last of them ends:
    (last - first + 1,) microseconds UTC."""
    if not _ends_with_its_date(grid.frequency):
        return grid.stamps(np.arange(first, last + 1, dtype=np.int64))
    dates = to_local(grid.stamps(np.arange(first - 1, last, dtype=np.int64)), grid.timezone) // DAY
    return from_local((dates + 1) * DAY, grid.timezone)


def locate_steps(grid: Grid, stamps: Stamps) -> Ints:
    """Return the step of a grid that each of the ascending stamps (N,), N >= 1, lies in: (N,)."""
    near = grid.locate(stamps[[0, -1]])[0]
    low = int(near[0]) - 2
    edges = compute_edges(grid, low, int(near[1]) + 3)
    found: Ints = np.searchsorted(edges, stamps, side="right") - 1 + low
    return found


def count_margin(fine: Frequency, coarse: Frequency) -> int:
    """Return a number of fine steps that is never less than those of one coarse step, long months and days included."""
    return ceil(1.5 * coarse.approximate_us / fine.approximate_us) + 4


def _ends_with_its_date(frequency: Frequency) -> bool:
    return frequency.kind == "month" and type(parse_offset(frequency.alias)).__name__.endswith("End")
