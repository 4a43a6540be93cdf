"""Basis forecasts: classical forecasts as constant linear maps of the context.

Each basis is a linear recursion of the last axis, written once as a NumPy function; applied to the identity
it becomes its own (T, H) matrix, and all of them together are one constant matrix product on any runtime.
Every column of every matrix sums to 1: a constant context is forecast as that constant, in any scaling.
They expect a context without gaps: `fill_kernel` is what the network fills gaps with beforehand.
"""

from collections.abc import Callable

import numpy as np

from models.arrays import Floats
from models.classical.exponential_smoothing import Smoothed, _trend, ses, theta

MANY_STEPS = 24
LEVELS_OF_LONG_SEASONS = frozenset({"last", "ses_0.1", "ses_0.6", "theta_0.2"})
"""What is kept beside a season of many steps, where trends within a context are weak and maps are large"""

Basis = Callable[[Floats, int], Floats]


def basis_forecasts(context_length: int, horizon: int, seasons: tuple[int, ...]) -> tuple[tuple[str, ...], Floats]:
    """Return the names (K,) and the maps (K, T, H) of the basis forecasts.

    `seasons` are season lengths within the context, shortest first; with none, levels and trends are used.
    """
    identity = np.eye(context_length)
    chosen = _seasonal(context_length, seasons) if seasons else _level_and_trend(4)
    return tuple(chosen), np.stack([basis(identity, horizon) for basis in chosen.values()])


def _level_and_trend(span: int) -> dict[str, Basis]:
    """Return forecasts of a series without seasons; `span` steps make a recent slope."""
    chosen: dict[str, Basis] = {"last": lambda x, h: np.repeat(x[..., -1:], h, axis=-1)}
    for alpha in (0.1, 0.3, 0.6):
        chosen[f"ses_{alpha}"] = lambda x, h, a=alpha: np.repeat(ses(x, a), h, axis=-1)  # type: ignore[misc]
    for alpha in (0.2, 0.5, 1.0):
        chosen[f"theta_{alpha}"] = lambda x, h, a=alpha: theta(x, h, a)  # type: ignore[misc]
    return chosen | {
        "drift": lambda x, h: x[..., -1:] + _slope(x, x.shape[-1]) * np.arange(1, h + 1),
        "damped": lambda x, h: ses(x, 0.6) + _slope(x, span) * np.cumsum(0.9 ** np.arange(1, h + 1)),
        "holt": lambda x, h: Smoothed(0.8, 0.15, damping=0.98).forecast(x, h, 1),
    }


def _seasonal(context: int, seasons: tuple[int, ...]) -> dict[str, Basis]:
    m = seasons[0]
    chosen: dict[str, Basis] = {
        "last": lambda x, h: np.repeat(x[..., -1:], h, axis=-1),
        "theta": lambda x, h: theta(x, h, 0.5),
        "season": lambda x, h: season_naive(x, h, m),
        "seasons": lambda x, h: mean_of_seasons(x, h, m, 0.7),
    }
    for name, rest in _level_and_trend(m).items():
        if m >= MANY_STEPS and name not in LEVELS_OF_LONG_SEASONS:
            continue
        chosen[f"profile_{name}"] = lambda x, h, r=rest: on_profile(x, h, m, r)  # type: ignore[misc]
    chosen["profile_ses_0.02"] = lambda x, h: on_profile(x, h, m, lambda r, n: np.repeat(ses(r, 0.02), n, axis=-1))
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


def on_profile(x: Floats, horizon: int, season: int, rest: Basis) -> Floats:
    """Add the seasonal profile to a forecast of what the profile leaves."""
    profile = detrended_profile(x, season)
    # steps count back from the end, where phase 0 is the first step of the horizon
    phase = (np.arange(x.shape[-1]) - x.shape[-1]) % season
    return profile[..., np.arange(horizon) % season] + rest(x - profile[..., phase], horizon)


def detrended_profile(x: Floats, season: int) -> Floats:
    """Return the mean season around the least-squares line, its mean 0: (..., m); the horizon begins at phase 0."""
    steps = np.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
    line = _trend(x) * steps if x.shape[-1] >= 2 * season else 0.0
    profile = _profile(x - line, season, 0.7)
    centred: Floats = profile - profile.mean(-1, keepdims=True)
    return centred


def moved_season(x: Floats, horizon: int, short: int, long: int) -> Floats:
    """Repeat the last long season, moved by the change of the short season's level since then."""
    now = x[..., -short:].mean(-1, keepdims=True)
    then = x[..., -short - long : x.shape[-1] - long].mean(-1, keepdims=True)
    moved: Floats = season_naive(x, horizon, long) + now - then
    return moved


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
    if steps < 1:
        return np.zeros_like(x[..., -1:])
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
