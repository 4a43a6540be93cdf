"""Improbability of deviations, judged step by step by the earlier deviations of the same series.

A rolling form of split conformal prediction (Vovk et al. 2005; Lei et al. 2018): the probability of a deviation is the
share of the remembered ones that are as large. The largest few of those say little, and one huge value must not hide
later ones: beyond the base, which lies below them, the tail is a generalised Pareto distribution of fixed shape (peaks
over threshold: Pickands 1975; Siffer et al. 2017, "Anomaly detection in streams with extreme value theory"), as steep
at its beginning as between the shoulder and the base.

SciPy is imported by the functions that need it, so that an import of this module does not load it. Shapes: N steps,
R remembered deviations, M steps at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.arrays import Floats, Ints

REMEMBERED = 1000
"""R, the latest deviations that a step is compared with"""
PRIOR = 40
"""pseudo-counts: deviations of a calibrated normal forecast before the first, forgotten as others come"""
BASE, SHOULDER = 0.01, 0.1
"""shares of the deviations that lie beyond the base and beyond the shoulder"""
LEAST_BEYOND = 3
"""least number of deviations from the base on; four times as many from the shoulder on"""
LEAST_SLOPE = 0.15
"""least scale of the tail as a share of the base, that of a normal distribution: deviations that are all alike do not
end there"""
SHAPE = 0.2
"""shape of the tail, heavier than the normal one: 0 is exponential, 1/3 is Student's t with three degrees of freedom"""
AT_ONCE = 4096
"""steps of one computation"""


def half_normal(count: int) -> Floats:
    """Return (count,) ascending absolute values that are spread like those of standard normal ones."""
    from scipy.special import ndtri

    quantiles: Floats = ndtri((1 + (np.arange(count) + 0.5) / count) / 2)
    return quantiles


def judge_deviations(deviation: Floats, level: float, first: int = 0) -> tuple[Floats, Floats]:
    """Judge each deviation by those before it.

    Args:
        deviation: (N,) at least 0, NaN where there is none.
        level: between 0 and 1.
        first: number of the first step that is judged; those before it are remembered, and their results are NaN.

    Returns:
        (N,) the limit that an ordinary deviation does not exceed with the probability `level`, and (N,) the
        improbability of the step's deviation: the standard deviations at which a normal distribution is as improbable,
        NaN where there is none.
    """
    present = ~np.isnan(deviation)
    before = np.cumsum(present) - present
    past = np.concatenate([np.full(REMEMBERED - PRIOR, np.nan), half_normal(PRIOR), deviation[present]])
    windows = sliding_window_view(past, REMEMBERED)
    radius = np.full(len(deviation), np.nan)
    score = np.full(len(deviation), np.nan)
    for begin in range(first, len(deviation), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        tail = _Tail.of(windows[before[part]])
        radius[part] = tail.radius(level)
        score[part] = tail.score(deviation[part])
    return radius, score


@dataclass(frozen=True, eq=False)
class _Tail:
    """The distributions of the remembered deviations of M steps."""

    ordered: Floats
    """(M, R) ascending, NaN last where fewer are remembered"""
    count: Ints
    """(M,) number of remembered deviations"""
    share: Floats
    """(M,) share of the deviations from the base on"""
    base: Floats
    """(M,) deviation at which the tail begins"""
    slope: Floats
    """(M,) scale of the tail beyond the base"""

    @staticmethod
    def of(windows: Floats) -> "_Tail":
        """Measure the tails of windows (M, R), NaN where a deviation is not there."""
        ordered = np.sort(windows, axis=-1)  # NaN last
        count = (~np.isnan(ordered)).sum(-1)
        rows = np.arange(len(ordered))
        beyond = np.maximum((BASE * (count + 1)).astype(np.int64), LEAST_BEYOND)
        shoulder = np.maximum((SHOULDER * count).astype(np.int64), 4 * beyond)
        base = ordered[rows, count - beyond]
        low = ordered[rows, count - shoulder]
        slope = (base - low) / np.log(shoulder / beyond)
        least_slope = LEAST_SLOPE * np.maximum(base, 1.0)
        return _Tail(ordered, count, beyond / (count + 1), base, np.maximum(slope, least_slope))

    def radius(self, level: float) -> Floats:
        """Return the deviations (M,) that a share `level` does not exceed."""
        rank = np.ceil((self.count + 1) * level - 1e-9).astype(np.int64)
        within = self.ordered[np.arange(len(rank)), np.clip(rank, 1, self.count) - 1]
        beyond = self.base + self.slope * ((self.share / (1 - level)) ** SHAPE - 1) / SHAPE
        return np.where(self.share <= 1 - level, within, beyond)

    def score(self, deviation: Floats) -> Floats:
        """Return the improbability (M,) of deviations (M,), in standard deviations of a normal distribution."""
        from scipy.special import ndtri_exp

        larger = (self.ordered >= deviation[:, None]).sum(-1)
        within = np.log((larger + 1) / (self.count + 1))
        excess = np.maximum(deviation - self.base, 0.0) / self.slope
        beyond = np.log(self.share) - np.log1p(SHAPE * excess) / SHAPE
        chance = np.where(deviation > self.base, beyond, within)
        score: Floats = -ndtri_exp(chance - np.log(2))
        return np.where(np.isnan(deviation), np.nan, score)
