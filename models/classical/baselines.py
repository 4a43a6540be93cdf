"""Statistical forecasts: season-naive, the floor that every model must beat, its kin, and what statsforecast finds.

statsforecast is imported when it is asked, so that season-naive alone costs nothing.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.arrays import Floats
from models.classical.exponential_smoothing import Smoothed

MEAN_SEASONS = 4
"""seasons that `season_mean` takes the mean of"""
LEAST_FITTED = 8
FITTED_STEPS, FITTED_SEASONS = 300, 20
"""of a history that a statistical model is fitted to: what is older tells its few parameters nothing new"""
LONGEST_FITTED = 300
"""season beyond which they are fitted without one: their cost grows with its square, to minutes a window"""


def season_naive(history: Floats, horizon: int, season: int | None) -> Floats:
    """Repeat the last observed value of each phase.

    Args:
        history: (T,) values, NaN where missing; its last element is the origin.
        season: m in steps; none or a history shorter than one season means the last value.

    Returns:
        (H,) values. A phase that was never observed takes the last observed value of all; without any the
        result is NaN.
    """
    present = np.flatnonzero(~np.isnan(history))
    if not len(present):
        return np.full(horizon, np.nan)
    if season is None or season > len(history):
        return np.full(horizon, history[present[-1]])
    phases = np.full(season, history[present[-1]])
    # later assignments win, so each phase keeps its last observed value
    phases[(present - len(history)) % season] = history[present]
    return phases[np.arange(horizon) % season]


def naive(history: Floats, horizon: int) -> Floats:
    """Repeat the last observed value: history (T,) -> (H,)."""
    return season_naive(history, horizon, None)


def drift(history: Floats, horizon: int) -> Floats:
    """Go on along the line from the first to the last observed value: history (T,) -> (H,).

    Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd edition, section 5.2.
    """
    present = np.flatnonzero(~np.isnan(history))
    if len(present) < 2:
        return naive(history, horizon)
    first, last = int(present[0]), int(present[-1])
    slope = (history[last] - history[first]) / (last - first)
    steps = np.arange(1, horizon + 1) + (len(history) - 1 - last)
    forecast: Floats = history[last] + slope * steps
    return forecast


def season_mean(history: Floats, horizon: int, season: int | None) -> Floats:
    """Repeat the mean of each phase over the last seasons: history (T,) -> (H,).

    A phase without an observed value among them takes season-naive's. Without a season it is the mean of the last
    values.
    """
    width = season or 1
    whole = history[-width * MEAN_SEASONS :]
    padded = np.concatenate([np.full(-len(whole) % width, np.nan), whole]).reshape(-1, width)
    seen = ~np.isnan(padded)
    count = seen.sum(0)
    total = np.where(seen, padded, 0.0).sum(0)
    phases = np.divide(total, count, out=np.full(width, np.nan), where=count > 0)
    forecast: Floats = phases[np.arange(horizon) % width]
    return np.where(np.isnan(forecast), season_naive(history, horizon, season), forecast)


def theta(history: Floats, horizon: int, season: int) -> Floats:
    """Forecast by the theta method: history (T,) -> (H,).

    Assimakopoulos and Nikolopoulos 2000, with additive seasons; gaps are interpolated. A history that it cannot be
    fitted to is forecast by season-naive, and one of a long season without that season.
    """
    from statsforecast.models import Theta

    season = season if season <= LONGEST_FITTED else 1
    return _fitted(Theta(season_length=season, decomposition_type="additive"), history, horizon, season)


def ets(history: Floats, horizon: int, season: int) -> Floats:
    """Forecast by the exponential smoothing that AutoETS chooses: history (T,) -> (H,).

    Hyndman and Khandakar 2008, with additive errors and seasons, which values of any sign allow; gaps are interpolated.
    A history that it cannot be fitted to is forecast by season-naive, and one of a long season without that season.
    """
    from statsforecast.models import AutoETS

    season = season if season <= LONGEST_FITTED else 1
    return _fitted(AutoETS(season_length=season, model="AZA" if season > 1 else "AZN"), history, horizon, season)


def _fitted(model: Any, history: Floats, horizon: int, season: int) -> Floats:
    present = np.flatnonzero(~np.isnan(history))
    if len(present) < max(LEAST_FITTED, 2 * season + 1):
        return season_naive(history, horizon, season)
    recent = history[present[0] :][-max(FITTED_STEPS, FITTED_SEASONS * season) :]
    steps = np.arange(len(recent))
    seen = ~np.isnan(recent)
    whole = np.interp(steps, steps[seen], recent[seen])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecast: Floats = np.asarray(model.forecast(whole, horizon)["mean"], np.float64)
    except Exception:  # statsforecast raises this very class for histories that it cannot fit
        return season_naive(history, horizon, season)
    return forecast if np.isfinite(forecast).all() else season_naive(history, horizon, season)


def smoothing_models(histories: Sequence[Floats], season: int) -> list[Smoothed]:
    """Return the exponential smoothing models that AutoETS and AutoTheta choose for each history.

    Args:
        histories: (T,) values each, none missing.
        season: m in steps; 1 for none.

    Only additive errors and seasons are asked for, because these alone are linear in the history. A history on
    which a model cannot be fitted adds nothing. Theta is simple exponential smoothing with a share of the linear
    trend (Hyndman and Billah 2003; Fiorucci et al. 2016).
    """
    from statsforecast.models import AutoETS, AutoTheta

    found: list[Smoothed] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for history in histories:
            try:
                ets = AutoETS(season_length=season, model="AZA" if season > 1 else "AZN").fit(history).model_["par"]
                theta = AutoTheta(season_length=season, decomposition_type="additive").fit(history).model_["par"]
            except Exception:  # noqa: S112 - statsforecast raises this very class for what it cannot fit
                continue
            alpha, beta, gamma, phi = (float(v) for v in ets[:4])
            trend = not np.isnan(beta)
            damping = 0.0 if not trend else 1.0 if np.isnan(phi) else phi
            found.append(Smoothed(alpha, float(np.nan_to_num(beta)), float(np.nan_to_num(gamma)), damping))
            found.append(Smoothed(float(theta["alpha"]), drift=1 - 1 / max(float(theta["theta"]), 1.0)))
    return [one for one in found if one.is_sound]
