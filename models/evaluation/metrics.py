"""Measures of a forecast: pure functions of arrays that leave out missing values.

Everywhere `actual` and `point` are (..., H), `quantiles` (..., H, Q) with Q last, and a NaN in `actual`
leaves its element out. With nothing to measure the result is NaN. Formulas: Hyndman and Koehler 2006
("Another look at measures of forecast accuracy"); sMAPE and OWA Makridakis et al. 2020 (the M4 competition);
RMSSE Makridakis et al. 2022 (the M5 competition); intervals Gneiting and Raftery 2007 ("Strictly proper
scoring rules") and Bracher et al. 2021 ("Evaluating epidemic forecasts in an interval format").

What is divided by is zero where it is rounding: a series that repeats itself exactly has no season error to measure in,
whatever its last digits say (`models.arrays.ROUNDING`).
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import ROUNDING, Floats, measure_size
from models.config.model import median_position


def mae(actual: Floats, point: Floats) -> float:
    """Mean absolute error."""
    return _mean(np.abs(actual - point))


def mse(actual: Floats, point: Floats) -> float:
    """Mean squared error."""
    return _mean((actual - point) ** 2)


def rmse(actual: Floats, point: Floats) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mse(actual, point)))


def mape(actual: Floats, point: Floats) -> float:
    """Mean absolute percentage error, in percent; an actual of 0 has no percentage and is left out."""
    return 100.0 * _mean(_ratio(np.abs(actual - point), np.abs(actual)))


def smape(actual: Floats, point: Floats) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 (M4); 0 where both are 0."""
    size = np.abs(actual) + np.abs(point)
    ratio = np.divide(np.abs(actual - point), size, out=np.zeros_like(size), where=size > 0)
    return 200.0 * _mean(np.where(np.isnan(size), np.nan, ratio))


def season_error(history: Floats, season: int) -> float:
    """Mean absolute in-sample error of season-naive on `history` (T,): the denominator of MASE; 0 for rounding."""
    if len(history) <= season:
        return float("nan")
    error = _mean(np.abs(history[season:] - history[:-season]))
    return 0.0 if error <= ROUNDING * measure_size(history) else error


def season_squared_error(history: Floats, season: int) -> float:
    """Mean squared in-sample error of season-naive on `history` (T,): the denominator of RMSSE; 0 for rounding."""
    error = season_error(history, season)
    return _mean((history[season:] - history[:-season]) ** 2) if error > 0 else error


def drop_rounding(values: Floats, size: Floats | float) -> Floats:
    """Return values (..., H), 0 where they are rounding beside the size (..., 1) of their series; NaN: unknown."""
    return np.where(np.abs(values) <= ROUNDING * np.nan_to_num(size), 0.0, values)


def mase(actual: Floats, point: Floats, scale: Floats | float) -> float:
    """Mean absolute error in units of `scale`, the season error (broadcast); scales of 0 or NaN are left out."""
    return _mean(_ratio(np.abs(actual - point), scale))


def rmsse(actual: Floats, point: Floats, square_scale: Floats | float) -> float:
    """Root of the mean squared error in units of `square_scale`, the squared season error (broadcast).

    Scales of 0 or NaN are left out. Over several series it is the root of the mean over all elements.
    """
    return float(np.sqrt(_mean(_ratio((actual - point) ** 2, square_scale))))


def owa(actual: Floats, point: Floats, baseline: Floats, scale: Floats | float) -> float:
    """Overall weighted average (M4): the mean of sMAPE and MASE, each relative to those of `baseline` (..., H).

    The competition's baseline is Naive 2; below 1 the forecast is better than the baseline. NaN where the baseline is
    exact up to rounding, beside which nothing is better or worse by a factor.
    """
    parts = (
        (smape(actual, point), smape(actual, baseline)),
        (mase(actual, point, scale), mase(actual, baseline, scale)),
    )
    return sum(0.5 * error / other if other > ROUNDING else float("nan") for error, other in parts)


def directional_accuracy(actual: Floats, point: Floats, last: Floats | float) -> float:
    """Share of steps whose direction, a rise above `last` or none, was forecast rightly.

    `last` (..., 1) is the last value observed before the horizon: at h steps ahead the direction is that of the
    change from the origin, of y[t+h] - y[t] (Blaskowitz and Herwartz 2011, "On economic evaluation of directional
    forecasts"), since the value of the step before does not exist when the forecast is made. There are two
    directions, rise and no rise; one step ahead it is the usual up or down. NaN in `last` leaves its steps out.
    """
    hit, false, missed, none = _directions(actual, point, last)
    return _share(hit + none, hit + false + missed + none)


