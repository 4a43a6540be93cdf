"""How improbable a deviation is, by the series' own earlier ones, followed from step to step.

A rolling form of split conformal prediction (Vovk et al. 2005; Lei et al. 2018): a deviation is as probable as the
share of the remembered ones that are as large. The largest few of those say little, and one huge value must not hide
what follows: beyond the base, which lies below them, the tail is a generalised Pareto law of fixed shape (peaks over
threshold: Pickands 1975; Siffer et al. 2017, "Anomaly detection in streams with extreme value theory"), as steep at its
beginning as between the shoulder and the base. N steps, R deviations that are remembered.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.arrays import Floats, Ints

REMEMBERED = 1000
PRIOR = 40
"""Deviations of a right normal forecast that stand before the first, and are forgotten as others come"""
BASE, SHOULDER = 0.01, 0.1
"""Shares of the deviations that lie beyond"""
LEAST_BEYOND = 3
"""Deviations from the base on, however few there are; four times as many from the shoulder on"""
LEAST_SLOPE = 0.15
"""Scale of the tail as a share of the base, that of a normal law: deviations that are all alike do not end there"""
SHAPE = 0.2
"""0 is an exponential tail, 1/3 that of Student's t with three degrees of freedom: heavier than the normal one"""
AT_ONCE = 4096


def half_normal(count: int) -> Floats:
    """Return (count,) ascending absolute values that are spread like those of standard normal ones."""
    from scipy.special import ndtri

    found: Floats = ndtri((1 + (np.arange(count) + 0.5) / count) / 2)
    return found


def followed(deviation: Floats, level: float) -> tuple[Floats, Floats]:
    """Judge each step (N,) by what came before it.

    Args:
        deviation: (N,) at least 0, NaN where there is none.
        level: between 0 and 1.

    Returns:
        (N,) what an ordinary deviation does not exceed with the probability `level`, and (N,) how improbable the
        step's own is: the standard deviations at which a normal law is as improbable, NaN where there is none.
    """
    known = ~np.isnan(deviation)
    before = np.cumsum(known) - known
    past = np.concatenate([np.full(REMEMBERED - PRIOR, np.nan), half_normal(PRIOR), deviation[known]])
    windows = sliding_window_view(past, REMEMBERED)
    radius, score = np.empty(len(deviation)), np.empty(len(deviation))
    for part in (slice(at, at + AT_ONCE) for at in range(0, len(deviation), AT_ONCE)):
        tail = _Tail.of(windows[before[part]])
        radius[part], score[part] = tail.radius(level), tail.score(deviation[part])
    return radius, score


@dataclass(frozen=True, eq=False)
class _Tail:
    """The remembered deviations of M steps."""

    ordered: Floats
    """(M, R) ascending, NaN last where fewer are remembered"""
    count: Ints
    """(M,)"""
    share: Floats
    """(M,) of the deviations from the base on"""
    base: Floats
    """(M,)"""
    slope: Floats
    """(M,) scale of the tail beyond the base"""

    @staticmethod
    def of(windows: Floats) -> "_Tail":
        """Measure the tails of windows (M, R), NaN where a deviation is not there."""
        ordered = np.sort(windows, axis=-1)  # NaN last
        count, rows = (~np.isnan(ordered)).sum(-1), np.arange(len(ordered))
        beyond = np.maximum((BASE * (count + 1)).astype(np.int64), LEAST_BEYOND)
        shoulder = np.maximum((SHOULDER * count).astype(np.int64), 4 * beyond)
        base, low = ordered[rows, count - beyond], ordered[rows, count - shoulder]
        slope = (base - low) / np.log(shoulder / beyond)
        return _Tail(ordered, count, beyond / (count + 1), base, np.maximum(slope, LEAST_SLOPE * np.maximum(base, 1.0)))

    def radius(self, level: float) -> Floats:
        """Return (M,) what a share `level` does not exceed."""
        rank = np.ceil((self.count + 1) * level - 1e-9).astype(np.int64)
        within = self.ordered[np.arange(len(rank)), np.clip(rank, 1, self.count) - 1]
        beyond = self.base + self.slope * ((self.share / (1 - level)) ** SHAPE - 1) / SHAPE
        return np.where(self.share <= 1 - level, within, beyond)

    def score(self, deviation: Floats) -> Floats:
        """Return (M,) how improbable deviations (M,) are, in standard deviations of a normal law."""
        larger = (self.ordered >= deviation[:, None]).sum(-1)
        within = np.log((larger + 1) / (self.count + 1))
        excess = np.maximum(deviation - self.base, 0.0) / self.slope
        beyond = np.log(self.share) - np.log1p(SHAPE * excess) / SHAPE
        chance = np.where(deviation > self.base, beyond, within)
        from scipy.special import ndtri_exp

        score: Floats = -ndtri_exp(chance - np.log(2))
        return np.where(np.isnan(deviation), np.nan, score)
