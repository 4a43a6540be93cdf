"""Alarms: which scores are worth a call, by a level or by how many a person can read in a week.

A threshold is a score: the standard deviations at which a normal distribution is as improbable. Nothing about a step
depends on a later one. Shapes: N steps of a span, P steps before it.
"""

from bisect import insort
from math import ceil, erfc, sqrt
from statistics import NormalDist

import numpy as np
import pandas as pd

from models.arrays import Floats
from models.calendar.frequency import parse_frequency

LEAST_THRESHOLD = 1.645
"""the score of the level 0.9, below which verdicts and numbers of alarms move no threshold"""
GREATEST_THRESHOLD = 12.0
"""score above which they move none"""
LEAST_PEAKS = 3
"""peaks of the past that a threshold is learned from: one or two may have been true anomalies"""
GREATEST_LEVEL = 1 - 1e-12
WEEK_US = 7 * 86_400_000_000


def find_alarms(score: Floats, rest: int) -> Floats:
    """Keep the scores (N,) that exceed all of the `rest` steps before them; the others become 0.

    A lasting anomaly alarms once, and again where it grows or a rest has passed. Nothing depends on a later step.
    """
    filled = np.nan_to_num(score, nan=0.0)
    before = pd.Series(filled).rolling(rest, min_periods=1).max().shift(1).fillna(0.0)
    return np.where(filled > before.to_numpy(), filled, 0.0)


def choose_threshold(past: Floats, alarms_per_week: float, steps_per_week: float, rest: int) -> float:
    """Choose the score above which a series alarms so many times a week, from its own past scores (P,).

    As many peaks of the past as that is in its time lie above. Where that is fewer than LEAST_PEAKS the threshold is as
    much less probable than the last of LEAST_PEAKS peaks as alarms shall be rarer than these; with fewer peaks in the
    past it is that of calibrated scores. `rest` is the number of steps within which a lasting anomaly alarms once.
    """
    peaks = np.sort(find_alarms(past, rest))
    return _choose(peaks[peaks > 0].tolist(), int(np.isfinite(past).sum()), alarms_per_week, steps_per_week)


def follow_thresholds(score: Floats, alarms_per_week: float, steps_per_week: float, rest: int) -> Floats:
    """Return (N,) the threshold of each step, as `choose_threshold` chooses it from all scores before."""
    thresholds = np.empty(len(score))
    peaks: list[float] = []
    seen = 0
    pairs = zip(find_alarms(score, rest).tolist(), np.isfinite(score).tolist(), strict=True)
    for step, (peak, finite) in enumerate(pairs):
        thresholds[step] = _choose(peaks, seen, alarms_per_week, steps_per_week)
        seen += finite
        if peak > 0:
            insort(peaks, peak)
    return thresholds


def _choose(peaks: list[float], seen: int, alarms_per_week: float, steps_per_week: float) -> float:
    """Choose a threshold by the ascending peaks of so many scores."""
    allowed = alarms_per_week * seen / steps_per_week
    needed = max(LEAST_PEAKS, ceil(allowed))
    if len(peaks) < needed:
        chance = min(1.0, alarms_per_week / steps_per_week)
    else:
        chance = compute_chance(peaks[-needed]) * min(1.0, allowed / needed)
    return bound_threshold(-NormalDist().inv_cdf(max(chance, 1e-300) / 2))


def count_steps_per_week(frequency: str) -> float:
    """Return how many steps of a frequency a week has."""
    return WEEK_US / parse_frequency(frequency).approximate_us


def convert_to_score(level: float) -> float:
    """Return the score that a share `level` of ordinary values does not exceed."""
    return NormalDist().inv_cdf((1 + level) / 2)


def convert_to_level(score: float) -> float:
    """Return the share of ordinary values that do not exceed a score."""
    return min(1 - compute_chance(score), GREATEST_LEVEL)


def compute_chance(score: float) -> float:
    """Return the share of ordinary values that exceed a score."""
    return erfc(score / sqrt(2))


def bound_threshold(threshold: float) -> float:
    """Keep a threshold where it means something."""
    return min(max(threshold, LEAST_THRESHOLD), GREATEST_THRESHOLD)
