"""How wide a forecast's levels should be now, learned from what came true after earlier forecasts of the same series.

A level's distance from the median is multiplied by a factor: the weighted quantile of earlier errors in units of that
distance, so that as many of them as the level says would have been covered. This is conformal prediction with weights
that decay with age (Barber et al. 2023), on the scores of conformalised quantile regression in its scaled form
(Kivaranovic et al. 2020), pooled over a few steps of the horizon. Shapes: K earlier forecasts, S steps of each, H
horizon, Q quantiles.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import DAY
from models.config.model import Config

BUCKETS = 4
"""parts of the horizon that have factors of their own"""
STEPS_A_BUCKET = 3
"""steps of each part that are looked at: those between them say much the same"""
DECAY = 0.97
"""weight of an error beside that of one a day, or a step of more than a day, later"""
WIDENING = 10.0
"""forecasts of equal weight at which half is believed of what they say for wider intervals"""
NARROWING = 30.0
"""the same for narrower ones, which are believed later: intervals that fail to hold cost more than wide ones. On
held-out rows of three electricity markets, ETTh1, Weather and M4 Hourly 30 and 30 cover 76 to 82 % of 80, and 68 to 76
where the trained levels are brought nearer by three tenths; 10 and 30 cover 78 to 83 %, and 71 to 78"""
LEAST_FORECASTS = 8
"""forecasts that have come true, below which nothing is believed"""
WIDEST = 8.0
"""a level is moved to this many times its distance from the median at most, and to its inverse at least"""
LEAST_DISTANCE = 1e-9
"""share of the median's size; a level as near to it as this says nothing about how far it should be"""


@dataclass(frozen=True, eq=False)
class IntervalWidths:
    """What is done to a forecast's levels."""

    factors: Floats
    """(Q, H) of each level's distance from the median"""
    median: int
    """row of the median"""
    low: float
    """least value of a forecast"""
    high: float
    """greatest value of a forecast"""
    whole: bool = False
    """levels that are whole numbers stay so: those of counts"""
    keeps_order: bool = field(init=False)
    """whether no level can pass another: further ones have no smaller factors"""

    def __post_init__(self) -> None:
        below = np.diff(self.factors[: self.median], axis=0)
        above = np.diff(self.factors[self.median + 1 :], axis=0)
        object.__setattr__(self, "keeps_order", bool((below <= 0).all() and (above >= 0).all()))

    def apply(self, quantiles: Floats) -> Floats:
        """Return quantiles (Q, H), ascending along Q, with other distances from the median, within the bounds."""
        middle = quantiles[self.median]  # (H,)
        moved: Floats = quantiles - middle
        moved *= self.factors
        moved += middle
        if not self.keeps_order:
            moved.sort(axis=0)
        if self.low > -np.inf:
            np.maximum(moved, self.low, out=moved)
        if self.high < np.inf:
            np.minimum(moved, self.high, out=moved)
        if self.whole and bool((quantiles == np.rint(quantiles)).all()):
            np.rint(moved, out=moved)
        return moved


def choose_steps(horizon: int) -> list[Ints]:
    """Return the positions in a horizon that are looked at, a list of each bucket's."""
    edges = _find_edges(horizon)
    return [
        np.unique(np.linspace(begin, end - 1, min(STEPS_A_BUCKET, end - begin)).round().astype(np.int64))
        for begin, end in pairwise(edges)
    ]


def measure_factors(forecasts: Floats, actuals: Floats, ages: Floats, config: Config) -> Floats | None:
    """Return each level's factor at each step of the horizon, (Q, H); None where too little has come true.

    Args:
        forecasts: (K, S, Q) at the steps of `choose_steps`, joined.
        actuals: (K, S) what came true, NaN where nothing did.
        ages: (K, S) days or steps, of which `count_ages` makes them, from each value to the origin.
    """
    steps = choose_steps(config.horizon)
    edges = _find_edges(config.horizon)
    factors = np.ones((len(config.quantiles), config.horizon))
    at = 0
    known = False
    for bucket, positions in enumerate(steps):
        columns = slice(at, at + len(positions))
        at += len(positions)
        weights = np.where(np.isnan(actuals[:, columns]), 0.0, DECAY ** ages[:, columns])  # (K, s)
        effective = _count_effective(weights)
        if not effective:
            continue
        known = True
        rows = _measure_bucket(forecasts[:, columns], actuals[:, columns], weights, config)
        shares = effective / (effective + np.where(rows > 1, WIDENING, NARROWING))  # (Q,)
        factors[:, edges[bucket] : edges[bucket + 1]] = (rows**shares)[:, None]
    return factors if known else None


def count_ages(steps: Ints, config: Config) -> Floats:
    """Return numbers of steps as days where a step is shorter than that."""
    length = parse_frequency(config.frequency).approximate_us
    return steps.astype(np.float64) * min(1.0, length / DAY)


def _find_edges(horizon: int) -> list[int]:
    """Return where the buckets of a horizon begin, and its end."""
    count = min(BUCKETS, horizon)
    return [horizon * bucket // count for bucket in range(count + 1)]


def _count_effective(weights: Floats) -> float:
    """Return how many forecasts of equal weight say as much as a bucket's, by its weights (K, s); 0 for too few."""
    each = weights.mean(axis=1)  # (K,), since errors of one forecast are much alike
    if (each > 0).sum() < LEAST_FORECASTS:
        return 0.0
    return float(each.sum() ** 2 / (each**2).sum())


def _measure_bucket(forecasts: Floats, actuals: Floats, weights: Floats, config: Config) -> Floats:
    """Return the factor of each level (Q,) that forecasts (K, s, Q) of what came true (K, s) ask for."""
    median = forecasts[..., config.median]
    residual = actuals - median
    least = LEAST_DISTANCE * np.abs(median)
    factors = np.ones(len(config.quantiles))
    for row, level in enumerate(config.quantiles):
        if row == config.median:
            continue
        distance = forecasts[..., row] - median
        usable = (np.abs(distance) > least) & (weights > 0)
        if usable.any():
            scores = residual[usable] / distance[usable]
            factors[row] = find_weighted_quantile(scores, weights[usable], max(level, 1 - level))
    return np.clip(factors, 1 / WIDEST, WIDEST, out=factors)


def find_weighted_quantile(values: Floats, weights: Floats, level: float) -> float:
    """Return the quantile of values (N,), each of which stands for a weight (N,), interpolated between them."""
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    centres = (sums - weights[order] / 2) / sums[-1]
    return float(np.interp(level, centres, values[order]))
