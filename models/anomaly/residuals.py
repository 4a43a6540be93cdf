"""Residuals: distances of values from forecasts made before them, in units of recent distances.

The network's quantiles give the spread of a step relative to other steps; the size of all spreads is learned from
earlier deviations of the same series, as they come. Nothing about a step depends on a later value.

An extreme value is replaced by its forecast in the contexts of later forecasts, as in robust exponential smoothing
(Gelper, Fried and Croux 2010, "Robust forecasting with exponential and Holt-Winters smoothing"). Several in a row are a
new regime: then their values are restored. Shapes: N steps of a span, B windows at once, Q quantiles.
"""

from dataclasses import dataclass, replace
from math import ceil
from statistics import NormalDist

import numpy as np
import pandas as pd

from models.anomaly.tails import half_normal
from models.arrays import Floats, Ints
from models.config.model import Config
from models.data.series import Series
from models.data.wall_clock import read_clocks
from models.data.windows import Batch, assemble, cut_contexts
from models.inference.predict import Runner

Span = tuple[int, int]
"""positions [start, end) in a series' `y`"""

LEAST_SEEN = 8
"""observed values that a context needs; with fewer the network has no scale"""
AT_ONCE = 64
"""windows of one call; of more, many are computed in vain where an extreme value changes later contexts"""
LATEST = 500
"""latest deviations that the scale is learned from, and latest spreads that a spread is compared with"""
SPREAD_WEIGHT = 0.5
"""share of a spread's difference from the typical one, in logarithms, that is kept: single spreads are noisy"""
TAIL = 0.9
"""level of the quantile that measures the scale: a tenth of extreme deviations hardly moves it, a new regime does"""
PRIOR = 20
"""pseudo-counts: deviations of a calibrated normal forecast before the first, so that the first few weigh little"""
UNIT = NormalDist().inv_cdf((1 + TAIL) / 2)
"""quantile TAIL of the absolute values of a standard normal distribution"""
LEAST_SCALE = 0.5
"""least factor on a spread of the network"""
EXTREME = 6.0
"""deviation above which a value is hidden from later contexts"""
REGIME = 3
"""extreme values in a row from which on they are restored: the level has shifted"""
LEAST_SIDE = 0.1
"""least spread to one side, as a share of that to the other"""
LEAST_CHANGE = 0.05
"""least spread as a share of the median change from value to value in the context"""
LEAST_RELATIVE = 1e-6
"""least spread as a share of the forecast: the resolution of float32"""
TINY = 1e-12
"""least spread of all, against a division by zero"""


@dataclass(frozen=True, eq=False)
class Residuals:
    """The forecast of each step of a span and the distance of its value; NaN where there is no forecast."""

    expected: Floats
    """(N,) median forecast, in original units"""
    below: Floats
    """(N,) standard deviation below the median, in original units"""
    above: Floats
    """(N,) standard deviation above the median, in original units"""
    deviation: Floats
    """(N,) distance from `expected` in those units, NaN for a missing value"""


def compute_residuals(series: Series, span: Span, runner: Runner, config: Config, ahead: int = 1) -> Residuals:
    """Forecast each step of a span from `ahead` steps before, hiding extreme values from later forecasts.

    `config` is that of the runner's model, its horizon `ahead` at least. Raises ValueError for an infinite value in the
    span or its contexts.
    """
    begin, end = span
    context = config.network.context_length
    count, change = _describe_contexts(series, (begin, end), context, ahead)
    table = np.full((4, end - begin), np.nan)  # the fields of Residuals
    scale = _Scale()
    visible = replace(series, y=series.y.copy())  # extreme values are hidden in it
    judged = begin + np.flatnonzero(count >= LEAST_SEEN)
    for first in range(0, len(judged), AT_ONCE):
        steps = judged[first : first + AT_ONCE]
        windows = read_clocks([visible] * len(steps), steps - ahead, config)
        batch = assemble(windows.series, windows.origins, config)
        while len(steps):
            least = LEAST_CHANGE * change[steps - begin]
            forecast = _fit_spreads(windows.restore(runner(batch))[:, ahead - 1], least, config)  # (3, B)
            units, changed = scale.read(series.y[steps], steps, forecast)
            done = len(units)
            table[:, steps[:done] - begin] = _scale_residuals(series.y[steps[:done]], forecast[:, :done], units)
            steps = steps[done:]
            batch = _drop_windows(batch, done)
            windows = windows.drop(done)
            visible.y[changed] = forecast[0, done - 1] if len(changed) == 1 else series.y[changed]
            if len(changed):
                windows = read_clocks([visible] * len(steps), steps - ahead, config)
                batch["y"] = cut_contexts(windows.series, windows.origins, config)
    return Residuals(*table)


class _Latest:
    """The LATEST latest numbers, in any order."""

    def __init__(self, first: Floats) -> None:
        self._held = np.append(first, np.empty(LATEST - len(first)))
        self._count = len(first)

    def add(self, value: float) -> None:
        """Add a number in place of the oldest one."""
        self._held[self._count % LATEST] = value
        self._count += 1

    def quantile(self, share: float) -> float:
        """Return the least number that a share of the numbers does not exceed."""
        held = self._held[: self._count]
        rank = ceil(share * len(held)) - 1
        return float(np.partition(held, rank)[rank])


