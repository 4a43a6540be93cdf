"""Anomalies: values that a forecast of one step, made from what came before them, holds for improbable.

The network's quantiles say how a step's spread differs from that of other steps; how wide they should be is learned
from the series' own earlier deviations, as they come. Nothing that is told of a step depends on a later value.

Deviations from the median are divided by the spread of their side, then by the scale of the latest ones. How
improbable one is, and how far the interval reaches, is learned from the earlier ones (models.tails). An extreme value
is replaced by its forecast in what later forecasts see, as in robust exponential smoothing (Gelper, Fried and Croux
2010, "Robust forecasting with exponential and Holt-Winters smoothing"); where one follows the other they are a new
regime and are given back. N steps of a span, B windows at once, Q quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from models.config import Config
from models.options import require
from models.predict import Runner, finite
from models.tails import followed, half_normal
from models.windows import Batch, Series, assemble, stretch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Span = tuple[int, int]
"""positions [start, end) in a series' `y`"""

HISTORY = 1000
"""Steps before the span that are scored too, to learn how far values lie from their forecasts"""
LEAST_SEEN = 8
"""Observed values that a context needs: below, a network knows no scale"""
AT_ONCE = 64
"""Windows of one call: more are wasted where an extreme value changes what later ones see"""
LATEST = 500
"""Deviations that the scale is learned from, and spreads that a step's is compared with"""
TRUST = 0.5
"""Share of a spread's difference from the typical one, in logarithms, that is kept: single ones are noisy"""
TAIL = 0.9
"""The quantile that measures the scale: a tenth of extreme deviations does not move it much, a new regime does"""
PRIOR = 20
"""Deviations of a right normal forecast that stand before the first, so that the first few prove little"""
UNIT = float(ndtri((1 + TAIL) / 2))
"""That quantile of a standard normal law's absolute values"""
LEAST_SCALE = 0.5
"""A spread of the network counts for this share of itself at least"""
EXTREME = 6.0
"""Deviation from which on later forecasts do not see a value"""
REGIME = 3
"""Extreme values in a row, from which on they are seen again: the level has shifted"""
LEAST_SIDE = 0.1
"""Spread to one side, as a share of that to the other"""
LEAST_CHANGE = 0.05
"""Spread as a share of the median change from value to value in the context"""
LEAST_RELATIVE = 1e-6
"""Spread as a share of the forecast: what float32 can tell apart"""
TINY = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class Anomalies:
    """What is told of the steps of a span; NaN where nothing can be, for want of values before."""

    series_id: str
    start: int
    """position in `y` of the first step"""
    expected: Floats
    """(N,) the median forecast of one step, in original units"""
    lower: Floats
    """(N,)"""
    upper: Floats
    """(N,)"""
    score: Floats
    """(N,) how improbable the value is: the standard deviations at which a normal law is as improbable, whatever the
    level; NaN for a missing value too"""
    anomaly: Flags
    """(N,) whether a value was observed outside of [lower, upper]"""


def detect(
    series: Sequence[Series], spans: Sequence[Span], runner: Runner, config: Config, level: float = 0.99
) -> list[Anomalies]:
    """Judge each series on its span.

    Args:
        series: with their history before the span, of which up to HISTORY steps are scored to learn from them.
        spans: positions [start, end) in each series' `y`.
        config: that of the model behind `runner`.
        level: share of ordinary values that the intervals should hold, between 0 and 1.

    Raises ConfigError for another level or span, ValueError for an infinite value in a context.
    """
    require(0 < level < 1, "level", "must be between 0 and 1")
    return [_detect(one, span, runner, config, level) for one, span in zip(series, spans, strict=True)]


def _detect(one: Series, span: Span, runner: Runner, config: Config, level: float) -> Anomalies:
    start, end = span
    require(0 <= start <= end <= len(one.y), "start", "must lie before the end, within the series")
    begin = max(0, start - HISTORY)
    found = follow(one, (begin, end), runner, config)
    radius, score = followed(found.deviation, level)
    kept = slice(start - begin, None)
    lower = (found.expected - radius * found.below)[kept]
    upper = (found.expected + radius * found.above)[kept]
    y = one.y[start:end]
    return Anomalies(
        series_id=one.id,
        start=start,
        expected=found.expected[kept],
        lower=lower,
        upper=upper,
        score=score[kept],
        anomaly=(y < lower) | (y > upper),
    )


@dataclass(frozen=True, eq=False)
class Deviations:
    """Each step of a span beside its forecast; NaN where there is none."""

    expected: Floats
    """(N,)"""
    below: Floats
    """(N,) standard deviation below the median, in original units"""
    above: Floats
    """(N,)"""
    deviation: Floats
    """(N,) distance from `expected` in those, NaN for a missing value"""


