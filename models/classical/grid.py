"""A grid of exponential smoothing models that runs over histories of any length, each from its own first value on.

What `SmoothingModel` computes for one model is computed here for all of a grid at once; `models.network.ets` has the
same as constant maps, which a graph of one length serves.

Shapes: B histories, T steps, H horizon, m season, P models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats, Ints
from models.classical.exponential_smoothing import SmoothingModel

LEAST_SQUARES = 1e-9
"""floor of the squared steps that a slope is divided by: a single step has no slope"""


@dataclass(frozen=True, eq=False)
class Histories:
    """Values without gaps, and which of them were observed."""

    x: Floats
    """(B, T); what comes before the first observed value is not read"""
    observed: Floats
    """(B, T), 1 where a value was observed, else 0"""
    first: Ints
    """(B,) step of the first observed value"""

    @property
    def span(self) -> Floats:
        """Return 1 from the first observed value on, else 0: (B, T)."""
        return (np.arange(self.x.shape[1]) >= self.first[:, None]).astype(np.float64)


@dataclass(frozen=True, eq=False)
class GridRun:
    """What the models of a grid make of histories."""

    errors: Floats
    """(B, T, P) one step ahead, 0 before a history"""
    forecasts: Floats
    """(B, H, P)"""


class SmoothingGrid:
    """Models of one season, in rows of parameters."""

    def __init__(self, models: Sequence[SmoothingModel]) -> None:
        self.alpha, self.beta, self.gamma, self.damping, self.drift = (
            np.array([getattr(model, name) for model in models])
            for name in ("alpha", "beta", "gamma", "damping", "drift")
        )

    def run(self, histories: Histories, horizon: int, season: int) -> GridRun:
        """Run all models over histories, whose season has so many steps, 1 for none."""
        x, first = histories.x, histories.first
        count, length = x.shape
        slope = measure_slope(histories, season)  # (B,)
        level, trend, profile = self._first_states(histories, slope, season)
        state, rising, seasons = level.copy(), trend.copy(), profile.copy()
        errors = np.zeros((length, count, len(self.alpha)))
        begins = np.isin(np.arange(length), first)
        phases = np.arange(-length, horizon) % season  # the step after the last has phase 0
        for t in range(int(first.min()), length):
            if begins[t]:  # those whose history begins here forget what came before
                rows = first == t
                state[rows], rising[rows], seasons[:, rows] = level[rows], trend[rows], profile[:, rows]
            rising *= self.damping
            state += rising
            error = errors[t]
            np.subtract(x[:, t, None], state, out=error)
            if season > 1:
                error -= seasons[phases[t]]
                seasons[phases[t]] += self.gamma * error
            state += self.alpha * error
            rising += self.beta * error
        ahead = np.arange(1, horizon + 1)
        growth = np.cumsum(self.damping ** ahead[:, None], axis=0)  # (H, P)
        drift = self.drift * slope[:, None]  # (B, P)
        lag = self._lag((length - first)[:, None])[:, None]  # (B, 1, P)
        forecasts = state[:, None] + rising[:, None] * growth + drift[:, None] * (ahead[:, None] + lag)
        if season > 1:
            forecasts += np.moveaxis(seasons[phases[length:]], 0, 1)
        missed = np.moveaxis(errors, 0, 1) * histories.span[..., None]
        drifting = np.flatnonzero(self.drift)
        if len(drifting):
            lags = 1 + self._lag(np.arange(1, length + 1)[:, None])[:, drifting]  # (T, D)
            passed = np.maximum(np.arange(length) - first[:, None], 1) - 1
            missed[..., drifting] -= drift[:, None, drifting] * lags[passed] * histories.span[..., None]
        return GridRun(missed, forecasts)

    def _lag(self, steps: Ints) -> Floats:
        """Compute the further steps by which smoothing lags behind a trend: steps (..., 1) -> (..., P)."""
        lag: Floats = (1 - (1 - self.alpha) ** steps) / self.alpha - 1
        return lag

    def _first_states(self, histories: Histories, slope: Floats, season: int) -> tuple[Floats, Floats, Floats]:
        """Return level (B, P), trend (B, P) and season (m, B, P) before the first step of each history."""
        x, first, span = histories.x, histories.first, histories.span
        rows = np.arange(len(x))
        size = span.sum(1)
        steps = np.arange(x.shape[1]) - first[:, None] - (size[:, None] - 1) / 2
        has_trend = self.damping > 0
        long = size >= (2 * season)
        slope = slope * long  # as `SmoothingModel` has it
        mean = (x * span).sum(1) / size
        own_line = mean - slope * ((size - 1) / 2 + 1)
        whole = size >= season
        flat = np.where((season > 1) & whole, mean, x[rows, first])
        level = np.where(has_trend, own_line[:, None], flat[:, None])
        trend = np.where(has_trend, slope[:, None], 0.0)
        profile = np.zeros((season, len(x), len(self.alpha)))
        if season > 1:
            for has, rate in ((True, slope), (False, np.zeros_like(slope))):
                rest = (x - mean[:, None] - rate[:, None] * steps) * span
                phase = _by_phase(rest, season) / np.maximum(_by_phase(span, season), 1)
                phase = (phase - phase.mean(1, keepdims=True)) * whole[:, None]
                profile[:, :, has_trend == has] = phase.T[..., None]
        return level, trend, profile


def measure_slope(histories: Histories, season: int = 1) -> Floats:
    """Compute the slope of the least-squares line of histories a step: (B,).

    Of two seasons and more, each phase has a mean of its own: the line through whole seasons of a wave is not level.
    """
    x, span = histories.x, histories.span
    length = x.shape[1]
    size = span.sum(1, keepdims=True)
    steps = (np.arange(length) - (np.arange(length) * span).sum(1, keepdims=True) / size) * span
    if season > 1:
        means = _by_phase(steps, season) / np.maximum(_by_phase(span, season), 1)
        phased = (steps - means[:, np.arange(-length, 0) % season]) * span
        steps = np.where(size >= 2 * season, phased, steps)
    square = np.maximum((steps * steps).sum(1), LEAST_SQUARES)
    slope: Floats = (np.where(span > 0, x, 0.0) * steps).sum(1) / square
    return slope


def _by_phase(values: Floats, season: int) -> Floats:
    """Sum values (B, T) by phase, which is 0 after the last step: (B, m)."""
    before = -values.shape[1] % season
    whole = np.pad(values, ((0, 0), (before, 0)))
    sums: Floats = whole.reshape(len(values), -1, season).sum(1)
    return sums