class _Scale:
    """The size of a series' deviations, learned step by step, and its latest extreme values."""

    def __init__(self) -> None:
        self.deviations = _Latest(half_normal(PRIOR))
        """deviations in units of the forecasts' spreads"""
        self.spreads = _Latest(np.empty(0))
        """spreads of forecasts, in original units"""
        self.extremes: list[int] = []
        """steps of the latest values, as long as all of them are extreme"""

    def read(self, y: Floats, steps: Ints, forecast: Floats) -> tuple[Floats, Ints]:
        """Read values (B,) and their forecasts (3, B) up to the first value that changes later contexts.

        Returns the factors on the spreads of the steps that were read, and the steps whose values change: a single one
        is to be hidden, several are to be restored.
        """
        deviations = _measure_deviations(y, forecast).tolist()
        spreads = forecast[1:].mean(0).tolist()
        units: list[float] = []
        changed: list[int] = []
        for step, deviation, spread in zip(steps.tolist(), deviations, spreads, strict=True):
            units.append(np.nan)
            if np.isnan(spread):
                continue
            self.spreads.add(spread)
            factor = (self.spreads.quantile(0.5) / spread) ** (1 - SPREAD_WEIGHT)
            units[-1] = factor * max(self.deviations.quantile(TAIL) / UNIT, LEAST_SCALE)
            if np.isnan(deviation):
                continue
            self.deviations.add(deviation / factor)
            changed = self._list_changed(step, deviation / units[-1])
            if changed:
                break
        return np.array(units), np.array(changed, np.int64)

    def _list_changed(self, step: int, deviation: float) -> list[int]:
        """List the steps whose values change in later contexts because of the deviation of this one."""
        if deviation <= EXTREME:
            self.extremes = []
            return []
        self.extremes.append(step)
        if len(self.extremes) < REGIME:
            return [step]
        return self.extremes[:-1] if len(self.extremes) == REGIME else []


def _describe_contexts(series: Series, span: Span, context: int, ahead: int) -> tuple[Floats, Floats]:
    """Return the number of values in the context of each step (N,), and their median change (N,), 0 without any."""
    begin, end = span
    first = max(0, begin - ahead - context)
    y = series.y[first:end]
    if np.isinf(y).any():
        raise ValueError(f"series {series.id!r} holds an infinite value; correct or remove it")
    values = pd.Series(y)
    count = values.rolling(context, min_periods=1).count()
    change = values.diff().abs().rolling(context, min_periods=1).median()
    offset = begin - first
    return _shift(count, ahead)[offset:], _shift(change, ahead)[offset:]


def _shift(column: "pd.Series[float]", steps: int) -> Floats:
    """Move a column (L,) down by some steps, 0 where there is nothing."""
    shifted: Floats = column.shift(steps).fillna(0.0).to_numpy(np.float64)
    return shifted


def _measure_deviations(y: Floats, forecast: Floats) -> Floats:
    """Measure the distances of values (B,) from their forecasts (3, B), in units of the network's spread."""
    middle, below, above = forecast
    distances: Floats = np.abs(y - middle) / np.where(y < middle, below, above)
    return distances


def _scale_residuals(y: Floats, forecast: Floats, unit: Floats) -> Floats:
    """Return the fields of Residuals (4, B)."""
    middle, below, above = forecast
    return np.stack([middle, unit * below, unit * above, _measure_deviations(y, forecast) / unit])


def _drop_windows(batch: Batch, done: int) -> Batch:
    """Return the windows of a batch from the `done`-th on."""
    return Batch(
        y=batch["y"][done:],
        calendar=batch["calendar"][done:],
        covariates=batch["covariates"][done:],
        static=batch["static"][done:],
        signed=batch["signed"][done:],
    )


def _fit_spreads(quantiles: Floats, least: Floats, config: Config) -> Floats:
    """Fit the median and the standard deviations below and above it: (B, Q) -> (3, B).

    The deviation of a side is fitted to its levels as if they were those of a normal distribution; a side without
    levels takes those of the other. It is at least `least` (B,), a share of the other side, and float32's resolution.
    """
    middle = quantiles[:, config.median]
    normal = np.array([NormalDist().inv_cdf(level) for level in config.quantiles])
    sides = []
    for side in (normal < 0, normal > 0):
        if not side.any():
            side = normal != 0
        weights = np.where(side, normal, 0.0) / max(float((normal[side] ** 2).sum()), TINY)
        sides.append((quantiles - middle[:, None]) @ weights)
    floor = np.maximum(np.maximum(least, LEAST_RELATIVE * np.abs(middle)), TINY)
    below, above = np.maximum(sides, floor)
    return np.stack([middle, np.maximum(below, LEAST_SIDE * above), np.maximum(above, LEAST_SIDE * below)])
