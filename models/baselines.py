"""Floors that every model must beat: season-naive, or the last value where there is no season."""

import numpy as np
from numpy.typing import NDArray

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
