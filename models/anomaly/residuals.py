"""Deviations of values from forecasts made before them, in units of how far such values lately lay from theirs.

The network's quantiles say how a step's spread differs from that of other steps; how wide they should be is learned
from the series' own earlier deviations, as they come. Nothing that is told of a step depends on a later value.

An extreme value is replaced by its forecast in what later forecasts see, as in robust exponential smoothing (Gelper,
Fried and Croux 2010, "Robust forecasting with exponential and Holt-Winters smoothing"); where one follows the other
they are a new regime and are given back. N steps of a span, B windows at once, Q quantiles. Knows no torch.
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
from models.data.windows import Batch, assemble, stretch
from models.inference.predict import Runner

Span = tuple[int, int]
"""positions [start, end) in a series' `y`"""

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
UNIT = NormalDist().inv_cdf((1 + TAIL) / 2)
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


def follow(one: Series, span: Span, runner: Runner, config: Config, ahead: int = 1) -> Deviations:
    """Forecast each step of a span from `ahead` steps before, hiding extreme values from later forecasts.

    `config` is that of the model behind `runner`, its horizon `ahead` at least. Raises ValueError for an infinite value
    in the span or its contexts.
    """
    begin, end = span
    context = config.network.context_length
    seen_before, change = _history(one, (begin, end), context, ahead)
    table, memory, seen = np.full((4, end - begin), np.nan), _Memory(), replace(one, y=one.y.copy())
    told = begin + np.flatnonzero(seen_before >= LEAST_SEEN)
    for steps in (told[at : at + AT_ONCE] for at in range(0, len(told), AT_ONCE)):
        batch = assemble([seen] * len(steps), steps - ahead, config)
        while len(steps):
            forecast = _forecast(runner(batch)[:, ahead - 1], LEAST_CHANGE * change[steps - begin], config)  # (3, B)
            units, hidden = memory.read(one.y[steps], steps, forecast)
            done = len(units)
            table[:, steps[:done] - begin] = _told(one.y[steps[:done]], forecast[:, :done], units)
            steps, batch = steps[done:], _rest(batch, done)
            seen.y[hidden] = forecast[0, done - 1] if len(hidden) == 1 else one.y[hidden]
            for row, step in enumerate(steps.tolist() if len(hidden) else ()):
                batch["y"][row] = stretch(seen.y, step - ahead + 1 - context, step - ahead + 1)
    return Deviations(*table)


class _Latest:
    """The latest numbers, LATEST at most, in any order."""

    def __init__(self, first: Floats) -> None:
        self._held = np.append(first, np.empty(LATEST - len(first)))
        self._count = len(first)

    def add(self, value: float) -> None:
        """Take in a number in place of the oldest one."""
        self._held[self._count % LATEST] = value
        self._count += 1

    def quantile(self, share: float) -> float:
        """Return the least number that `share` of them do not exceed."""
        held = self._held[: self._count]
        rank = ceil(share * len(held)) - 1
        return float(np.partition(held, rank)[rank])


class _Memory:
    """What is known of a series so far."""

    def __init__(self) -> None:
        self.deviations = _Latest(half_normal(PRIOR))
        """in units of the forecasts' spreads"""
        self.spreads = _Latest(np.empty(0))
        """of forecasts, in original units"""
        self.extremes: list[int] = []
        """steps of the latest values, as far as all of them are extreme"""

    def read(self, y: Floats, steps: Ints, forecast: Floats) -> tuple[Floats, Ints]:
        """Read values (B,) beside their forecasts (3, B) up to the first one that changes what later forecasts see.

        Returns what multiplies the spreads of the steps that were read, and whose values are to be hidden: one's, or
        several that are given back.
        """
        deviations, spreads = _deviations(y, forecast).tolist(), forecast[1:].mean(0).tolist()
        units: list[float] = []
        hidden: list[int] = []
        for step, deviation, spread in zip(steps.tolist(), deviations, spreads, strict=True):
            units.append(np.nan)
            if np.isnan(spread):
                continue
            self.spreads.add(spread)
            factor = (self.spreads.quantile(0.5) / spread) ** (1 - TRUST)
            units[-1] = factor * max(self.deviations.quantile(TAIL) / UNIT, LEAST_SCALE)
            if np.isnan(deviation):
                continue
            self.deviations.add(deviation / factor)
            hidden = self._hidden(step, deviation / units[-1])
            if hidden:
                break
        return np.array(units), np.array(hidden, np.int64)

    def _hidden(self, step: int, deviation: float) -> list[int]:
        if deviation <= EXTREME:
            self.extremes = []
            return []
        self.extremes.append(step)
        if len(self.extremes) < REGIME:
            return [step]
        return self.extremes[:-1] if len(self.extremes) == REGIME else []


def _history(one: Series, span: Span, context: int, ahead: int) -> tuple[Floats, Floats]:
    """Return for each step of a span the number of values in its context, and their median change, 0 without any."""
    begin, end = span
    first = max(0, begin - ahead - context)
    y = one.y[first:end]
    if np.isinf(y).any():
        raise ValueError(f"series {one.id!r} holds an infinite value; correct or remove it")
    values = pd.Series(y)
    count = values.rolling(context, min_periods=1).count()
    change = values.diff().abs().rolling(context, min_periods=1).median()
    before = (column.shift(ahead).fillna(0.0).to_numpy(np.float64)[begin - first :] for column in (count, change))
    return next(before), next(before)


def _deviations(y: Floats, forecast: Floats) -> Floats:
    """Return how far values (B,) lie from their forecasts (3, B), in units of the network's spread."""
    middle, below, above = forecast
    found: Floats = np.abs(y - middle) / np.where(y < middle, below, above)
    return found


def _told(y: Floats, forecast: Floats, unit: Floats) -> Floats:
    """Return the rows of Deviations (4, B)."""
    middle, below, above = forecast
    return np.stack([middle, unit * below, unit * above, _deviations(y, forecast) / unit])


def _rest(batch: Batch, done: int) -> Batch:
    """Return the windows of a batch from the `done`-th on."""
    return Batch(
        y=batch["y"][done:],
        calendar=batch["calendar"][done:],
        covariates=batch["covariates"][done:],
        static=batch["static"][done:],
    )


def _forecast(quantiles: Floats, least: Floats, config: Config) -> Floats:
    """Return the median and the standard deviations below and above it: (B, Q) -> (3, B).

    A side's deviation is fitted to its levels as if they were a normal law's; a side without levels takes those of
    the other. Least: `least` (B,), a share of the other side, and what can be told apart.
    """
    middle = quantiles[:, config.quantiles.index(0.5)]
    normal = np.array([NormalDist().inv_cdf(level) for level in config.quantiles])
    sides = []
    for own in (normal < 0, normal > 0):
        side = own if own.any() else normal != 0
        weights = np.where(side, normal, 0.0) / max(float((normal[side] ** 2).sum()), TINY)
        sides.append((quantiles - middle[:, None]) @ weights)
    below, above = np.maximum(sides, np.maximum(np.maximum(least, LEAST_RELATIVE * np.abs(middle)), TINY))
    return np.stack([middle, np.maximum(below, LEAST_SIDE * above), np.maximum(above, LEAST_SIDE * below)])
