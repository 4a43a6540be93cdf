"""Levels that have shifted once and for all: what was before says nothing of what comes.

A level has shifted where all values of a context before a step, and all after it, lie apart by several times the range
of either. Nothing else is told: trends, seasons and levels that wander fill the gap. Shapes: B windows, T context, L
steps of a series.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.config.model import Config

APART = 3.0
"""Ranges of the values on either side that lie between two levels: no season and no trend leaves so much room; a
judgement"""
LEAST_VALUES = 8
"""observed values on either side, and more than a season"""


def find_level_shifts(y: Floats, season: int) -> Ints:
    """Return where the newest level of contexts (B, T), NaN where missing, begins: (B,) positions, 0 where there is one
    level. Values of a season of `season` steps, or 1, belong to one level.

    Two constants are left alone: there is no chance in them that would tell a shift from a switch.
    """
    seen = ~np.isnan(y)
    low = np.where(seen, y, np.inf)
    high = np.where(seen, y, -np.inf)
    # of position p of the result: of the values before p + 1, and of those from it on
    before_low, before_high = np.minimum.accumulate(low, 1)[:, :-1], np.maximum.accumulate(high, 1)[:, :-1]
    after_low, after_high = _from_end(np.minimum, low)[:, 1:], _from_end(np.maximum, high)[:, 1:]
    count = np.cumsum(seen, 1)
    least = max(LEAST_VALUES, season + 1)
    enough = (count[:, :-1] >= least) & (count[:, -1:] - count[:, :-1] >= least) & seen[:, 1:]
    with np.errstate(invalid="ignore"):  # infinities where there are no values, which are not enough
        apart = np.maximum(after_low - before_high, before_low - after_high)
        spread = np.maximum(before_high - before_low, after_high - after_low)
        found = enough & (spread > 0) & (apart > APART * spread)
    return np.where(found.any(1), found.argmax(1) + 1, 0)


def _from_end(extreme: np.ufunc, values: Floats) -> Floats:
    """Accumulate values (B, T) from their end."""
    accumulated: Floats = extreme.accumulate(values[:, ::-1], 1)[:, ::-1]
    return accumulated


def hide_before_shifts(y: Floats, season: int) -> Floats:
    """Return contexts (B, T) without the values of levels before the newest one, not copied where there are none."""
    begins = find_level_shifts(y, season)
    if not begins.any():
        return y
    return np.where(np.arange(y.shape[1]) < begins[:, None], np.nan, y)


def count_shifts(y: Floats, config: Config) -> Ints:
    """Count the shifts of level up to each step of a series (L,), as windows of context and horizon show them: (L,).

    A forecast from before a shift knows nothing of it: what it has missed says nothing of it, either.
    """
    length = min(config.network.context_length + config.horizon, len(y))
    begins = np.zeros(len(y), np.int64)
    if length < 2 * LEAST_VALUES:
        return begins
    found = find_level_shifts(sliding_window_view(y, length), config.network.season_in_context)
    begins[(np.arange(len(found)) + found)[found > 0]] = 1
    return np.cumsum(begins)


def find_crossed(y: Floats, origins: Ints, targets: Ints, config: Config) -> NDArray[np.bool_]:
    """Find the targets (K, S) that lie beyond a shift of level from their origins (K,), positions in a series (L,).

    What lies after its end does not.
    """
    counts = count_shifts(y, config)
    last = len(y) - 1
    crossed: NDArray[np.bool_] = counts[np.minimum(targets, last)] > counts[np.minimum(origins, last)][:, None]
    return crossed
