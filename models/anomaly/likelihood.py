"""Improbability of a measure among those before it, and of its mean over some steps.

The likelihood of anomalies of Ahmad, Lavin, Purdy and Agha 2017 ("Unsupervised real-time anomaly detection for
streaming data"): a short mean is compared with the distribution of earlier ones. All values are -log10 of a
probability; nothing about a step depends on a later one. Shapes: N steps.
"""

from bisect import bisect_left, insort
from collections import deque
from math import log, log10

import numpy as np
import pandas as pd

from models.arrays import Floats

REMEMBERED = 4000
"""latest steps that a step is compared with"""
LEAST_SEEN = 50
"""steps before from which on the distribution of means is known"""
GREATEST = 10.0
"""improbability of one measure: above it the tails of a normal distribution are guesses"""
TINY = 1e-6
"""least standard deviation of what is compared"""


def rank_improbability(measure: Floats) -> Floats:
    """Return (N,) -log10 of the share of the latest measures (N,) that are as large; NaN for the first one."""
    ordered: list[float] = []
    latest: deque[float] = deque()
    found = np.full(len(measure), np.nan)
    for step, value in enumerate(measure.tolist()):
        if ordered:
            larger = len(ordered) - bisect_left(ordered, value)
            found[step] = log10((len(ordered) + 1) / (larger + 1))
        insort(ordered, value)
        latest.append(value)
        if len(latest) > REMEMBERED:
            del ordered[bisect_left(ordered, latest.popleft())]
    return found


def compare_means(improbability: Floats, steps: int) -> Floats:
    """Return (N,) -log10 of the upper tail of the mean over the latest `steps`, among the means before it.

    Zero where it is not above them, at most GREATEST, NaN for the first steps.
    """
    from scipy.special import log_ndtr

    mean = pd.Series(improbability).rolling(steps, min_periods=1).mean()
    before = mean.shift(1).rolling(REMEMBERED, min_periods=LEAST_SEEN)
    units = ((mean - before.mean()) / before.std(ddof=0).clip(lower=TINY)).to_numpy(np.float64)
    found: Floats = np.minimum(-log_ndtr(-units) / log(10), GREATEST)
    return found
