"""Windows read on the wall clock: seasons of a day and a week stay where they are when the clocks are changed.

A window whose clocks are changed is read as if its origin's clock had always been right, and stayed so: steps are put
where their wall times lie, the hour that the clocks skip is drawn between its neighbours, and of an hour that comes
twice the later one is kept. The forecast of each step is then that of its wall time. Nothing after the origin is seen.

A series may not follow the clock, as what the sun or a machine does; then it is read as it is. The configuration names
the series whose histories have shown that; of others the changes within the context decide, and without one the clock.

Shapes: B windows, T context, H horizon, N steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.calendar.grid import Grid
from models.calendar.timestamps import to_local
from models.calendar.wall_steps import count_day, count_wall_steps, find_offsets, has_changes
from models.config.model import Config
from models.data.off_clock import is_off_clock
from models.data.series import Series

NONE = np.iinfo(np.int64).min
"""position of a wall-clock step that the clocks skip, or that lies before the series"""
SEASONS = 4
"""latest seasons whose changes a step beyond the horizon goes on by"""


@dataclass(frozen=True, eq=False)
class ClockWindow:
    """A window on the wall clock of its origin, and the way back."""

    series: Series
    """(T,) values of the context, on a grid whose stamps are wall times; the origin is its last position"""
    positions: Ints
    """(T,) positions of those values in the series that was read, NONE for a step that the clocks skip"""
    ahead: Ints
    """(H,) which step of the horizon each wall-clock step is, from 0; NONE for one that is skipped or lies beyond"""
    steps: Ints
    """(H,) which wall-clock step each step of the horizon is, from 0; at -1 the origin's own comes a second time, and
    from H on those beyond a horizon in which the clocks go forward"""
    seasons: tuple[int, ...]
    """lengths in steps, shortest first"""
    bounds: tuple[float, float]
    """least and greatest possible value"""

    def restore(self, values: Floats) -> Floats:
        """Return what was forecast on the wall clock for the steps of the horizon: (..., H) -> (..., H).

        A step beyond the last one that was forecast repeats a season of the forecast, or moves on from its last step as
        the seasons before did.
        """
        restored: Floats = np.take(values, self.steps.clip(0, values.shape[-1] - 1), axis=-1)
        for step in np.flatnonzero(self.steps >= values.shape[-1]).tolist():
            restored[..., step] = self._continue(values, int(self.steps[step]))
        return restored

    def _continue(self, values: Floats, step: int) -> Floats:
        horizon = values.shape[-1]
        season = next((m for m in reversed(self.seasons) if m <= len(self.series.y)), None)
        if season is None:
            return values[..., -1]
        if step >= season:
            return values[..., min(step - season, horizon - 1)]
        y = self.series.y
        back = np.arange(season, len(y), season)[:SEASONS]
        sources = len(y) + step - back
        seen = sources - (step - horizon + 1) >= 0
        changes = y[sources[seen]] - y[sources[seen] - (step - horizon + 1)]
        changes = changes[~np.isnan(changes)]
        move = changes.mean() if len(changes) else 0.0
        moved: Floats = np.clip(values[..., -1] + move, *self.bounds)
        return moved

    def gather(self, actual: Floats) -> Floats:
        """Return what was observed after the origin (H,) at wall-clock steps: (H,), NaN where there was none."""
        return np.where(self.ahead == NONE, np.nan, actual[self.ahead.clip(0)])


class ClockedWindows(NamedTuple):
    """Windows, those in which the clocks are changed on the wall clock of their origins."""

    series: Sequence[Series]
    """(B,)"""
    origins: Ints
    """(B,) positions in their `y`"""
    clocks: dict[int, ClockWindow]
    """by row, of those that are not as they were given"""

    def restore(self, quantiles: Floats) -> Floats:
        """Return the forecasts of the windows (B, H, Q) in the order of their own steps."""
        if not self.clocks:
            return quantiles
        restored = quantiles.copy()
        for row, clock in self.clocks.items():
            restored[row] = clock.restore(quantiles[row].T).T
        return restored

    def drop(self, done: int) -> "ClockedWindows":
        """Return the windows from the `done`-th on."""
        clocks = {row - done: clock for row, clock in self.clocks.items() if row >= done}
        return ClockedWindows(self.series[done:], self.origins[done:], clocks)

    def gather(self, actual: Floats) -> Floats:
        """Return what was observed after the origins (B, H) in the order in which it is forecast."""
        gathered = actual.copy() if self.clocks else actual
        for row, clock in self.clocks.items():
            gathered[row] = clock.gather(actual[row])
        return gathered


def read_clocks(series: Sequence[Series], origins: Ints, config: Config) -> ClockedWindows:
    """Read windows at `origins` (B,) of series (B,) on the wall clock, where they follow it."""
    pairs = zip(series, origins.tolist(), strict=True)
    clocks = {row: clock for row, (item, o) in enumerate(pairs) if (clock := read_clock(item, o, config)) is not None}
    if not clocks:
        return ClockedWindows(series, origins, clocks)
    read = [clocks[row].series if row in clocks else item for row, item in enumerate(series)]
    length = config.network.context_length
    positions = [length - 1 if row in clocks else origin for row, origin in enumerate(origins.tolist())]
    return ClockedWindows(read, np.array(positions, np.int64), clocks)


def read_clock(series: Series, origin: int, config: Config) -> ClockWindow | None:
    """Read the window of a model at an origin on its wall clock; None where that changes nothing."""
    if not config.follows_clock(series.id):
        return None
    length = config.network.context_length
    clock = align(series, origin, length, config.horizon, config.network.season_lengths)
    return None if clock is None else replace(clock, bounds=_find_bounds(series, origin, config))


def count_repeated(grid: Grid, index: int, config: Config) -> int:
    """Return how many steps before the context that ends at a grid index are read too: those that make up for the
    ones that come twice within it."""
    day = count_day(grid.frequency)
    first, last = index + 1 - config.network.context_length, index
    if day is None or grid.timezone == "UTC":
        return 0
    stamps = grid.stamps(np.array([first, last], np.int64))
    if not has_changes(grid.timezone, *stamps.tolist()):
        return 0
    offsets = find_offsets(grid.timezone, stamps)
    return max(0, -(int(offsets[1] - offsets[0]) // grid.frequency.step))


def read_history(series: Series, end: int, config: Config, ahead: int) -> Series:
    """Return y[:end] and the covariates up to `ahead` steps later on the wall clock of the last step, as long as
    before."""
    if end < 1 or not config.follows_clock(series.id):
        return series
    clock = align(series, end - 1, end, ahead, config.network.season_lengths)
    return series if clock is None else clock.series


def align(series: Series, origin: int, length: int, horizon: int, seasons: Sequence[int]) -> ClockWindow | None:
    """Put a window on the wall clock of its origin; None where that changes nothing, or the series does not follow it.

    Args:
        origin: position in the series' `y` of the last value that is seen.
        length: T, steps up to it.
        seasons: lengths in steps; without that of a day within the context there is nothing to keep in its place.
    """
    grid = series.grid
    day = count_day(grid.frequency)
    if day is None or day > length or not any(season % day == 0 for season in seasons):
        return None
    first, last = grid.stamps(series.start + origin + np.array([1 - length, horizon], np.int64)).tolist()
    if not has_changes(grid.timezone, first, last):
        return None
    begin = origin + 1 - length - day  # what comes twice leaves room for values before the context
    walls = count_wall_steps(grid, series.start + begin, series.start + origin + horizon + 1)
    walls -= walls[origin - begin]  # the origin's is 0
    changed = np.flatnonzero(np.diff(walls[day:]) != 1)
    seen = slice(max(begin, 0), origin + 1)
    if not len(changed) or is_off_clock(series.y[seen], walls[seen.start - begin : origin + 1 - begin], day):
        return None
    return _build_window(series, origin, walls, begin, length, horizon, tuple(seasons))


def _build_window(
    series: Series, origin: int, walls: Ints, begin: int, length: int, horizon: int, seasons: tuple[int, ...]
) -> ClockWindow:
    """Build the window whose steps from the position `begin` on have the wall-clock steps `walls`, 0 at the origin."""
    positions = np.full(length, NONE)
    past = walls[: origin + 1 - begin] + length - 1
    inside = (past >= 0) & (past < length)
    positions[past[inside]] = begin + np.flatnonzero(inside)  # later assignments win: of two the newer stays
    steps = walls[origin + 1 - begin :] - 1
    ahead = np.full(horizon, NONE)
    within = np.flatnonzero((steps >= 0) & (steps < horizon))[::-1]
    ahead[steps[within]] = within  # of two the earlier stays, which is forecast first
    y = _bridge(_gather(series.y, positions), positions)
    sources = np.concatenate([positions, np.where(ahead == NONE, NONE, origin + 1 + ahead)])
    sources = np.maximum.accumulate(sources)  # a step that is skipped has the covariates of the one before
    columns = {name: _gather(column, sources) for name, column in series.covariates.items()}
    grid = series.grid
    stamp = grid.stamps(np.array([series.start + origin], np.int64))
    anchor = int(to_local(stamp, grid.timezone)[0]) - (length - 1) * grid.frequency.step
    read = Series(series.id, y, Grid(grid.frequency, "UTC", anchor), 0, columns, series.static)
    return ClockWindow(read, positions, ahead, steps, seasons, (-np.inf, np.inf))


def _gather(values: NDArray[Any], positions: Ints) -> NDArray[Any]:
    """Return the values at positions (N,), missing outside of them."""
    gathered = np.full(len(positions), np.nan if values.dtype == np.float64 else None, values.dtype)
    inside = (positions >= 0) & (positions < len(values))
    gathered[inside] = values[positions[inside]]
    return gathered


def _bridge(y: Floats, positions: Ints) -> Floats:
    """Draw lines over the steps that the clocks skip, where both neighbours were observed: y (T,)."""
    skipped = positions == NONE
    skipped[: np.argmin(skipped)] = False  # what lies before the first value was not skipped
    if skipped.any():
        known = np.flatnonzero(~skipped)
        y[skipped] = np.interp(np.flatnonzero(skipped), known, y[known])  # NaN beside a missing value
    return y


def _find_bounds(series: Series, origin: int, config: Config) -> tuple[float, float]:
    low, high = config.bounds
    y = series.y[max(0, origin + 1 - config.network.context_length) : origin + 1]
    floor = -np.inf if config.is_signed(series.id) or bool((y < 0).any()) else 0.0
    return floor if low is None else max(floor, low), np.inf if high is None else high
