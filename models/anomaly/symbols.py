"""Surprise of values as symbols: which level follows which, by a Markov model of variable order.

Levels are bins of equal width over the range so far, and one beyond it at each side. The probability of a symbol after
the latest ones is smoothed by that after fewer of them, by half of the number of different followers (prediction by
partial matching; the contexts of Smirnov's CAD OSE on the Numenta Anomaly Benchmark). Shapes: N steps.
"""

from math import log10

import numpy as np

from models.anomaly.stages import list_stages
from models.arrays import Floats, Ints

SMOOTHING = 0.5
"""weight of shorter contexts, for each different follower"""


def measure_surprise(y: Floats, bins: int, order: int) -> Floats:
    """Return (N,) -log10 of the probability of each value's bin after the `order` before it; NaN for the first ones."""
    found = np.full(len(y), np.nan)
    for stage in list_stages(len(y)):
        known = y[: stage.learned]
        symbols = _cut_into_bins(y[: stage.end], float(known.min()), float(known.max()), bins)
        found[stage.learned : stage.end] = _surprise(symbols, stage.learned, bins + 2, order)
    return found


def _cut_into_bins(y: Floats, low: float, high: float, bins: int) -> Ints:
    """Return the bin of each value (N,): 0 below the range, `bins` + 1 above it."""
    position = np.floor((y - low) / ((high - low) or 1.0) * bins)
    position = np.where(y == high, bins - 1, np.clip(position, -1, bins))
    return position.astype(np.int64) + 1


def _surprise(symbols: Ints, first: int, kinds: int, order: int) -> Floats:
    """Return the surprise of the symbols from `first` on, each counted after it was judged."""
    counts: dict[tuple[int, ...], dict[int, int]] = {}
    totals: dict[tuple[int, ...], int] = {}
    listed = symbols.tolist()
    found = np.empty(len(listed) - first)
    for step, symbol in enumerate(listed):
        contexts = [tuple(listed[step - length : step]) for length in range(min(order, step) + 1)]
        if step >= first:
            chance = 1 / kinds
            for context in contexts:
                followers = counts.get(context)
                if followers is not None:
                    weight = SMOOTHING * len(followers)
                    chance = (followers.get(symbol, 0) + weight * chance) / (totals[context] + weight)
            found[step - first] = -log10(chance)
        for context in contexts:
            followers = counts.setdefault(context, {})
            followers[symbol] = followers.get(symbol, 0) + 1
            totals[context] = totals.get(context, 0) + 1
    return found
