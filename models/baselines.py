"""Statistical forecasts: season-naive, the floor that every model must beat, and what statsforecast finds.

statsforecast is imported when it is asked, so that season-naive alone costs nothing.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.basis import Smoothed

Floats = NDArray[np.float64]


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
            except (ArithmeticError, ValueError, RuntimeError, IndexError, TypeError):
                continue
            alpha, beta, gamma, phi = (float(v) for v in ets[:4])
            trend = not np.isnan(beta)
            damping = 0.0 if not trend else 1.0 if np.isnan(phi) else phi
            found.append(Smoothed(alpha, float(np.nan_to_num(beta)), float(np.nan_to_num(gamma)), damping))
            found.append(Smoothed(float(theta["alpha"]), drift=1 - 1 / max(float(theta["theta"]), 1.0)))
    return [one for one in found if one.is_sound]
