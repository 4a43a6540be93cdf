"""The floors: season-naive, naive and drift, which cost nothing and which every champion must beat.

Errors that differ by rounding are level, and level is good enough: nobody is worse off. A floor may moreover be exact:
of data that repeat themselves, or lie on a line, its error is rounding, and no forecast is ahead of it. There a network
counts as level as long as what it misses is a small part of what the series does. Everywhere else nothing but a smaller
error will do, once there are windows enough to tell: of a short history a gate has one to a handful, and there a floor
is ahead by luck alone as often as not.

Shapes: B windows, H horizon.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from models.arrays import ROUNDING, Floats
from models.evaluation import metrics
from models.evaluation.scoring import Windows

FLOORS: Mapping[str, str] = {"season_naive": "season-naive", "naive": "naive", "drift": "drift"}
"""name among `models.evaluation.baselines` -> what it is called"""
MEASURE = "mase"
"""scale-free, so that a panel's large series do not outvote the small; mean absolute error where it is undefined"""
LEVEL = 0.1
"""Share of a series' standard deviation by which a network may miss what a floor forecasts exactly: 99 hundredths of
the variance are explained then. By default settings networks miss a repetition by 0.0001, a line by 0.002 to 0.04"""
LEAST_SPREAD = 1e-3
"""Least standard deviation, as a share of the size of the values: a constant has none"""
FEW = 8
"""windows, below which a floor's lead must be more than chance"""
SCATTER = 0.3
"""Standard deviation of the difference between two forecasts' errors on one window, as a share of the floor's error.
Textbook series, our own forecasts against the three floors: 0.25 to 0.4"""
PRIOR_WINDOWS = 4
"""windows that `SCATTER` is worth beside the windows' own differences"""
CHANCE = 2.13
"""standard errors that the luckiest of three floors is ahead by in one gate of twenty"""


def compare(ours: Mapping[str, float], other: Mapping[str, float]) -> tuple[bool, str]:
    """Say whether the first measures are better than the others, and by which numbers."""
    measure = _choose_measure((ours, other))
    mine = ours.get(measure, np.nan)
    theirs = other.get(measure, np.nan)
    return bool(mine < theirs), f"{measure} {mine:.4g} against {theirs:.4g}"


def choose_best(measured: Mapping[str, Mapping[str, float] | None]) -> str:
    """Return the floor with the smallest error among the measures of a version; season-naive where there are none."""
    known = {name: values for name in FLOORS if (values := measured.get(name))}
    measure = _choose_measure(list(known.values()))
    return min(known, key=lambda name: known[name].get(measure, np.inf), default="season_naive")


def _choose_measure(measured: Sequence[Mapping[str, float]]) -> str:
    return MEASURE if all(MEASURE in values for values in measured) else "mae"


def is_tie(windows: Windows, point: Floats, other: Floats) -> bool:
    """Say whether the errors of two forecasts (B, H) differ by no more than rounding of the series' own sizes."""
    size = _measure_sizes(windows)
    ours = metrics.mae(windows.actual / size, point / size)
    theirs = metrics.mae(windows.actual / size, other / size)
    return abs(ours - theirs) <= ROUNDING


def _measure_sizes(windows: Windows) -> Floats:
    """Return the size of each window's history, 1 where that is all zeros: (B, 1)."""
    return np.where(windows.size > 0, windows.size, 1.0)


def is_level(windows: Windows, point: Floats, floor: Floats) -> bool:
    """Say whether a forecast ties with a floor, or is as good as one that is exact: point (B, H), floor (B, H)."""
    if is_tie(windows, point, floor):
        return True
    size = _measure_sizes(windows)
    if not metrics.mae(windows.actual / size, floor / size) <= ROUNDING:
        return False
    spread = np.maximum(windows.spread, LEAST_SPREAD * size)  # (B, 1)
    return metrics.mae(windows.actual / spread, point / spread) <= LEVEL


def is_within_chance(windows: Windows, point: Floats, floor: Floats) -> bool:
    """Say whether a floor's lead on fewer than `FEW` windows is luck: point (B, H), floor (B, H).

    The lead is a mean over windows, whose standard error is that of the differences by window and of `SCATTER`
    together, as a variance with a prior.
    """
    ours = _measure_errors(windows, point)
    theirs = _measure_errors(windows, floor)
    known = np.isfinite(ours) & np.isfinite(theirs)
    count = int(known.sum())
    if not 0 < count < FEW:
        return False
    lead = (ours - theirs)[known]
    prior = PRIOR_WINDOWS * (SCATTER * theirs[known].mean()) ** 2
    variance = (prior + ((lead - lead.mean()) ** 2).sum()) / (PRIOR_WINDOWS + count - 1)
    return bool(lead.mean() <= CHANCE * np.sqrt(variance / count))


def _measure_errors(windows: Windows, point: Floats) -> Floats:
    """Return the mean absolute error of each window in units of its season error: (B,), NaN without actual values."""
    missed = np.abs(point - windows.actual)
    known = np.isfinite(missed)
    counted = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    scale = np.where(np.isfinite(windows.scale), windows.scale, _measure_sizes(windows))  # (B, 1)
    return np.asarray(np.where(known, missed, 0.0).sum(axis=1) / counted / scale[:, 0])
