"""The mean of a forecast distribution, from its quantiles.

The mean is the integral of the quantile function over the levels. Between the levels the function is taken as straight
lines; beyond the outermost ones the tails are exponential, as in Quinonero-Candela et al. 2006 ("Evaluating predictive
uncertainty challenge"), each through the two quantiles on its side: the mean of what lies above the level q_n is
Q(q_n) + (Q(q_n) - Q(q_n-1)) / log((1 - q_n-1) / (1 - q_n)), and that below the first one its mirror image. The
integral is a weighted sum of the quantiles, whose weights depend on the levels alone.

Shapes: H horizon, Q quantiles.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import log

import numpy as np

from models.arrays import Floats
from models.config.model import median_position


@lru_cache(maxsize=1000)
def compute_mean_weights(levels: tuple[float, ...]) -> tuple[float, ...]:
    """Compute the weight (Q,) of each quantile in the mean; they add up to 1.

    Levels on one side of the median alone say nothing of the other, which is taken to mirror it: then the mean is the
    median.
    """
    weights = np.zeros(len(levels))
    if not levels[0] < 0.5 < levels[-1]:
        weights[median_position(levels)] = 1.0
        return tuple(weights.tolist())
    widths = np.diff(levels) / 2  # of the trapezoids
    weights[:-1] += widths
    weights[1:] += widths
    _add_tail(weights, levels[0], levels[1], inner=1, outer=0)
    _add_tail(weights, 1 - levels[-1], 1 - levels[-2], inner=-2, outer=-1)
    return tuple(weights.tolist())


def _add_tail(weights: Floats, probability: float, before: float, inner: int, outer: int) -> None:
    """Add the weights of a tail of some probability, that of its next level being `before`."""
    excess = probability / log(before / probability)
    weights[outer] += probability + excess
    weights[inner] -= excess


def compute_mean(quantiles: Sequence[Floats] | Floats, levels: Sequence[float]) -> Floats:
    """Compute the mean (H,) or (B, H) of quantiles (Q, H) or (Q, B, H) at ascending levels that 0.5 is among."""
    values = np.asarray(quantiles)
    median = values[median_position(levels)]  # (H,)
    mean: Floats = median + np.tensordot(np.array(compute_mean_weights(tuple(levels))), values - median, axes=1)
    return mean
