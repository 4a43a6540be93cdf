"""Statistical models of one history: season-naive, which every model must beat, its kin, and those of statsforecast.

statsforecast is imported by the functions that need it, so that season-naive does not load it.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.arrays import Floats
from models.classical.exponential_smoothing import SmoothingModel

MEAN_SEASONS = 4
"""seasons in the mean of `season_mean`"""
LEAST_FITTED = 8
"""observed values of a history that a model is fitted to"""
FITTED_STEPS = 300
FITTED_SEASONS = 20
"""steps and seasons of a history, whichever is more, that a model is fitted to: older values add nothing to its few
parameters"""
LONGEST_FITTED = 300
"""steps of a season; models are fitted without a longer one: their cost grows with its square, to minutes a window"""


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
    """Continue the line from the first to the last observed value: history (T,) -> (H,).

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
    """Repeat the mean of each phase over the last MEAN_SEASONS seasons: history (T,) -> (H,).

    A phase without an observed value among them is forecast by season-naive. Without a season it is the mean of the
    last values.
    """
    width = season or 1
    recent = history[-width * MEAN_SEASONS :]
    padded = np.concatenate([np.full(-len(recent) % width, np.nan), recent]).reshape(-1, width)  # (seasons, m)
    observed = ~np.isnan(padded)
    count = observed.sum(0)
    total = np.where(observed, padded, 0.0).sum(0)
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
    return _fit_and_forecast(Theta(season_length=season, decomposition_type="additive"), history, horizon, season)


def ets(history: Floats, horizon: int, season: int) -> Floats:
    """Forecast by the exponential smoothing model that AutoETS selects: history (T,) -> (H,).

    Hyndman and Khandakar 2008, with additive errors and seasons, which values of any sign allow; gaps are interpolated.
    A history that it cannot be fitted to is forecast by season-naive, and one of a long season without that season.
    """
    from statsforecast.models import AutoETS

    season = season if season <= LONGEST_FITTED else 1
    return _fit_and_forecast(AutoETS(season_length=season, model=_ets_family(season)), history, horizon, season)


def _fit_and_forecast(model: Any, history: Floats, horizon: int, season: int) -> Floats:
    """Fit a model of statsforecast and forecast: history (T,) -> (H,); by season-naive where it cannot be fitted."""
    present = np.flatnonzero(~np.isnan(history))
    if len(present) < max(LEAST_FITTED, 2 * season + 1):
        return season_naive(history, horizon, season)
    recent = history[present[0] :][-max(FITTED_STEPS, FITTED_SEASONS * season) :]
    steps = np.arange(len(recent))
    observed = ~np.isnan(recent)
    filled = np.interp(steps, steps[observed], recent[observed])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecast: Floats = np.asarray(model.forecast(filled, horizon)["mean"], np.float64)
    except Exception:  # statsforecast raises this very class for histories that it cannot fit
        return season_naive(history, horizon, season)
    return forecast if np.isfinite(forecast).all() else season_naive(history, horizon, season)


def fit_smoothing_models(histories: Sequence[Floats], season: int) -> list[SmoothingModel]:
    """Fit AutoETS and AutoTheta to each history; return the exponential smoothing models that they select.

    Args:
        histories: (T,) values each, none missing.
        season: m in steps; 1 for none.

    Errors and seasons are additive, because only such models are linear in the history. A history that no model can be
    fitted to adds none. Theta is simple exponential smoothing with a share of the linear
    trend (Hyndman and Billah 2003; Fiorucci et al. 2016).
    """
    from statsforecast.models import AutoETS, AutoTheta

    models: list[SmoothingModel] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for history in histories:
            try:
                ets = AutoETS(season_length=season, model=_ets_family(season)).fit(history).model_["par"]
                theta = AutoTheta(season_length=season, decomposition_type="additive").fit(history).model_["par"]
            except Exception:  # noqa: S112 - statsforecast raises this very class for what it cannot fit
                continue
            models.append(_from_ets(*(float(v) for v in ets[:4])))
            models.append(SmoothingModel(float(theta["alpha"]), drift=1 - 1 / max(float(theta["theta"]), 1.0)))
    return [model for model in models if model.is_sound]


def _ets_family(season: int) -> str:
    """Name the models that AutoETS selects from: additive errors, any trend, additive seasons or none."""
    return "AZA" if season > 1 else "AZN"


def _from_ets(alpha: float, beta: float, gamma: float, phi: float) -> SmoothingModel:
    """Build a model of the parameters of AutoETS, NaN for a part that it does without."""
    if np.isnan(beta):  # no trend
        return SmoothingModel(alpha, 0.0, float(np.nan_to_num(gamma)), 0.0)
    damping = 1.0 if np.isnan(phi) else phi
    return SmoothingModel(alpha, beta, float(np.nan_to_num(gamma)), damping)
