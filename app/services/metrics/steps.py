"""Values at the steps of a series, and what a selector answers at times between them.

At a time a selector answers the newest value that is at most one step of the series old: the five minutes of Prometheus
find nothing in hourly series. Shapes: N steps, T times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.calendar.grid import Grid
from models.errors import OffGridError

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class StepValues:
    """Values of one series, ascending."""

    ts: Ints
    """(N,) microseconds UTC"""
    y: Floats
    """(N,) none is missing"""
    until: Ints
    """(N,) the last microsecond at which each is answered, unless there is a newer one"""

    def sample(self, times: Ints) -> tuple[NDArray[np.intp], Floats]:
        """Return the positions (M,) of the times (T,) at which there is a value, and the values (M,)."""
        position = np.searchsorted(self.ts, times, side="right") - 1
        answered = np.flatnonzero(position >= 0)
        answered = answered[times[answered] <= self.until[position[answered]]]
        return answered, self.y[position[answered]]


NOTHING = StepValues(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def find_next(grid: Grid, ts: Ints) -> Ints:
    """Return the stamp one step after each of ts (N,)."""
    try:
        return grid.stamps(grid.locate(ts)[0] + 1)
    except OffGridError:  # a grid without a closed form, on which they lie too far apart
        return ts + grid.frequency.approximate_us


@dataclass(frozen=True, eq=False)
class DatedForecast:
    """A forecast of a series from one origin. Shapes: H horizon, Q levels."""

    origin: int
    ts: Ints
    """(H,) microseconds UTC"""
    quantiles: Floats
    """(H, Q)"""
    levels: tuple[float, ...]
    replaced_at: int = NEVER
    """origin of the forecast after it, which is better informed from there on"""


def chain(forecasts: Sequence[DatedForecast], columns: Sequence[Floats], grid: Grid) -> StepValues:
    """Return what was forecast for each step by the newest forecast before it; `columns` (H,) are a forecast's each."""
    parts = [forecast.ts <= forecast.replaced_at for forecast in forecasts]
    if not parts:
        return NOTHING
    ts = np.concatenate([forecast.ts[part] for forecast, part in zip(forecasts, parts, strict=True)])
    y = np.concatenate([column[part] for column, part in zip(columns, parts, strict=True)])
    return StepValues(ts, y, find_next(grid, ts))


def list_outlooks(forecasts: Sequence[DatedForecast], times: Ints) -> Iterator[tuple[int, NDArray[np.intp], Ints]]:
    """Yield (position of a forecast, positions of the times (M,) at which it is the newest, its first step of each).

    A first step is the first one that is not before its time.
    """
    origins = np.array([forecast.origin for forecast in forecasts], np.int64)
    newest = np.searchsorted(origins, times, side="right") - 1
    for number in np.unique(newest[newest >= 0]).tolist():
        forecast = forecasts[number]
        mine = np.flatnonzero((newest == number) & (times < forecast.replaced_at))
        if len(mine):
            yield number, mine, np.searchsorted(forecast.ts, times[mine], side="left")


def find_greatest(
    forecasts: Sequence[DatedForecast], columns: Sequence[Floats], times: Ints, within: int
) -> tuple[NDArray[np.intp], Floats]:
    """Return the times (M,) of T at which a forecast has a step within so many microseconds, and the greatest value."""
    positions: list[NDArray[np.intp]] = []
    values: list[Floats] = []
    for number, mine, first in list_outlooks(forecasts, times):
        end = np.searchsorted(forecasts[number].ts, times[mine] + within, side="right")
        mine, first, end = (part[first < end] for part in (mine, first, end))
        spans, span = np.unique(np.stack([first, end], axis=1), axis=0, return_inverse=True)
        greatest = np.array([columns[number][low:high].max() for low, high in spans.tolist()], np.float64)
        positions.append(mine)
        values.append(greatest[span.reshape(-1)])
    return _join(positions, values)


def find_seconds_until(
    forecasts: Sequence[DatedForecast], beyond: Sequence[NDArray[np.bool_]], times: Ints
) -> tuple[NDArray[np.intp], Floats]:
    """Return the times (M,) of T from which a forecast has a step that is beyond a threshold, and the seconds to it.

    `beyond` (H,) says that of the steps of a forecast each.
    """
    positions: list[NDArray[np.intp]] = []
    seconds: list[Floats] = []
    for number, mine, first in list_outlooks(forecasts, times):
        steps = np.flatnonzero(beyond[number])
        following = np.searchsorted(steps, first, side="left")
        mine, following = mine[following < len(steps)], following[following < len(steps)]
        positions.append(mine)
        seconds.append((forecasts[number].ts[steps[following]] - times[mine]) / 1e6)
    return _join(positions, seconds)


def _join(positions: list[NDArray[np.intp]], values: list[Floats]) -> tuple[NDArray[np.intp], Floats]:
    if not positions:
        return np.empty(0, np.intp), np.empty(0)
    return np.concatenate(positions), np.concatenate(values)
