"""Measures of flagged points against labelled windows: precision, recall, and the Numenta Anomaly Benchmark's score.

A label is a window of stamps, both ends included. Formulas of the benchmark: Lavin and Ahmad 2015 ("Evaluating
real-time anomaly detection algorithms - the Numenta Anomaly Benchmark"), with the weights, the positions within a
window and the search for a threshold as its published scoreboard has them. N stamps of a series, W windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps

Flags = NDArray[np.bool_]
Window = tuple[int, int]
"""first and last stamp of a labelled anomaly, or any integers in the order of the points"""

# The constants of the benchmark.
PROBATION = 0.15
"""share of a series at its beginning that is not judged"""
LONGEST_PROBATION = 750
"""points"""
STEEPNESS = 5.0
"""of the sigmoid, for a position in widths of a window"""
FAR = 3.0
"""widths of a window after its end from which on a false alarm costs its whole weight"""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Counts of flagged points and of labelled windows; `sum_judgements` adds up those of several series."""

    right: int
    """flagged points in a window"""
    wrong: int
    """flagged points outside of all windows"""
    silent: int
    """points in a window that are not flagged"""
    detected: int
    """windows with a flagged point"""
    missed: int
    """windows without a flagged point"""
    alarms: int
    """false alarms: runs of flagged points outside of all windows"""

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return `points` and `windows`: precision, recall and F1 of each, without those that are not defined."""
        return {
            "points": _compute_rates(self.right, self.wrong, self.silent),
            "windows": _compute_rates(self.detected, self.alarms, self.missed),
        }


def judge_flags(flags: Flags, stamps: Stamps, windows: Sequence[Window]) -> Judgement:
    """Compare flagged points with labelled windows.

    Args:
        flags: (N,) of the points with a score; leave out the others.
        stamps: (N,) ascending.
        windows: in any order; they may overlap. One in which no point lies is left out.
    """
    inside = np.zeros(len(stamps), bool)
    detected = 0
    missed = 0
    for first, last in windows:
        part = slice(*np.searchsorted(stamps, [first, last + 1]).tolist())
        inside[part] = True
        detected += bool(flags[part].any())
        missed += bool(len(flags[part]) and not flags[part].any())
    false = flags & ~inside
    return Judgement(
        right=int((flags & inside).sum()),
        wrong=int(false.sum()),
        silent=int((inside & ~flags).sum()),
        detected=detected,
        missed=missed,
        alarms=int((false & ~np.append(False, false[:-1])).sum()),
    )


def sum_judgements(judgements: Sequence[Judgement]) -> Judgement:
    """Add up the counts of several series."""
    return Judgement(**{field.name: sum(getattr(j, field.name) for j in judgements) for field in fields(Judgement)})


def _compute_rates(right: int, wrong: int, missed: int) -> dict[str, float]:
    """Compute precision, recall and F1, without those that are not defined."""
    parts = {
        "precision": (right, right + wrong),
        "recall": (right, right + missed),
        "f1": (2 * right, 2 * right + wrong + missed),
    }
    return {name: part / whole for name, (part, whole) in parts.items() if whole}


@dataclass(frozen=True)
class Profile:
    """The weights of the benchmark for one kind of user."""

    detected: float
    """gain by a window that is flagged at its beginning"""
    false: float
    """loss by a flagged point far from every window"""
    missed: float
    """loss by a window without a flagged point"""


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "low_fp": Profile(1.0, 0.22, 1.0),
    "low_fn": Profile(1.0, 0.11, 2.0),
}
"""The profiles of the benchmark: standard, reward low false positive rate, reward low false negative rate."""


@dataclass(frozen=True, eq=False)
class ScoredSeries:
    """A detector's scores of one series, and its labels."""

    score: Floats
    """(N,) the larger, the more anomalous; NaN is never flagged"""
    stamps: Stamps
    """(N,) ascending"""
    windows: tuple[Window, ...]
    """(W,) ascending, without overlap"""


@dataclass(frozen=True, eq=False)
class RankedGains:
    """The judged points of several series by descending score, and the gain of flagging each one more."""

    score: Floats
    """(M,) descending"""
    gain: Floats
    """(M,) change of the sum by each point, from a detector that flags nothing"""
    best: float
    """sum of a detector that flags the beginning of each window alone"""


def nab_score(scored: Sequence[ScoredSeries], threshold: float, profile: Profile = PROFILES["standard"]) -> float:
    """Compute the benchmark's score of flagging each point with a score of `threshold` or more: 0 for a detector that
    flags nothing, 100 for one that flags the beginning of each window alone, below 0 with many false alarms.

    The first 15 % of each series, 750 points at most, are not judged. Of a window the earliest flagged point
    counts; outside of windows each one does, and counts less the closer it follows a window. Raises ValueError where no
    window holds a point that is judged.
    """
    ranked = rank_gains(scored, profile)
    return 100 * float(ranked.gain[ranked.score >= threshold].sum()) / ranked.best


def rank_gains(scored: Sequence[ScoredSeries], profile: Profile = PROFILES["standard"]) -> RankedGains:
    """Rank the judged points of all series by score. Raises ValueError where no window holds one."""
    scores, worths, numbers = [], [], []
    first = 0
    n_windows = 0
    for series in scored:
        worth, number = _compute_worth(series, profile)
        judged = np.arange(len(worth)) >= min(int(PROBATION * len(worth)), LONGEST_PROBATION)
        n_windows += len(np.unique(number[judged & (number >= 0)]))
        judged &= ~np.isnan(series.score)
        scores.append(series.score[judged])
        worths.append(worth[judged])
        numbers.append(np.where(number < 0, -1, number + first)[judged])
        first += len(series.windows)
    if not n_windows:
        raise ValueError("no labelled window holds a point that is judged")
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    gain = _compute_gains(np.concatenate(worths)[order], np.concatenate(numbers)[order], profile)
    return RankedGains(score[order], gain, n_windows * (profile.detected + profile.missed))


def _compute_gains(worth: Floats, window: Ints, profile: Profile) -> Floats:
    """Compute the gain of each point (M,) in this order: in a window only its excess over the best point so far."""
    gain = worth.copy()
    for number in np.unique(window[window >= 0]).tolist():
        rows = np.flatnonzero(window == number)
        best = np.maximum.accumulate(np.append(-profile.missed, worth[rows]))
        gain[rows] = np.diff(best)
    return gain


def _compute_worth(series: ScoredSeries, profile: Profile) -> tuple[Floats, Ints]:
    """Compute the worth of flagging each point (N,), and the number of the window around it, -1 for none."""
    worth = np.full(len(series.stamps), -profile.false)
    window = np.full(len(series.stamps), -1, np.int64)
    rows = np.arange(len(series.stamps))
    for number, (first, last) in enumerate(series.windows):
        begin, end = np.searchsorted(series.stamps, [first, last + 1]).tolist()
        width = end - begin
        inside = (rows[begin:end] - end) / max(width, 1)
        after = (rows[end:] - (end - 1)) / max(width - 1, 1)
        worth[begin:end] = profile.detected * _sigmoid(inside) / _sigmoid(np.array([-1.0]))
        worth[end:] = profile.false * _sigmoid(after)
        window[begin:end] = number
    return worth, window


def _sigmoid(position: Floats) -> Floats:
    """Return the scaled sigmoid of positions in widths of a window: -1 at its beginning, 0 at its end."""
    return np.where(position >= FAR, -1.0, 2 / (1 + np.exp(STEEPNESS * np.minimum(position, FAR))) - 1)
