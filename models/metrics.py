"""Measures of a forecast: pure functions of arrays, blind to missing values.

Everywhere `actual` and `point` are (..., H), `quantiles` (..., H, Q) with Q last, and a NaN in `actual`
leaves its element out. With nothing to measure the result is NaN. Formulas: Hyndman and Koehler 2006
("Another look at measures of forecast accuracy") and, for sMAPE, Makridakis et al. 2020 (the M4 competition).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mae(actual: Floats, point: Floats) -> float:
    """Mean absolute error."""
    return _mean(np.abs(actual - point))


def mse(actual: Floats, point: Floats) -> float:
    """Mean squared error."""
    return _mean((actual - point) ** 2)


def rmse(actual: Floats, point: Floats) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mse(actual, point)))


def smape(actual: Floats, point: Floats) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 (M4); 0 where both are 0."""
    size = np.abs(actual) + np.abs(point)
    ratio = np.divide(np.abs(actual - point), size, out=np.zeros_like(size), where=size > 0)
    return 200.0 * _mean(np.where(np.isnan(size), np.nan, ratio))


def season_error(history: Floats, season: int) -> float:
    """Mean absolute in-sample error of season-naive on `history` (T,): the denominator of MASE."""
    return _mean(np.abs(history[season:] - history[:-season])) if len(history) > season else float("nan")


def mase(actual: Floats, point: Floats, scale: Floats | float) -> float:
    """Mean absolute error in units of `scale`, the season error (broadcast); NaN scales are left out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.abs(actual - point) / scale
    return _mean(np.where(np.isfinite(scaled), scaled, np.nan))


def pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float:
    """Mean pinball loss over elements and levels (Koenker and Bassett 1978)."""
    return _mean(_pinball(actual, quantiles, levels))


def wql(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float:
    """Weighted quantile loss (GluonTS): twice the summed pinball loss over the summed size, a level."""
    size = float(np.nansum(np.abs(actual)))
    total = float(np.nansum(_pinball(actual, quantiles, levels)))
    return 2.0 * total / (size * len(levels)) if size > 0 else float("nan")


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Share of observed values within [lower, upper]."""
    inside = ((actual >= lower) & (actual <= upper)).astype(np.float64)
    return _mean(np.where(np.isnan(actual), np.nan, inside))


def _pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    error = actual[..., None] - quantiles  # (..., H, Q)
    level = np.asarray(levels, np.float64)
    loss: Floats = np.maximum(level * error, (level - 1.0) * error)
    return loss


def _mean(values: Floats) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")
