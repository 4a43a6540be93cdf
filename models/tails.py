"""How far scores reach: what a share of a series' earlier scores did not exceed, followed from step to step.

A rolling form of split conformal prediction (Vovk et al. 2005; Lei et al. 2018). Where too few scores were seen to
know a level, the tail above their ninth decile is taken for an exponential one (peaks over threshold, Pickands 1975;
Siffer et al. 2017, "Anomaly detection in streams with extreme value theory"). N steps, R scores that are remembered.
"""

from math import log

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REMEMBERED = 500
"""Scores that a radius is learned from"""
PRIOR = 40
"""Scores of a right normal forecast that stand before the first, and fade as others come"""
THRESHOLD = 0.9
"""Where the tail begins"""
FARTHEST = 3.0
"""A radius is this many times that of the exponential tail at most: a few huge values must not hide what follows"""
AT_ONCE = 4096


def half_normal(count: int) -> Floats:
    """Return (count,) ascending absolute values that are spread like those of standard normal ones."""
    found: Floats = ndtri((1 + (np.arange(count) + 0.5) / count) / 2)
    return found


def radii(score: Floats, level: float) -> Floats:
    """Return for each step (N,) what a share `level` of the scores before it did not exceed.

    `score` (N,) is at least 0, NaN where there is none; those after a step have no part in what is returned for it.
    """
    known = ~np.isnan(score)
    before = np.cumsum(known) - known
    ahead = np.full(REMEMBERED - PRIOR, np.nan)
    windows = sliding_window_view(np.concatenate([ahead, half_normal(PRIOR), score[known]]), REMEMBERED)
    chunks = (windows[at : at + AT_ONCE] for at in range(0, len(windows), AT_ONCE))
    found: Floats = np.concatenate([_radius(chunk, level) for chunk in chunks])[before]
    return found


def _radius(windows: Floats, level: float) -> Floats:
    """Return the radius of each window (M, R) of scores, NaN where there is none yet."""
    ordered = np.sort(windows, axis=-1)  # NaN last
    count = (~np.isnan(ordered)).sum(-1)
    rows, start = np.arange(len(ordered)), np.ceil(THRESHOLD * count).astype(np.int64)
    threshold = ordered[rows, start - 1]
    # the median of an exponential excess is log 2 of its mean, and huge values do not move it
    middle = ordered[rows, (start + count - 1) // 2]
    slope = (middle - threshold) / log(2)
    far = threshold + slope * max(log((1 - THRESHOLD) / (1 - level)), 0.0)
    farthest = FARTHEST * np.maximum(far, ndtri((1 + level) / 2))
    rank = np.ceil((count + 1) * level).astype(np.int64)
    seen = ordered[rows, np.minimum(rank, count) - 1]
    found: Floats = np.where(rank <= count, np.minimum(seen, farthest), far)
    return found
