"""Basis forecasts: classical forecasts as constant linear maps of the context.

Each basis is a linear recursion of the last axis, written once as a NumPy function; applied to the identity
it becomes its own (T, H) matrix, and all of them together are one constant matrix product on any runtime.
Every column of every matrix sums to 1: a constant context is forecast as that constant, in any scaling.
They expect a context without gaps: `fill_kernel` is what the network fills gaps with beforehand.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Basis = Callable[[Floats, int], Floats]


def basis_forecasts(context_length: int, horizon: int, seasons: tuple[int, ...]) -> tuple[tuple[str, ...], Floats]:
    """Return the names (K,) and the maps (K, T, H) of the basis forecasts.

    `seasons` are season lengths within the context, shortest first; with none, levels and trends are used.
    """
    identity = np.eye(context_length)
    chosen = _seasonal(context_length, seasons) if seasons else _level_and_trend()
    return tuple(chosen), np.stack([basis(identity, horizon) for basis in chosen.values()])


def _level_and_trend() -> dict[str, Basis]:
    return {
        "last": lambda x, h: np.repeat(x[..., -1:], h, axis=-1),
        "ses_0.2": lambda x, h: np.repeat(ses(x, 0.2), h, axis=-1),
        "ses_0.6": lambda x, h: np.repeat(ses(x, 0.6), h, axis=-1),
        "drift_short": lambda x, h: x[..., -1:] + _slope(x, 4) * np.arange(1, h + 1),
        "drift_long": lambda x, h: x[..., -1:] + _slope(x, x.shape[-1]) * np.arange(1, h + 1),
        "damped": lambda x, h: ses(x, 0.6) + _slope(x, 6) * np.cumsum(0.9 ** np.arange(1, h + 1)),
    }


def _seasonal(context: int, seasons: tuple[int, ...]) -> dict[str, Basis]:
    m = seasons[0]
    chosen: dict[str, Basis] = {
        "last": lambda x, h: np.repeat(x[..., -1:], h, axis=-1),
        "season": lambda x, h: season_naive(x, h, m),
        "seasons": lambda x, h: mean_of_seasons(x, h, m, 0.7),
        "profile_ses_0.2": lambda x, h: profile_on_level(x, h, m, 0.2),
        "profile_ses_0.02": lambda x, h: profile_on_level(x, h, m, 0.02),
        "profile_ses_0.6": lambda x, h: profile_on_level(x, h, m, 0.6),
    }
    if context >= 2 * m:
        chosen["season_damped_trend"] = lambda x, h: season_naive(x, h, m) + _season_change(x, m) * _damped(h, m, 0.8)
    for long in seasons[1:]:
        chosen[f"season_{long}"] = lambda x, h, s=long: season_naive(x, h, s)  # type: ignore[misc]
        if context >= long + m:
            chosen[f"season_{long}_moved"] = lambda x, h, s=long: moved_season(x, h, m, s)  # type: ignore[misc]
        if context >= 2 * long:
            chosen[f"seasons_{long}"] = lambda x, h, s=long: mean_of_seasons(x, h, s, 0.8)  # type: ignore[misc]
    return chosen


def season_naive(x: Floats, horizon: int, season: int) -> Floats:
    """Repeat the last season: (..., T) -> (..., H)."""
    repeated: Floats = x[..., x.shape[-1] - season + np.arange(horizon) % season]
    return repeated


def mean_of_seasons(x: Floats, horizon: int, season: int, decay: float) -> Floats:
    """Repeat the mean of all past seasons, weights falling by `decay` a season."""
    return _profile(x, season, decay)[..., np.arange(horizon) % season]


def profile_on_level(x: Floats, horizon: int, season: int, alpha: float) -> Floats:
    """Add the mean profile to the exponentially smoothed level of what the profile leaves."""
    profile = _profile(x, season, 0.7)
    # steps count back from the end, where phase 0 is the first step of the horizon
    phase = (np.arange(x.shape[-1]) - x.shape[-1]) % season
    return profile[..., np.arange(horizon) % season] + ses(x - profile[..., phase], alpha)


def moved_season(x: Floats, horizon: int, short: int, long: int) -> Floats:
    """Repeat the last long season, moved by the change of the short season's level since then."""
    now = x[..., -short:].mean(-1, keepdims=True)
    then = x[..., -short - long : x.shape[-1] - long].mean(-1, keepdims=True)
    moved: Floats = season_naive(x, horizon, long) + now - then
    return moved


def ses(x: Floats, alpha: float) -> Floats:
    """Simple exponential smoothing, started at the first value: (..., T) -> (..., 1)."""
    weights = alpha * (1 - alpha) ** np.arange(x.shape[-1])[::-1]
    weights[0] += 1 - weights.sum()
    level: Floats = x @ weights[:, None]
    return level


def _profile(x: Floats, season: int, decay: float) -> Floats:
    """Weighted mean of the whole seasons before the end: (..., m)."""
    n = x.shape[-1] // season
    blocks = x[..., x.shape[-1] - n * season :].reshape(*x.shape[:-1], n, season)  # (..., n, m)
    weights = decay ** np.arange(n)[::-1]
    mean: Floats = np.einsum("...nm,n->...m", blocks, weights / weights.sum())
    return mean


def _slope(x: Floats, span: int) -> Floats:
    """Mean change a step over the last `span` steps: (..., 1)."""
    steps = min(span, x.shape[-1] - 1)
    slope: Floats = (x[..., -1:] - x[..., -1 - steps : x.shape[-1] - steps]) / steps
    return slope


def _season_change(x: Floats, season: int) -> Floats:
    last = x[..., -season:].mean(-1, keepdims=True)
    change: Floats = last - x[..., -2 * season : x.shape[-1] - season].mean(-1, keepdims=True)
    return change


def _damped(horizon: int, season: int, damping: float) -> Floats:
    """Sum of the damped changes of the seasons ahead, a step: (H,)."""
    return np.cumsum(damping ** np.arange(1, horizon // season + 2))[np.arange(horizon) // season]


def fill_kernel(seasons_in_context: int) -> Floats:
    """Return the weights (N, N) with which one season's gap is filled from the others.

    They fall with the fourth power of the distance: the nearest season counts for most, and a gap of many
    seasons still has finite weights in float32.
    """
    steps = np.arange(seasons_in_context)
    kernel: Floats = (1.0 + np.abs(steps[:, None] - steps[None, :])) ** -4.0
    return kernel