def directional_precision(actual: Floats, point: Floats, last: Floats | float) -> float:
    """Share of the forecast rises above `last` that happened; NaN without a forecast rise."""
    hit, false, _, _ = _directions(actual, point, last)
    return _share(hit, hit + false)


def directional_recall(actual: Floats, point: Floats, last: Floats | float) -> float:
    """Share of the rises above `last` that were forecast; NaN without a rise."""
    hit, _, missed, _ = _directions(actual, point, last)
    return _share(hit, hit + missed)


def directional_f1(actual: Floats, point: Floats, last: Floats | float) -> float:
    """Harmonic mean of precision and recall of rises above `last`; NaN without any rise, forecast or not."""
    hit, false, missed, _ = _directions(actual, point, last)
    return _share(2 * hit, 2 * hit + false + missed)


def pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float:
    """Mean pinball loss over elements and levels (Koenker and Bassett 1978)."""
    return _mean(_pinball(actual, quantiles, levels))


def wql(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float:
    """Weighted quantile loss (GluonTS): twice the summed pinball loss over the summed size, a level."""
    loss = _pinball(actual, quantiles, levels)
    size = float(np.nansum(np.where(np.isnan(loss).any(-1), np.nan, np.abs(actual))))
    total = float(np.nansum(loss))
    return 2.0 * total / (size * len(levels)) if size > 0 else float("nan")


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Share of observed values within [lower, upper]."""
    inside = ((actual >= lower) & (actual <= upper)).astype(np.float64)
    return _mean(np.where(np.isnan(actual), np.nan, inside))


def interval_width(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Mean of upper - lower, in units of the series, where a value was observed."""
    return _mean(np.where(np.isnan(actual), np.nan, upper - lower))


def interval_score(actual: Floats, lower: Floats, upper: Floats, level: float) -> float:
    """Winkler's score of intervals that should hold a share `level`: width plus 2 / (1 - level) of each miss."""
    missed = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
    return _mean(upper - lower + 2.0 / (1.0 - level) * missed)


def weighted_interval_score(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float:
    """Mean weighted interval score of the median and the central intervals among `levels`, which include 0.5.

    With levels that are all symmetric about the median it is twice the pinball loss.
    """
    intervals = central_intervals(levels)
    total = 0.5 * mae(actual, quantiles[..., median_position(levels)])
    for low, high in intervals:
        level = levels[high] - levels[low]
        total += 0.5 * (1.0 - level) * interval_score(actual, quantiles[..., low], quantiles[..., high], level)
    return total / (len(intervals) + 0.5)


def central_intervals(levels: Sequence[float]) -> list[tuple[int, int]]:
    """List the pairs of positions in ascending `levels` (Q,) that are symmetric about the median."""
    pairs = ((low, high) for low in range(len(levels)) for high in range(low + 1, len(levels)))
    return [(low, high) for low, high in pairs if abs(levels[low] + levels[high] - 1) < 1e-9]


def _directions(actual: Floats, point: Floats, last: Floats | float) -> tuple[int, int, int, int]:
    """Count rises above `last`: forecast and real, only forecast, only real, neither."""
    measured = ~np.isnan(actual - last) & ~np.isnan(point)
    real, forecast = (actual > last)[measured], (point > last)[measured]
    return (
        int((forecast & real).sum()),
        int((forecast & ~real).sum()),
        int((~forecast & real).sum()),
        int((~forecast & ~real).sum()),
    )


def _share(part: int, whole: int) -> float:
    """Return part / whole, NaN of nothing."""
    return part / whole if whole else float("nan")


def _ratio(error: Floats, unit: Floats | float) -> Floats:
    """Return error / unit, NaN where that is not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = error / unit
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Return the pinball loss of each element and level: (..., H, Q)."""
    error = actual[..., None] - quantiles  # (..., H, Q)
    level = np.asarray(levels, np.float64)
    loss: Floats = np.maximum(level * error, (level - 1.0) * error)
    return loss


def _mean(values: Floats) -> float:
    """Return the mean without NaN, NaN of nothing."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")
