"""Season lengths of a context, by its autocorrelation: what the pretrained network is told beside the values.

Shapes: B contexts, T steps, L lags.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats, Ints

COUNT = 2
"""season lengths of a context"""
LEAST_CYCLES = 2
"""of a season that a context must hold"""
SHORTEST = 2
"""steps of a season"""
THRESHOLD = 0.1
"""Least autocorrelation of a season"""
SIGNIFICANT = 2.0
"""standard errors of white noise's autocorrelation, 1/sqrt(T), that a season's lies above"""
CLOSE = 0.9
"""Autocorrelation of the first season, as a share of the greatest: a week rather than two or three of them"""
CLOSER = 0.95
"""the same of the second season, if it is longer"""
SHARE = 0.5
"""Autocorrelation of a shorter season, such as a day beside the week, as a share of the first one's"""
NEAR = 0.02
"""share of a suggested season by which a peak may miss it, and one step"""
APART = 1.25
"""times that two seasons differ at least"""


def find_periods(contexts: Floats, hints: Sequence[int] = ()) -> Ints:
    """Find the season of each context (B, T), NaN where missing, and another one: (B, 2) steps, 0 for none.

    The first is the shortest lag whose autocorrelation is about as high as the highest peak. The other one is the
    shortest before it that has half of its autocorrelation, such as a day beside a week, or else the highest peak
    elsewhere.

    Args:
        contexts: at least a season of values each.
        hints: season lengths that the frequency suggests: peaks near to them are taken for them, and lower ones count.
    """
    correlation = compute_autocorrelation(contexts)  # (B, L)
    periods = np.zeros((len(contexts), COUNT), np.int64)
    if correlation.shape[1] <= SHORTEST + 1:
        return periods
    lags = np.arange(correlation.shape[1])
    observed = (~np.isnan(contexts)).sum(1)[:, None]
    inside = correlation[:, 1:-1]
    peak = np.zeros(correlation.shape, bool)
    peak[:, 1:-1] = (inside >= correlation[:, :-2]) & (inside > correlation[:, 2:])
    peak &= correlation > THRESHOLD + SIGNIFICANT / np.sqrt(np.maximum(observed, 1))
    for hint in hints:
        if SHORTEST <= hint < len(lags):
            near = np.abs(lags - hint) <= max(1, int(NEAR * hint))
            high = correlation[:, hint] >= CLOSE * correlation[:, near].max(1)
            peak[:, near] &= ~high[:, None]
            peak[:, hint] |= high & (correlation[:, hint] > THRESHOLD)
    peak &= (lags >= SHORTEST) & (lags * LEAST_CYCLES <= observed)
    favoured = np.where(np.isin(lags, hints), 1 / CLOSE, 1.0)
    height = np.where(peak, correlation * favoured, -np.inf)
    best = height.max(1)
    has_first = np.isfinite(best)
    first = (height >= CLOSE * np.where(has_first, best, np.inf)[:, None]).argmax(1)
    level = np.take_along_axis(height, first[:, None], 1)  # (B, 1)
    ratio = lags[None] / np.maximum(first, 1)[:, None]
    shorter = peak & (ratio < 1 / APART) & (height >= SHARE * level)
    elsewhere = peak & ((ratio < 1 / APART) | (ratio > APART))
    others = np.where(elsewhere, height, -np.inf)
    highest = others.max(1, keepdims=True)
    strongest = (others >= CLOSER * np.where(np.isfinite(highest), highest, np.inf)).argmax(1)
    second = np.where(shorter.any(1), shorter.argmax(1), np.where(elsewhere.any(1), strongest, 0))
    periods[:, 0] = np.where(has_first, first, 0)
    periods[:, 1] = np.where(has_first, second, 0)
    return periods


def compute_autocorrelation(contexts: Floats) -> Floats:
    """Compute the autocorrelation of contexts (B, T) without their linear trend, at lags 0 to T / 2: (B, L).

    Each lag is divided by the number of pairs of which both are observed.
    """
    length = contexts.shape[1]
    seen = ~np.isnan(contexts)
    weight = seen.astype(np.float64)
    values = np.where(seen, contexts, 0.0)
    count = np.maximum(weight.sum(1, keepdims=True), 1.0)
    values = np.where(seen, values - values.sum(1, keepdims=True) / count, 0.0)
    time = np.where(seen, np.arange(length) - (weight * np.arange(length)).sum(1, keepdims=True) / count, 0.0)
    slope = (values * time).sum(1, keepdims=True) / np.maximum((time * time).sum(1, keepdims=True), 1e-30)
    values -= slope * time
    spread = np.sqrt((values * values).sum(1, keepdims=True) / count)
    values /= np.where(spread > 0, spread, 1.0)
    width = 1 << (2 * length - 1).bit_length()
    kept = length // LEAST_CYCLES + 2  # one beyond the longest season, which a peak is compared with
    products = np.fft.irfft(np.abs(np.fft.rfft(values, width)) ** 2, width)[:, :kept]
    pairs = np.fft.irfft(np.abs(np.fft.rfft(weight, width)) ** 2, width)[:, :kept]
    return np.asarray(products / np.maximum(np.round(pairs), 1.0))
