"""Judging of flagged points by labelled windows: precision and recall, and the score of the Numenta Anomaly Benchmark.

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
"""first and last stamp of what is labelled an anomaly; any integers that order the points do"""

PROBATION = 0.15
LONGEST_PROBATION = 750
STEEPNESS = 5.0
FAR = 3.0
"""widths of a window behind its end from which on a false alarm costs all of its weight"""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Counts of flagged points and of labelled windows; those of several series add up by `total`."""

    right: int
    """flagged points in a window"""
    wrong: int
    """flagged points outside of all windows"""
    silent: int
    """points in a window that are not flagged"""
    found: int
    """windows with a flagged point"""
    missed: int
    """windows without one"""
    alarms: int
    """false alarms: runs of flagged points outside of all windows"""

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return `points` and `windows`: precision, recall and F1 of each, without those that are not defined."""
        points, windows = (self.right, self.wrong, self.silent), (self.found, self.alarms, self.missed)
        return {"points": _rates(*points), "windows": _rates(*windows)}


def judge(flags: Flags, stamps: Stamps, windows: Sequence[Window]) -> Judgement:
    """Compare flagged points with labelled windows.

    Args:
        flags: (N,) of the points that were judged; leave out those of which nothing could be told.
        stamps: (N,) ascending.
        windows: in any order; they may overlap. One in which no point lies is left out.
    """
    inside = np.zeros(len(stamps), bool)
    found = missed = 0
    for first, last in windows:
        part = slice(*np.searchsorted(stamps, [first, last + 1]).tolist())
        inside[part] = True
        found += bool(flags[part].any())
        missed += bool(len(flags[part]) and not flags[part].any())
    false = flags & ~inside
    return Judgement(
        right=int((flags & inside).sum()),
        wrong=int(false.sum()),
        silent=int((inside & ~flags).sum()),
        found=found,
        missed=missed,
        alarms=int((false & ~np.append(False, false[:-1])).sum()),
    )


def total(judgements: Sequence[Judgement]) -> Judgement:
    """Add up the counts of several series."""
    return Judgement(**{one.name: sum(getattr(j, one.name) for j in judgements) for one in fields(Judgement)})


def _rates(right: int, wrong: int, missed: int) -> dict[str, float]:
    parts = {
        "precision": (right, right + wrong),
        "recall": (right, right + missed),
        "f1": (2 * right, 2 * right + wrong + missed),
    }
    return {name: part / whole for name, (part, whole) in parts.items() if whole}


@dataclass(frozen=True)
class Profile:
    """What a benchmark's user gains by a window found in time and loses by what is missed or falsely flagged."""

    found: float
    false: float
    missed: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "low_fp": Profile(1.0, 0.22, 1.0),
    "low_fn": Profile(1.0, 0.11, 2.0),
}
"""The benchmark's own: standard, reward low false positive rate, reward low false negative rate."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A detector's scores of one series beside its labels."""

    score: Floats
    """(N,) the larger, the more anomalous; NaN is never flagged"""
    stamps: Stamps
    """(N,) ascending"""
    windows: tuple[Window, ...]
    """(W,) ascending, without overlap"""


def nab_score(scored: Sequence[Scored], threshold: float, profile: Profile = PROFILES["standard"]) -> float:
    """Return the benchmark's score of flagging whatever scores `threshold` or more: 0 like a detector that flags
    nothing, 100 like one that flags the beginning of each window alone; below 0 with many false alarms.

    The first 15 % of each series, 750 points at most, are not judged. Of a window the earliest flagged point
    counts; outside of windows each one does, the less the nearer it follows a window. Raises ValueError where no
    window holds a point that is judged.
    """
    return _normalised(_gains(scored, profile), threshold, profile)


def best_threshold(scored: Sequence[Scored], profile: Profile = PROFILES["standard"]) -> tuple[float, float]:
    """Return the threshold of the highest score over all series together, and that score: how the scoreboard is made.

    It is chosen with the labels in sight, and so a bound for what a detector's user can reach. Infinity: flag nothing.
    """
    score, gain, windows = _gains(scored, profile)
    reached = np.cumsum(gain)
    last = np.append(score[1:] != score[:-1], True)[: len(score)]  # a threshold takes all points of one score
    sums, thresholds = np.append(0.0, reached[last]), np.append(np.inf, score[last])
    best = int(sums.argmax())
    return float(thresholds[best]), 100 * float(sums[best]) / (windows * (profile.found + profile.missed))


def _normalised(gains: tuple[Floats, Floats, int], threshold: float, profile: Profile) -> float:
    score, gain, windows = gains
    return 100 * float(gain[score >= threshold].sum()) / (windows * (profile.found + profile.missed))


def _gains(scored: Sequence[Scored], profile: Profile) -> tuple[Floats, Floats, int]:
    """Return scores (M,) of all series, descending, what each point adds to flagging none, and the windows' number."""
    parts, first, windows = [], 0, 0
    for one in scored:
        worth, window = _worth(one, profile)
        judged = np.arange(len(worth)) >= min(int(PROBATION * len(worth)), LONGEST_PROBATION)
        windows += len(np.unique(window[judged & (window >= 0)]))
        judged &= ~np.isnan(one.score)
        parts.append((one.score[judged], worth[judged], np.where(window < 0, -1, window + first)[judged]))
        first += len(one.windows)
    if not windows:
        raise ValueError("no labelled window holds a point that is judged")
    score, worth, window = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(-score, kind="stable")
    return score[order], _added(worth[order], window[order], profile), windows


def _added(worth: Floats, window: Ints, profile: Profile) -> Floats:
    """Return what each point (M,) adds, taken in this order: in a window only what lies above the best so far."""
    gain = worth.copy()
    for one in np.unique(window[window >= 0]).tolist():
        rows = np.flatnonzero(window == one)
        best = np.maximum.accumulate(np.append(-profile.missed, worth[rows]))
        gain[rows] = np.diff(best)
    return gain


def _worth(one: Scored, profile: Profile) -> tuple[Floats, Ints]:
    """Return what flagging each point (N,) is worth, and the window that it lies in, -1 for none."""
    worth, window = np.full(len(one.stamps), -profile.false), np.full(len(one.stamps), -1, np.int64)
    rows = np.arange(len(one.stamps))
    for number, (first, last) in enumerate(one.windows):
        begin, end = np.searchsorted(one.stamps, [first, last + 1]).tolist()
        width = end - begin
        within, after = slice(begin, end), slice(end, None)
        worth[within] = profile.found * _sigmoid((rows[within] - end) / max(width, 1)) / _sigmoid(np.array([-1.0]))
        worth[after] = profile.false * _sigmoid((rows[after] - (end - 1)) / max(width - 1, 1))
        window[within] = number
    return worth, window


def _sigmoid(position: Floats) -> Floats:
    """Return the scaled sigmoid of positions in widths of a window: -1 at its beginning, 0 at its end."""
    return np.where(position >= FAR, -1.0, 2 / (1 + np.exp(STEEPNESS * np.minimum(position, FAR))) - 1)
