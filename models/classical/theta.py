"""The theta method: half of a trend, and the level where the last values were.

Assimakopoulos and Nikolopoulos 2000; Hyndman and Billah 2003 show that it is simple exponential smoothing with half of
the slope of a regression on time. Seasons are left to others.

Shapes: T steps, H horizon, A rates.
"""

import numpy as np

from models.arrays import Floats

RATES = np.linspace(0.05, 1.0, 20)
"""of the smoothing, of which the best on the history is taken"""
LEAST_VALUES = 4
"""observed values; fewer are continued by the last"""


def forecast_theta(history: Floats, horizon: int) -> Floats:
    """Continue a history (T,), NaN where missing, by H steps; of less than four values the last one goes on."""
    y = _fill(history)
    if len(y) < LEAST_VALUES:
        return np.full(horizon, y[-1] if len(y) else np.nan)
    return _continue(y, np.arange(1.0, horizon + 1))


def _fill(history: Floats) -> Floats:
    """Return a history from its first value on, its gaps filled along a line."""
    present = np.flatnonzero(~np.isnan(history))
    if not len(present):
        return np.empty(0)
    steps = np.arange(present[0], len(history))
    return np.interp(steps, present, history[present])


def _continue(y: Floats, ahead: Floats) -> Floats:
    """Continue a history (T,): simple smoothing, and half of its line's slope."""
    steps = np.arange(len(y))
    slope = float(np.polyfit(steps, y, 1)[0])
    theta = 2 * y - (y.mean() + slope * (steps - steps.mean()))  # the line of twice the curvature
    level = np.full(len(RATES), theta[0])
    lost = np.zeros(len(RATES))
    for value in theta[1:]:
        missed = value - level  # (A,)
        lost += missed * missed
        level = level + RATES * missed
    best = int(lost.argmin())
    rate = RATES[best]
    smoothed = (1 - (1 - rate) ** len(y)) / rate  # how far the smoothing lags behind the line
    return np.asarray(level[best] + 0.5 * slope * (ahead - 1 + smoothed))
