"""Exponential smoothing of one series, as a linear map of its context."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats


@dataclass(frozen=True)
class SmoothingModel:
    """An exponential smoothing model with additive parts, in the error-correction form (Hyndman et al. 2002).

    Its forecasts and errors are linear in the context.
    """

    alpha: float
    """share of an error that is added to the level"""
    beta: float = 0.0
    """share of an error that is added to the trend"""
    gamma: float = 0.0
    """share of an error that is added to the season"""
    damping: float = 0.0
    """share of the trend that is left after a step; 0: no trend"""
    drift: float = 0.0
    """share of the least-squares slope that is added a step, as Theta does"""

    @property
    def is_sound(self) -> bool:
        """Whether the parameters are within the usual bounds."""
        shares = (self.alpha, self.beta, self.gamma, self.damping, self.drift)
        return all(0 <= share <= 1 for share in shares) and self.alpha > 0

    def forecast(self, x: Floats, horizon: int, season: int) -> Floats:
        """Run over a context and forecast: (..., T) -> (..., H); `season` in steps, 1 for none."""
        level, trend, seasonal, _ = self._run(x, season)
        steps = np.arange(1, horizon + 1)
        growth = np.cumsum(self.damping**steps)
        drift = self.drift * least_squares_slope(x, season) * (steps + self._lag(x.shape[-1]))
        line = level[..., None] + trend[..., None] * growth + drift
        repeated = np.stack([seasonal[(x.shape[-1] + h) % season] for h in range(horizon)], axis=-1)
        forecast: Floats = line + repeated
        return forecast

    def errors(self, x: Floats, season: int) -> Floats:
        """Compute the difference of each step from its one-step forecast: (..., T)."""
        errors = np.stack(self._run(x, season)[-1], axis=-1)
        lag = np.array([self._lag(max(t, 1)) for t in range(x.shape[-1])])
        drifted: Floats = errors - self.drift * least_squares_slope(x, season) * (1 + lag)
        return drifted

    def _run(self, x: Floats, season: int) -> tuple[Floats, Floats, list[Floats], list[Floats]]:
        """Return level, trend and season after the last step, and the error of each step without the drift."""
        level, trend, seasonal = self._first_states(x, season)
        errors = []
        for t in range(x.shape[-1]):
            error = x[..., t] - level - self.damping * trend - seasonal[t % season]
            level = level + self.damping * trend + self.alpha * error
            trend = self.damping * trend + self.beta * error
            seasonal[t % season] = seasonal[t % season] + (self.gamma * error if season > 1 else 0.0)
            errors.append(error)
        return level, trend, seasonal, errors

    def _lag(self, steps: int) -> float:
        """Compute the further steps by which smoothing lags behind a trend (Hyndman and Billah 2003)."""
        return (1 - (1 - self.alpha) ** steps) / self.alpha - 1

    def _first_states(self, x: Floats, season: int) -> tuple[Floats, Floats, list[Floats]]:
        """Return level, trend and season before the first step: the context's own line and mean season.

        Where rates are small, as they often are, the forecast is nearly that of the first states. AutoETS
        optimises them.
        """
        length = x.shape[-1]
        flat = np.zeros(x.shape[:-1])
        slope = least_squares_slope(x, season)[..., 0] if self.damping and length >= 2 * season else flat
        line = x.mean(-1, keepdims=True) + slope[..., None] * (np.arange(length) - (length - 1) / 2)
        if season == 1 or length < season:
            level = line[..., 0] - slope if self.damping else x[..., 0]
            return level, slope, [flat] * season
        blocks = (x - line)[..., : length // season * season].reshape(*x.shape[:-1], -1, season)
        profile = blocks.mean(-2) - blocks.mean((-2, -1))[..., None]
        return line[..., 0] - slope, slope, [profile[..., k] for k in range(season)]


def theta(x: Floats, horizon: int, alpha: float) -> Floats:
    """Forecast by Theta (Assimakopoulos and Nikolopoulos 2000): (..., T) -> (..., H).

    It is simple exponential smoothing with half of the linear trend.
    """
    return SmoothingModel(alpha, drift=0.5).forecast(x, horizon, 1)


def ses(x: Floats, alpha: float) -> Floats:
    """Compute the last level of simple exponential smoothing that starts at the first value: (..., T) -> (..., 1)."""
    weights = alpha * (1 - alpha) ** np.arange(x.shape[-1])[::-1]
    weights[0] += 1 - weights.sum()
    level: Floats = x @ weights[:, None]
    return level


def least_squares_slope(x: Floats, season: int = 1) -> Floats:
    """Compute the slope of the least-squares line a step: (..., T) -> (..., 1).

    Of two seasons and more, each phase has a mean of its own: the line through whole seasons of a wave is not level.
    """
    length = x.shape[-1]
    steps = np.arange(length) - (length - 1) / 2
    if 1 < season <= length // 2:
        phases = np.arange(length) % season
        steps = steps - (np.bincount(phases, steps) / np.bincount(phases))[phases]
    slope: Floats = (x @ steps / max(float(steps @ steps), 1.0))[..., None]
    return slope
