"""Series whose seasons do not follow the wall clock, as the sun or a machine has them: what changes of the clocks show.

Shapes: N steps of a series, K pairs of values.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.wall_steps import count_day, count_wall_steps, has_changes
from models.data.series import Panel, Series

WEEKS = 4
"""weeks after a change that are compared with as many before it, at most"""
CLEARLY = 0.9
"""share of the error on the wall clock below which the error in absolute time must lie"""
CERTAIN = 2.5
"""standard errors by which it must be smaller, too: a night or a Sunday after a change says nothing"""


def find_off_clock(panel: Panel, seasons: Sequence[int]) -> tuple[str, ...]:
    """Return the ids of the series whose seasons did not follow the wall clock when that was changed."""
    day = count_day(panel.frequency)
    if day is None or not any(season % day == 0 for season in seasons):
        return ()
    return tuple(item.id for item in panel.series if len(item.y) and _has_left_clock(item, day))


def _has_left_clock(series: Series, day: int) -> bool:
    first, last = series.grid.stamps(series.start + np.array([0, len(series.y) - 1], np.int64)).tolist()
    if not has_changes(series.grid.timezone, first, last):
        return False
    walls = count_wall_steps(series.grid, series.start, series.start + len(series.y))
    return is_off_clock(series.y, walls, day)


def is_off_clock(y: Floats, walls: Ints, day: int) -> bool:
    """Say whether values (N,) at wall-clock steps (N,) have clearly not followed the clock where it was changed.

    The weeks after each change are compared with those before it, the same hour of the same weekday, once by the wall
    clock and once in absolute time; where there is no week before it, days are.
    """
    changes = np.flatnonzero(np.diff(walls) != 1) + 1
    edges = np.concatenate([[0], changes, [len(y)]])
    parts = [
        _compare_clocks(y[begin:end], change - begin, int(walls[change] - walls[change - 1] - 1), day)
        for begin, change, end in zip(edges, changes, edges[2:], strict=False)
    ]
    on_clock, off_clock = np.concatenate([np.empty((2, 0)), *parts], axis=1)
    gain = on_clock - off_clock
    certain = gain.sum() > CERTAIN * np.sqrt((gain**2).sum())
    return bool(certain and off_clock.sum() < CLEARLY * on_clock.sum())


def _compare_clocks(y: Floats, change: int, moved: int, day: int) -> Floats:
    """Return the distances of the values after a change from those before it by the wall clock and in absolute time,
    (2, K), of values (N,) with one change, by which the clocks move so many steps forward."""
    lag = 7 * day if change >= 7 * day else day
    after = np.arange(change, min(len(y), change + WEEKS * lag))
    seasons = (after - change) // lag + 1
    back = after - lag * (seasons + np.arange(WEEKS)[:, None])  # (WEEKS, N)
    pairs = np.stack([back + moved, back])  # (2, WEEKS, N)
    inside = ((pairs >= 0) & (pairs < change)).all(0)
    values = np.where(inside, y[pairs.clip(0, len(y) - 1)], np.nan)
    seen = ~np.isnan(values).any(0)  # (WEEKS, N)
    count = seen.sum(0)
    means = np.where(seen, values, 0.0).sum(1) / np.maximum(count, 1)  # (2, N)
    distances: Floats = np.abs(y[after] - means)[:, count > 0]
    return distances[:, ~np.isnan(distances).any(0)]
