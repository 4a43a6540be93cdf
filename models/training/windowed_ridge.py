"""Ridge regression on several calibration windows at once, combined into one matrix by how each has lately done.

Long windows know more, short ones know what is new, and the mean of them is better than any (Marcjasz, Serafin and
Weron 2018). Penalties are chosen by generalised cross-validation (Golub, Heath and Wahba 1979). Nothing that is fitted
as of a day sees a value that was not known on it.

Shapes: N rows, P inputs of which the last is 1, H horizon, W calibration windows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from models.arrays import Floats, Ints
from models.network.calibrated import LARGEST

WINDOWS = (56, 84, 364, 1092, 1456)
"""days, the lengths that Lago et al. 2021 use for electricity prices"""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""to choose from, in units of an input's mean square"""
POWER = 8
"""of the inverse error, by which a window weighs: on three electricity markets 0.5 to 1.3 % better than the square"""
LATEST = 28
"""days on which the windows are compared"""
STEP = 7
"""days between two fits that are compared: each forecasts so many days from its own"""
LEAST_DAYS = 56
"""days of history that a window needs before the days it is compared on"""
LEAST_ROWS = 14
"""rows of a window; one that lies in a long gap has fewer, and is left out"""
MOST_PRODUCTS = 4e8
"""rows times squared inputs of one fit at most; rows beyond are left out evenly"""
LEAST_ERROR = 1e-9
"""share of the largest error that an error counts as at least: an exact window does not weigh infinitely"""


@dataclass(frozen=True, eq=False)
class Rows:
    """Past origins, the oldest first."""

    inputs: Floats
    """(N, P)"""
    target: Floats
    """(N, H) dampened"""
    day: Ints
    """(N,) number of the day on which the horizon begins, ascending"""
    closed: Ints
    """(N,) number of the first day whose forecasts may know the whole target"""
    series: Ints
    """(N,) position of the series in the panel"""
    origin: Ints
    """(N,) position of the origin in the series' y"""

    def select(self, rows: Ints) -> "Rows":
        """Return some rows."""
        return Rows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class WindowedRidge:
    """The regression of all rows as of any day."""

    rows: Rows
    fitted: dict[tuple[int, int], Floats] = field(default_factory=dict)
    """(first, last) day -> weights (P, H): a refresh of the next day compares most of the same fits"""

    def fit(self, day: int) -> Floats | None:
        """Return the weights (P, H) as of a day; None where there is too little history."""
        windows = self._find_windows(day)
        if not windows:
            return None
        for key in [key for key in self.fitted if key[1] < day - LATEST]:
            del self.fitted[key]
        weights = [self._fit_window(day, length) for length in windows]
        shares = self._compare(day, windows)
        combined: Floats = np.tensordot(shares, np.stack(weights), 1)  # (P, H)
        return combined

    def _find_windows(self, day: int) -> list[int]:
        """Return the lengths in days that the history before a day holds, the whole of it among them."""
        known = self.rows.day[self.rows.closed <= day]
        history = day - int(known[0]) if known.size else 0
        if history < LEAST_DAYS + LATEST:
            return []
        lengths = [length for length in WINDOWS if length < history] + [history] * (history < WINDOWS[-1])
        begins = [day, *range(day - LATEST, day, STEP)]
        return [n for n in lengths if min(len(self._find_rows(begin, n)) for begin in begins) >= LEAST_ROWS]

    def _fit_window(self, day: int, length: int) -> Floats:
        """Return the weights (P, H) of the last days before a day."""
        key = (day - length, day)
        if key not in self.fitted:
            chosen = self._find_rows(day, length)
            width = self.rows.inputs.shape[1]
            stride = max(1, round(len(chosen) * width**2 / MOST_PRODUCTS))
            chosen = chosen[::-1][::stride]
            self.fitted[key] = fit_ridge(self.rows.inputs[chosen], self.rows.target[chosen])
        return self.fitted[key]

    def _find_rows(self, day: int, length: int) -> Ints:
        """Return the rows of the last days before a day whose targets are known on it."""
        inside = (self.rows.closed <= day) & (self.rows.day >= day - length)
        rows: Ints = np.flatnonzero(inside)
        return rows

    def _compare(self, day: int, windows: list[int]) -> Floats:
        """Return the share of each window (W,), by its mean error on the last days."""
        total = np.zeros(len(windows))
        for begin, chosen in self._split_latest(day):
            inputs = self.rows.inputs[chosen]
            actual = np.sinh(self.rows.target[chosen])
            for number, length in enumerate(windows):
                # the longest one holds the whole history, which was shorter then
                outputs = inputs @ self._fit_window(begin, length)
                total[number] += float(np.abs(np.sinh(outputs.clip(-LARGEST, LARGEST)) - actual).sum())
        if not total.any():  # nothing was observed on these days, or all are exact
            return np.full(len(windows), 1 / len(windows))
        weight = (total.max() / np.maximum(total, LEAST_ERROR * total.max())) ** POWER
        shares: Floats = weight / weight.sum()
        return shares

    def _split_latest(self, day: int) -> Iterator[tuple[int, Ints]]:
        """Yield the days to fit as of, and the rows that each such fit forecasts and `day` knows."""
        for begin in range(day - LATEST, day, STEP):
            after = (self.rows.day >= begin) & (self.rows.day < begin + STEP) & (self.rows.closed <= day)
            yield begin, np.flatnonzero(after)


