"""Basis forecasts: classical forecasts as constant linear maps of the context.

Each basis is a linear recursion of the last axis, written once as a NumPy function; applied to the identity
it becomes its own (T, H) matrix, and all of them together are one constant matrix product on any runtime.
Every column of every matrix sums to 1: a constant context is forecast as that constant, in any scaling.
They expect a context without gaps: the network fills gaps by `fill_kernel` beforehand.
Shapes: T context, H horizon, K maps, m season.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from models.arrays import Floats
from models.classical.exponential_smoothing import SmoothingModel, least_squares_slope, ses, theta

MANY_STEPS = 24
"""steps from which on a season counts as long"""
LEVELS_OF_LONG_SEASONS = frozenset({"last", "ses_0.1", "ses_0.6", "theta_0.2"})
"""Levels and trends that are combined with a season of many steps: there trends in a context are weak, maps large."""

Basis = Callable[[Floats, int], Floats]
"""context (..., T), horizon -> forecast (..., H), linear in the context"""


def build_basis(context_length: int, horizon: int, seasons: tuple[int, ...]) -> tuple[tuple[str, ...], Floats]:
    """Build the names (K,) and the maps (K, T, H) of the basis forecasts.

    `seasons` are season lengths within the context, shortest first; with none, levels and trends are used.
    """
    identity = np.eye(context_length)
    chosen = _seasonal(context_length, seasons) if seasons else _level_and_trend(4)
    return tuple(chosen), np.stack([basis(identity, horizon) for basis in chosen.values()])


def _level_and_trend(span: int) -> dict[str, Basis]:
    """Return forecasts of a series without seasons; a recent slope is that of `span` steps."""
    chosen: dict[str, Basis] = {"last": last_value}
    for alpha in (0.1, 0.3, 0.6):
        chosen[f"ses_{alpha}"] = partial(smoothed_level, alpha=alpha)
    for alpha in (0.2, 0.5, 1.0):
        chosen[f"theta_{alpha}"] = partial(theta, alpha=alpha)
    chosen["drift"] = drift
    chosen["damped"] = partial(damped_trend, span=span)
    chosen["holt"] = partial(SmoothingModel(0.8, 0.15, damping=0.98).forecast, season=1)
    return chosen


def _seasonal(context: int, seasons: tuple[int, ...]) -> dict[str, Basis]:
    """Return forecasts of a series with seasons, as far as `context` steps hold what they read."""
    m = seasons[0]
    chosen: dict[str, Basis] = {
        "last": last_value,
        "theta": partial(theta, alpha=0.5),
        "season": partial(season_naive, season=m),
        "seasons": partial(mean_of_seasons, season=m, decay=0.7),
    }
    for name, rest in _level_and_trend(m).items():
        if m >= MANY_STEPS and name not in LEVELS_OF_LONG_SEASONS:
            continue
        chosen[f"profile_{name}"] = partial(on_profile, season=m, rest=rest)
    chosen["profile_ses_0.02"] = partial(on_profile, season=m, rest=partial(smoothed_level, alpha=0.02))
    if context >= 2 * m:
        chosen["season_damped_trend"] = partial(season_damped_trend, season=m)
    for long in seasons[1:]:
        chosen[f"season_{long}"] = partial(season_naive, season=long)
        if context >= long + m:
            chosen[f"season_{long}_moved"] = partial(moved_season, short=m, long=long)
        if context >= 2 * long:
            chosen[f"seasons_{long}"] = partial(mean_of_seasons, season=long, decay=0.8)
    return chosen


def last_value(x: Floats, horizon: int) -> Floats:
    """Repeat the last value: (..., T) -> (..., H)."""
    return np.repeat(x[..., -1:], horizon, axis=-1)


def smoothed_level(x: Floats, horizon: int, alpha: float) -> Floats:
    """Repeat the level of simple exponential smoothing: (..., T) -> (..., H)."""
    return np.repeat(ses(x, alpha), horizon, axis=-1)


def drift(x: Floats, horizon: int) -> Floats:
    """Continue the line from the first to the last value: (..., T) -> (..., H)."""
    line: Floats = x[..., -1:] + _slope(x, x.shape[-1]) * np.arange(1, horizon + 1)
    return line


def damped_trend(x: Floats, horizon: int, span: int) -> Floats:
    """Continue a smoothed level along the slope of the last `span` steps, damped: (..., T) -> (..., H)."""
    growth = np.cumsum(0.9 ** np.arange(1, horizon + 1))
    return ses(x, 0.6) + _slope(x, span) * growth


def season_damped_trend(x: Floats, horizon: int, season: int) -> Floats:
    """Repeat the last season, moved on by the damped change from the season before it: (..., T) -> (..., H)."""
    change = _season_change(x, season)
    return season_naive(x, horizon, season) + change * _damped_seasons(horizon, season, 0.8)


def season_naive(x: Floats, horizon: int, season: int) -> Floats:
    """Repeat the last season: (..., T) -> (..., H)."""
    repeated: Floats = x[..., x.shape[-1] - season + np.arange(horizon) % season]
    return repeated


def mean_of_seasons(x: Floats, horizon: int, season: int, decay: float) -> Floats:
    """Repeat the mean of all past seasons, weights falling by `decay` a season: (..., T) -> (..., H)."""
    return _profile(x, season, decay)[..., np.arange(horizon) % season]


def on_profile(x: Floats, horizon: int, season: int, rest: Basis) -> Floats:
    """Add the seasonal profile to a forecast of the values without it: (..., T) -> (..., H)."""
    profile = detrended_profile(x, season)
    # steps count back from the end, where phase 0 is the first step of the horizon
    phase = (np.arange(x.shape[-1]) - x.shape[-1]) % season
    return profile[..., np.arange(horizon) % season] + rest(x - profile[..., phase], horizon)


def detrended_profile(x: Floats, season: int) -> Floats:
    """Compute the mean season around the least-squares line, its mean 0: (..., m); the horizon begins at phase 0."""
    steps = np.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
    line = least_squares_slope(x) * steps if x.shape[-1] >= 2 * season else 0.0
    profile = _profile(x - line, season, 0.7)
    centred: Floats = profile - profile.mean(-1, keepdims=True)
    return centred


def moved_season(x: Floats, horizon: int, short: int, long: int) -> Floats:
    """Repeat the last long season, moved by the change of the short season's level since: (..., T) -> (..., H)."""
    level = x[..., -short:].mean(-1, keepdims=True)
    earlier = x[..., -short - long : x.shape[-1] - long].mean(-1, keepdims=True)
    moved: Floats = season_naive(x, horizon, long) + level - earlier
    return moved


