"""The theta method: half of a trend, and the level where the last values were.

Assimakopoulos and Nikolopoulos 2000; Hyndman and Billah 2003 show that it is simple exponential smoothing with half of
the slope of a regression on time. Seasons are taken out as a ratio or a difference first (Fiorucci et al. 2016).

Shapes: T steps, H horizon, M season, A rates.
"""

import numpy as np

from models.arrays import Floats

RATES = np.linspace(0.05, 1.0, 20)
"""of the smoothing, of which the best on the history is taken"""
LEAST_VALUES = 4
"""observed values; fewer are continued by the last"""
LEAST_SEASONS = 2
"""of a history whose season is taken out"""
SIGNIFICANT = 1.645
"""standard errors that the season's autocorrelation lies above, as the M4 competition's benchmarks have it"""


def forecast_theta(history: Floats, horizon: int, season: int) -> Floats:
    """Continue a history (T,), NaN where missing, by H steps; season 1: none."""
    y = _fill(history)
    if len(y) < LEAST_VALUES:
        return np.full(horizon, y[-1] if len(y) else np.nan)
    profile = _find_season(y, season)
    ahead = np.arange(1.0, horizon + 1)
    phases = np.arange(len(y) + horizon) % max(season, 1)
    if profile is None:
        return _continue(y, ahead)
    values, ratio = profile
    known, later = values[phases[: len(y)]], values[phases[len(y) :]]
    return _continue(y / known, ahead) * later if ratio else _continue(y - known, ahead) + later


def _fill(history: Floats) -> Floats:
    """Return a history from its first value on, its gaps filled along a line."""
    present = np.flatnonzero(~np.isnan(history))
    if not len(present):
        return np.empty(0)
    steps = np.arange(present[0], len(history))
    return np.interp(steps, present, history[present])


def _continue(y: Floats, ahead: Floats) -> Floats:
    """Continue a history (T,) without a season: simple smoothing, and half of its line's slope."""
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


def _find_season(y: Floats, season: int) -> tuple[Floats, bool] | None:
    """Return the season's profile (M,) and whether it multiplies; None where there is none."""
    if season < 2 or len(y) < LEAST_SEASONS * season + 1:
        return None
    centred = y - y.mean()
    power = (centred * centred).sum()
    if power <= 0:
        return None
    correlation = [float((centred[lag:] * centred[:-lag]).sum() / power) for lag in range(1, season + 1)]
    limit = SIGNIFICANT * np.sqrt((1 + 2 * sum(one * one for one in correlation[:-1])) / len(y))
    if abs(correlation[-1]) <= limit:
        return None
    width = season if season % 2 else season + 1
    kernel = np.ones(width) / season
    if not season % 2:
        kernel[[0, -1]] /= 2
    trend = np.convolve(y, kernel, "valid")  # (T - width + 1,)
    inner = slice(width // 2, width // 2 + len(trend))
    ratio = bool((y > 0).all() and (trend > 0).all())
    detrended = y[inner] / trend if ratio else y[inner] - trend
    phases = np.arange(len(y))[inner] % season
    profile = np.array(
        [detrended[phases == phase].mean() if (phases == phase).any() else np.nan for phase in range(season)]
    )
    middle = 1.0 if ratio else 0.0
    profile = np.where(np.isnan(profile), middle, profile)
    profile = profile / profile.mean() if ratio else profile - profile.mean()
    if ratio and not (profile > 0).all():
        return None
    return profile, ratio
