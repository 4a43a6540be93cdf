"""How improbable it is what a series does, by several kinds of evidence that know its past alone.

A residual alone tells of sudden values; what goes on, and what is only odd in its place, is told by a mean of several
measures: the value's own improbability, the likelihood of the last ten residuals of the model and of season-naive, the
surprise of levels after levels, and the distance of the latest steps from shapes before. Each becomes -log10 of its
probability among the earlier ones of the same series. A value far outside of all before counts by itself. N steps.
"""

from math import log

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.anomaly.likelihood import GREATEST, compare_means, rank_improbability
from models.anomaly.shapes import measure_shapes
from models.anomaly.stages import FIRST
from models.anomaly.symbols import measure_surprise
from models.arrays import Floats

RUN = 10
"""steps whose mean is compared"""
FINE, COARSE = (32, 1), (8, 3)
"""bins and order of the two Markov models, chosen on the Numenta Anomaly Benchmark"""
OWN_WEIGHT = 3.0
"""weight of the value's own improbability in the mean, where each of the others has one"""
MOST_TAKEN = 1.0
"""how much the others may take from it: ten times more probable"""
BEYOND = 0.02
"""share of the range so far by which a value has to exceed it"""
OUTSIDE = 30.0
"""-log10 of the probability of such a value; how far it lies adds to it"""
LARGEST_ADDED = 2.0
RARE = 0.02
"""share of the values so far that may have exceeded the range before them: of a series that grows each one does"""
LEAST_SCORE = 1.0
"""score of its own that such a value needs: one that was expected says nothing"""


def weigh_evidence(y: Floats, deviation: Floats, score: Floats, season: int) -> Floats:
    """Weigh what all measures say of each step.

    Args:
        y: (N,) values, NaN where missing.
        deviation: (N,) distances from the model's forecasts, NaN where there is none.
        score: (N,) improbability of each deviation among earlier ones, in standard deviations of a normal distribution.
        season: steps of the season that season-naive repeats.

    Returns:
        (N,) improbability in the same unit; NaN where `score` is.
    """
    seen = np.flatnonzero(~np.isnan(score))
    known = y[seen]
    naive = np.abs(y - pd.Series(y).ffill().shift(season).to_numpy(np.float64))[seen]
    distance, rebuilt = measure_shapes(known)
    evidence = [
        _convert_to_digits(score[seen]),
        compare_means(_rank(deviation[seen]), RUN),
        compare_means(_rank(naive), RUN),
        compare_means(measure_surprise(known, *FINE), 1),
        compare_means(measure_surprise(known, *COARSE), RUN),
        compare_means(_rank(distance), 1),
        compare_means(_rank(rebuilt), 1),
    ]
    own, others = evidence[0], np.minimum(np.stack(evidence[1:]), GREATEST)
    weighed = np.maximum(_average(np.minimum(own, GREATEST), others), own - MOST_TAKEN)
    digits = np.maximum(weighed, _judge_range(known, score[seen]))
    found = np.full(len(y), np.nan)
    found[seen] = _convert_to_score(digits)
    return found


def _rank(measure: Floats) -> Floats:
    """Rank measures that are not known at first."""
    present = ~np.isnan(measure)
    found = np.full(len(measure), np.nan)
    found[present] = rank_improbability(measure[present])
    return found


def _average(own: Floats, others: Floats) -> Floats:
    """Return the weighted mean of a value's own evidence (N,) and of the other kinds (K, N) that are there."""
    present = ~np.isnan(others)
    total = OWN_WEIGHT * own + np.where(present, others, 0.0).sum(0)
    mean: Floats = total / (OWN_WEIGHT + present.sum(0))
    return mean


def _judge_range(y: Floats, score: Floats) -> Floats:
    """Return (N,) what a value says that lies beyond all before it, 0 for the others."""
    before = pd.Series(y).shift(1)
    high = before.cummax().to_numpy(np.float64)
    low = before.cummin().to_numpy(np.float64)
    width = high - low
    excess = np.maximum(y - high, low - y) - BEYOND * width
    outside: NDArray[np.bool_] = excess > 0
    outside[:FIRST] = False
    times = np.cumsum(outside)  # the step itself included
    rare = times <= np.maximum(RARE * np.arange(1, len(y) + 1), 1)
    added = np.minimum(np.log1p(np.maximum(excess, 0.0) / np.where(width > 0, width, 1.0)), LARGEST_ADDED)
    return np.where(outside & rare & (score >= LEAST_SCORE), OUTSIDE + added, 0.0)


def _convert_to_digits(score: Floats) -> Floats:
    """Return -log10 of the probability of scores (N,)."""
    from scipy.special import log_ndtr

    digits: Floats = -(log_ndtr(-score) + log(2)) / log(10)
    return digits


def _convert_to_score(digits: Floats) -> Floats:
    """Return the standard deviations at which a normal distribution is as improbable."""
    from scipy.special import ndtri_exp

    score: Floats = -ndtri_exp(-digits * log(10) - log(2))
    return score