def _profile(x: Floats, season: int, decay: float) -> Floats:
    """Compute the weighted mean of the whole seasons before the end: (..., T) -> (..., m)."""
    n = x.shape[-1] // season
    blocks = x[..., x.shape[-1] - n * season :].reshape(*x.shape[:-1], n, season)  # (..., n, m)
    weights = decay ** np.arange(n)[::-1]
    mean: Floats = np.einsum("...nm,n->...m", blocks, weights / weights.sum())
    return mean


def _slope(x: Floats, span: int) -> Floats:
    """Compute the mean change a step over the last `span` steps: (..., T) -> (..., 1)."""
    steps = min(span, x.shape[-1] - 1)
    if steps < 1:
        return np.zeros_like(x[..., -1:])
    slope: Floats = (x[..., -1:] - x[..., -1 - steps : x.shape[-1] - steps]) / steps
    return slope


def _season_change(x: Floats, season: int) -> Floats:
    """Compute the change of the mean from the last season but one to the last: (..., T) -> (..., 1)."""
    last = x[..., -season:].mean(-1, keepdims=True)
    change: Floats = last - x[..., -2 * season : x.shape[-1] - season].mean(-1, keepdims=True)
    return change


def _damped_seasons(horizon: int, season: int, damping: float) -> Floats:
    """Compute how many changes of a season have added up at each step, each one damped further: (H,)."""
    sums = np.cumsum(damping ** np.arange(1, horizon // season + 2))
    return sums[np.arange(horizon) // season]


def fill_kernel(seasons_in_context: int) -> Floats:
    """Compute the weights (N, N) by which a gap in one of N seasons is filled from the others.

    They fall with the fourth power of the distance: the nearest season counts for most, and a gap of many
    seasons still has finite weights in float32.
    """
    steps = np.arange(seasons_in_context)
    kernel: Floats = (1.0 + np.abs(steps[:, None] - steps[None, :])) ** -4.0
    return kernel