def follow(one: Series, span: Span, runner: Runner, config: Config) -> Deviations:
    """Forecast each step of a span from the one before, hiding extreme values from later forecasts."""
    begin, end = span
    context, y = config.network.context_length, pd.Series(one.y)
    enough = _before(y.rolling(context, min_periods=1).count()) >= LEAST_SEEN
    change = _before(y.diff().abs().rolling(context, min_periods=1).median())
    table, memory, seen = np.full((4, end - begin), np.nan), _Memory(), replace(one, y=one.y.copy())
    told = begin + np.flatnonzero(enough[begin:end])
    for steps in (told[at : at + AT_ONCE] for at in range(0, len(told), AT_ONCE)):
        batch = finite(assemble([seen] * len(steps), steps - 1, config), [seen] * len(steps))
        while len(steps):
            forecast = _forecast(runner(batch), LEAST_CHANGE * change[steps], config)  # (3, B)
            done, hidden = memory.read(one.y[steps], steps, forecast)
            table[:, steps[:done] - begin] = _told(one.y[steps[:done]], forecast[:, :done], memory.units)
            steps, batch = steps[done:], _rest(batch, done)
            seen.y[hidden] = forecast[0, done - 1] if len(hidden) == 1 else one.y[hidden]
            for row, step in enumerate(steps.tolist() if len(hidden) else ()):
                batch["y"][row] = stretch(seen.y, step - context, step)
    return Deviations(*table)


class _Memory:
    """What is known of a series' deviations so far."""

    def __init__(self) -> None:
        self.latest = half_normal(PRIOR).tolist()
        """at most LATEST deviations, in units of the forecasts' spreads"""
        self.extremes: list[int] = []
        """steps of the latest values, as far as all of them are extreme"""
        self.spreads: list[float] = []
        """those of at most LATEST forecasts, in original units"""
        self.units: Floats = np.empty(0)
        """what multiplies the spread of each forecast that was read last"""

    def read(self, y: Floats, steps: Ints, forecast: Floats) -> tuple[int, Ints]:
        """Score values (B,) by their forecasts (3, B) up to the first one that changes what later forecasts see.

        Returns how many were scored, and whose values are to be hidden: one's, or several that are given back.
        """
        deviations, spreads = _deviations(y, forecast).tolist(), forecast[1:].mean(0).tolist()
        units: list[float] = []
        hidden: list[int] = []
        for step, deviation, spread in zip(steps.tolist(), deviations, spreads, strict=True):
            self.spreads = [*self.spreads[1 - LATEST :], spread]
            factor = (float(np.median(self.spreads)) / spread) ** (1 - TRUST)
            units.append(factor * self._scale())
            if np.isnan(deviation):
                continue
            self.latest = [*self.latest[1 - LATEST :], deviation / factor]
            hidden = self._hidden(step, deviation / units[-1])
            if hidden:
                break
        self.units = np.array(units)
        return len(units), np.array(hidden, np.int64)

    def _scale(self) -> float:
        rank = ceil(TAIL * len(self.latest)) - 1
        return max(float(np.partition(np.array(self.latest), rank)[rank]) / UNIT, LEAST_SCALE)

    def _hidden(self, step: int, deviation: float) -> list[int]:
        if deviation <= EXTREME:
            self.extremes = []
            return []
        self.extremes.append(step)
        if len(self.extremes) < REGIME:
            return [step]
        return self.extremes[:-1] if len(self.extremes) == REGIME else []


def _deviations(y: Floats, forecast: Floats) -> Floats:
    """Return how far values (B,) lie from their forecasts (3, B), in units of the network's spread."""
    middle, below, above = forecast
    found: Floats = np.abs(y - middle) / np.where(y < middle, below, above)
    return found


def _told(y: Floats, forecast: Floats, unit: Floats) -> Floats:
    """Return the rows of Deviations (4, B)."""
    middle, below, above = forecast
    return np.stack([middle, unit * below, unit * above, _deviations(y, forecast) / unit])


def _before(values: "pd.Series[float]") -> Floats:
    """Return for each step what was so one step before, 0 where nothing was."""
    return values.shift(1).fillna(0.0).to_numpy(np.float64)


def _rest(batch: Batch, done: int) -> Batch:
    """Return the windows of a batch from the `done`-th on."""
    return Batch(
        y=batch["y"][done:],
        calendar=batch["calendar"][done:],
        covariates=batch["covariates"][done:],
        static=batch["static"][done:],
    )


def _forecast(quantiles: Floats, least: Floats, config: Config) -> Floats:
    """Return the median of the first step and the standard deviations below and above it: (B, H, Q) -> (3, B).

    A side's deviation is fitted to its levels as if they were a normal law's; a side without levels takes the
    other's. Least: `least` (B,), a share of the other side, and what can be told apart.
    """
    first = quantiles[:, 0]
    middle = first[:, config.quantiles.index(0.5)]
    normal = ndtri(np.array(config.quantiles))
    sides = []
    for side in (normal < 0, normal > 0):
        weights = np.where(side, normal, 0.0) / max(float((normal[side] ** 2).sum()), TINY)
        sides.append((first - middle[:, None]) @ weights)
    below, above = np.maximum(sides, np.maximum(np.maximum(least, LEAST_RELATIVE * np.abs(middle)), TINY))
    return np.stack([middle, np.maximum(below, LEAST_SIDE * above), np.maximum(above, LEAST_SIDE * below)])
