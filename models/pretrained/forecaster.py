"""Forecasts by the pretrained network of any series: what it is told, and what stands beside it.

Short histories without a season, such as years, are the domain of smoothing models: there the theta method has a share
of the median, chosen by what both missed at earlier origins of the same context. Nothing here loads torch or a runtime.

Shapes: B contexts, T steps, H horizon, Q levels, K origins.
"""

from collections.abc import Callable, Sequence
from math import log

import numpy as np

from models.arrays import ROUNDING, Floats, Ints
from models.classical.theta import forecast_theta
from models.pretrained.contexts import REACH, lay_out
from models.pretrained.periods import find_periods

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""that the network forecasts"""
TAILS = (0.01, 0.05)
"""levels below those, and their mirror images above, that exponential tails give"""
ALL_LEVELS = (*TAILS, *LEVELS, *(round(1 - level, 2) for level in reversed(TAILS)))
"""that are published"""
MEDIAN = LEVELS.index(0.5)
LONGEST_SMOOTHED = 256
"""observed steps of a context in which the theta method has a share"""
ORIGINS = 3
"""earlier origins at which both are compared"""
LEAST_KNOWN = 8
"""steps before the earliest of them"""
PRIOR = 0.5
"""share of the theta method where nothing can be compared"""
PRIOR_ORIGINS = 0.5
"""origins that the prior is worth"""
POWER = 4.0
"""Power of the errors whose inverses weigh. On the ends of the training parts of yearly series (M3, M4) the network
alone missed 0.92 and 0.76 of season-naive's error, the theta method 0.92 and 0.85, both so weighed 0.89 and 0.74. On
quarters and months the network alone was best"""

Network = Callable[[Floats, Ints, Ints], Floats]
"""(y, periods, segments) of `models.pretrained.contexts` -> quantiles (B, steps, Q)"""


def forecast_any(network: Network, contexts: Floats, hints: Sequence[int], horizon: int) -> Floats:
    """Forecast contexts (B, T), NaN where missing, by H steps: quantiles (B, H, Q), ascending.

    Args:
        network: runs the pretrained network.
        contexts: with one observed value each at least.
        hints: season lengths that the frequency suggests, in steps.
        horizon: H.
    """
    quantiles = _run(network, contexts, hints, horizon)
    smoothed = np.flatnonzero((~np.isnan(contexts)).sum(1) <= LONGEST_SMOOTHED)
    if len(smoothed) and not hints:
        points = np.stack([forecast_theta(context, horizon) for context in contexts[smoothed]])  # (., H)
        shares = _weigh(network, contexts[smoothed], horizon)[:, None]
        middle = quantiles[smoothed][..., MEDIAN]
        quantiles[smoothed] += (shares * (points - middle))[..., None]
    return _hold_constants(np.sort(quantiles, axis=-1), contexts)


def extend_tails(quantiles: Floats) -> Floats:
    """Return quantiles (..., 13) at `ALL_LEVELS` of those (..., 9) at `LEVELS`.

    Beyond the outermost levels the tails are exponential, each through the two quantiles on its side, as the mean has
    them (`models.inference.means`).
    """
    growth = [log(level / LEVELS[0]) / log(LEVELS[0] / LEVELS[1]) for level in TAILS]
    below = [quantiles[..., 0] + one * (quantiles[..., 0] - quantiles[..., 1]) for one in growth]
    above = [quantiles[..., -1] + one * (quantiles[..., -1] - quantiles[..., -2]) for one in reversed(growth)]
    return np.concatenate([np.stack(below, -1), quantiles, np.stack(above, -1)], axis=-1)


def _run(network: Network, contexts: Floats, hints: Sequence[int], horizon: int) -> Floats:
    y, segments = lay_out(contexts, horizon)
    return network(y, find_periods(contexts, hints), segments)[:, :horizon]


def _weigh(network: Network, contexts: Floats, horizon: int) -> Floats:
    """Return the share (B,) of the theta method, by both's errors at earlier origins."""
    observed = (~np.isnan(contexts)).sum(1)
    first = np.argmax(~np.isnan(contexts), axis=1)
    length = contexts.shape[1]
    ahead = int(min(horizon, REACH, max(1, observed.min() // 4)))
    errors = np.zeros((len(contexts), 2))
    count = np.zeros(len(contexts))
    for back in range(1, ORIGINS + 1):
        end = length - back * ahead
        rows = np.flatnonzero(end - first >= LEAST_KNOWN)
        rows = rows[(~np.isnan(contexts[rows, end : end + ahead])).any(1)] if len(rows) else rows
        if not len(rows):
            break
        known = contexts[rows, :end]
        actual = contexts[rows, end : end + ahead]
        own = _run(network, known, (), ahead)[..., MEDIAN]
        other = np.stack([forecast_theta(one, ahead) for one in known])
        errors[rows, 0] += np.nanmean(np.abs(own - actual), 1)
        errors[rows, 1] += np.nanmean(np.abs(other - actual), 1)
        count[rows] += 1
    total = errors.sum(1, keepdims=True)
    power = np.where(total > 0, errors / np.where(total > 0, total, 1.0), PRIOR) ** POWER  # both alike: halves
    found = power[:, 0] / power.sum(1)
    return np.asarray((count * found + PRIOR_ORIGINS * PRIOR) / (count + PRIOR_ORIGINS))


def _hold_constants(quantiles: Floats, contexts: Floats) -> Floats:
    """Replace the quantiles (B, H, Q) of contexts (B, T) that never change by their value."""
    low, high = np.nanmin(contexts, axis=1), np.nanmax(contexts, axis=1)
    constant = high - low <= ROUNDING * np.abs(high)
    return np.where(constant[:, None, None], high[:, None, None], quantiles)