def fit_ridge(inputs: Floats, target: Floats) -> Floats:
    """Fit inputs (N, P), the last of them 1, to targets (N, H): (P, H), the constant not penalised."""
    mean, level = inputs.mean(0), target.mean(0)
    x = inputs - mean
    y = target - level
    slope = _fit_wide(x, y) if len(x) <= x.shape[1] else _fit_tall(x, y)
    slope[-1] = level - mean @ slope
    return slope


def _fit_tall(x: Floats, y: Floats) -> Floats:
    """Fit by the eigenvectors of x'x: (P, H)."""
    sizes, vectors = np.linalg.eigh(x.T @ x)
    sizes = sizes.clip(0.0)
    moment = vectors.T @ (x.T @ y)  # (P, H)
    power = (moment**2).sum(1)  # (P,)
    penalties = np.array(PENALTIES) * max(float(sizes.mean()), 1e-12)
    total = float((y**2).sum())
    left = [total - float((power * (sizes + 2 * p) / (sizes + p) ** 2).sum()) for p in penalties]
    penalty = penalties[_choose_penalty(len(x), sizes, penalties, left)]
    slope: Floats = vectors @ (moment / (sizes + penalty)[:, None])
    return slope


def _fit_wide(x: Floats, y: Floats) -> Floats:
    """Fit by the eigenvectors of xx', of which there are fewer: (P, H)."""
    sizes, vectors = np.linalg.eigh(x @ x.T)
    sizes = sizes.clip(0.0)
    moment = vectors.T @ y  # (N, H)
    power = (moment**2).sum(1)  # (N,)
    penalties = np.array(PENALTIES) * max(float(sizes.sum()) / x.shape[1], 1e-12)
    left = [float((power * (p / (sizes + p)) ** 2).sum()) for p in penalties]
    penalty = penalties[_choose_penalty(len(x), sizes, penalties, left)]
    slope: Floats = x.T @ (vectors @ (moment / (sizes + penalty)[:, None]))
    return slope


def _choose_penalty(count: int, sizes: Floats, penalties: Floats, left: list[float]) -> int:
    """Return the position of the penalty with the least generalised cross-validation error.

    left: the squared residuals that each penalty leaves.
    """
    freedom = np.array([count - 1 - float((sizes / (sizes + p)).sum()) for p in penalties])
    return int(np.argmin(np.array(left) / np.maximum(freedom, 1e-9) ** 2))
