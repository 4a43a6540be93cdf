"""Forecasts by the pretrained network of any series: what it is told, and what stands beside it.

Weeks and coarser steps are the domain of smoothing models: there these have a share of the median, chosen by what both
missed at earlier origins of the same context. Nothing here loads torch or a runtime.

Shapes: B contexts, T steps, H horizon, Q levels, K origins.
"""

from collections.abc import Callable, Sequence
from math import log

import numpy as np

from models.arrays import ROUNDING, Floats, Ints
from models.classical.averaged import forecast_averaged
from models.pretrained.contexts import REACH, lay_out
from models.pretrained.periods import find_periods

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""that the network forecasts"""
TAILS = (0.01, 0.05)
"""levels below those, and their mirror images above, that exponential tails give"""
ALL_LEVELS = (*TAILS, *LEVELS, *(round(1 - level, 2) for level in reversed(TAILS)))
"""that are published"""
MEDIAN = LEVELS.index(0.5)
LEAST_KNOWN = 8
"""steps before the earlier origin at which the network and the smoothing models are compared"""
PRIOR = 0.7
"""share of the smoothing models where nothing can be compared"""
PRIOR_ORIGINS = 2.0
"""Origins that the prior is worth. One origin is compared: three cost twice the time and gain 0.5 %"""
POWER = 4.0
"""Power of the errors whose inverses weigh. On the ends of the training parts of years, quarters and months (M3) the
network alone missed 0.87, 0.68 and 0.85 of season-naive's error, the smoothing models 0.79, 0.65 and 0.76, both so
weighed 0.80, 0.65 and 0.77; of Australian months 0.76, 0.92 and 0.81. On days the network alone was best"""

UNSEASONAL_SPREAD = 1.4
"""Factor of the levels' distances from the median where the frequency suggests no season: the 80 % intervals of the
ends of the training parts of years (M3, M4) held 67 and 65 %, so widened 80 and 77 %; those of quarters and months 80
and 82 % as they are"""

Network = Callable[[Floats, Ints, Ints], Floats]
"""(y, periods, segments) of `models.pretrained.contexts` -> quantiles (B, steps, Q)"""


def forecast_any(
    network: Network, contexts: Floats, hints: Sequence[int], horizon: int, *, is_coarse: bool = False
) -> Floats:
    """Forecast contexts (B, T), NaN where missing, by H steps: quantiles (B, H, Q), ascending.

    Args:
        network: runs the pretrained network.
        contexts: with one observed value each at least.
        hints: season lengths that the frequency suggests, in steps.
        horizon: H.
        is_coarse: whether a step is a week at least: smoothing models have a share.
    """
    quantiles = _run(network, contexts, hints, horizon)
    if is_coarse:
        season = hints[0] if hints else 1
        points = forecast_averaged(contexts, season, horizon)  # (B, H)
        shares = _weigh(network, contexts, hints, horizon)[:, None]
        middle = quantiles[..., MEDIAN]
        spread = (quantiles - middle[..., None]) * (1.0 if hints else UNSEASONAL_SPREAD)
        quantiles = (middle + shares * (points - middle))[..., None] + spread
    return _hold_constants(np.sort(quantiles, axis=-1), contexts)


def map_levels(levels: Sequence[float]) -> Floats:
    """Return what quantiles (..., 9) at `LEVELS` are multiplied by to be those at other levels: (9, Q).

    Between two levels they lie on a line. Beyond the outermost ones the tails are exponential, each through the two
    quantiles on its side, as the mean has them (`models.inference.means`).
    """
    columns = np.zeros((len(LEVELS), len(levels)))
    for column, level in enumerate(levels):
        low = min(level, 1 - level)
        if low < LEVELS[0] - ROUNDING:
            growth = log(low / LEVELS[0]) / log(LEVELS[0] / LEVELS[1])
            outer, inner = (0, 1) if level < LEVELS[MEDIAN] else (-1, -2)
            columns[outer, column], columns[inner, column] = 1 + growth, -growth
        else:
            columns[:, column] = [np.interp(level, LEVELS, unit) for unit in np.eye(len(LEVELS))]
    return columns


def _run(network: Network, contexts: Floats, hints: Sequence[int], horizon: int) -> Floats:
    y, segments = lay_out(contexts, horizon)
    return network(y, find_periods(contexts, hints), segments)[:, :horizon]


def _weigh(network: Network, contexts: Floats, hints: Sequence[int], horizon: int) -> Floats:
    """Return the share (B,) of the smoothing models, by both's errors at an earlier origin of each context."""
    observed = (~np.isnan(contexts)).sum(1)
    ahead = np.minimum(min(horizon, REACH), np.maximum(1, observed // 4))
    errors = np.zeros((len(contexts), 2))
    compared = np.zeros(len(contexts))
    for steps in np.unique(ahead).tolist():
        rows = np.flatnonzero(ahead == steps)
        found, chosen = _compare(network, contexts[rows], hints, steps)
        errors[rows[chosen]] = found
        compared[rows[chosen]] = 1
    total = errors.sum(1, keepdims=True)
    power = np.where(total > 0, errors / np.where(total > 0, total, 1.0), 0.5) ** POWER  # both alike: halves
    share = power[:, 0] / power.sum(1)
    return np.asarray((compared * share + PRIOR_ORIGINS * PRIOR) / (compared + PRIOR_ORIGINS))


def _compare(network: Network, contexts: Floats, hints: Sequence[int], ahead: int) -> tuple[Floats, Ints]:
    """Return what the network and the smoothing models missed (n, 2) of the last steps, and the rows (n,) of the
    contexts that are long enough."""
    end = contexts.shape[1] - ahead
    first = np.argmax(~np.isnan(contexts), axis=1)
    rows = np.flatnonzero(end - first >= LEAST_KNOWN)
    rows = rows[(~np.isnan(contexts[rows, end:])).any(1)]
    if not len(rows):
        return np.empty((0, 2)), rows
    known, actual = contexts[rows, :end], contexts[rows, end:]
    own = _run(network, known, hints, ahead)[..., MEDIAN]
    other = forecast_averaged(known, hints[0] if hints else 1, ahead)
    missed = [np.nanmean(np.abs(forecast - actual), 1) for forecast in (own, other)]
    return np.stack(missed, axis=1), rows


def _hold_constants(quantiles: Floats, contexts: Floats) -> Floats:
    """Replace the quantiles (B, H, Q) of contexts (B, T) that never change by their value."""
    low, high = np.nanmin(contexts, axis=1), np.nanmax(contexts, axis=1)
    constant = high - low <= ROUNDING * np.abs(high)
    return np.where(constant[:, None, None], high[:, None, None], quantiles)
