"""Prophet's model of a series as a linear map of a context. Prophet itself, an optional extra, is used here alone.

Prophet (Taylor and Letham 2018) is a piecewise linear trend, Fourier series for the seasons, and noise, all of them
with normal or Laplace priors. Its fits to a sample of series give the size of each part: how fast trends turn, how
large each harmonic is, how large the noise. With these variances the expected future of any context is a
linear map of it (a Gaussian process; Rasmussen and Williams 2006, chapter 2), so that a forecast needs no fit and
serves series that Prophet was not fitted to. Its regressors and its own holidays are left to the network.

Shapes: T context, H horizon.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.arrays import Floats
from models.calendar.timestamps import DAY
from models.data.series import Series, observed_span
from models.errors import ConfigError
from models.quiet import quiet

log = logging.getLogger(__name__)

SEEDS = 2**31
"""number of seeds that Prophet's compiled optimiser accepts"""
SAMPLED_SERIES = 8
"""series of the sample"""
LEAST_READ, MOST_READ = 30, 3000
"""steps of a sampled history"""
LOGGERS = ("cmdstanpy", "prophet", "prophet.plot", "prophet.models", "stanio")
INSTALL = "needs Prophet where the worker runs: pip install 'gatecast[prophet]', or leave network.prophet out"


@dataclass(frozen=True)
class StructuralModel:
    """A local trend, harmonics and noise, as variances in units of the noise's."""

    slope: float
    """variance of the trend's slope a step"""
    turn: float
    """variance of the change of that slope in a step"""
    harmonics: tuple[tuple[float, float], ...]
    """period in steps, variance"""

    def forecast(self, x: Floats, horizon: int, season: int) -> Floats:
        """Forecast a context: (..., T) -> (..., H); the seasons are the model's own."""
        length = x.shape[-1]
        steps = np.arange(length + horizon, dtype=np.float64)
        noise = np.eye(length)
        # best linear unbiased prediction with an unknown mean: the weights of a step sum to 1
        system = np.ones((length + 1, length + 1))
        system[:length, :length] = self._covariance(steps[:length], steps[:length]) + noise
        system[length, length] = 0.0
        right = np.ones((length + 1, horizon))
        right[:length] = self._covariance(steps[:length], steps[length:])
        weights = np.linalg.solve(system, right)[:length]
        forecast: Floats = x @ weights
        return forecast

    def _covariance(self, a: Floats, b: Floats) -> Floats:
        """Compute the covariance of the values at steps a (A,) and b (B,): (A, B)."""
        first, second = a[:, None], b[None]
        early, late = np.minimum(first, second), np.maximum(first, second)
        walk = self.turn * early**2 * (3 * late - early) / 6  # of an integrated random walk
        covariance = self.slope * first * second + walk
        for period, variance in self.harmonics:
            covariance = covariance + variance * np.cos(2 * np.pi * (first - second) / period)
        return np.asarray(covariance)


def fit_prophet_models(series: Sequence[Series], ends: Sequence[int], seed: int) -> list[StructuralModel]:
    """Fit Prophet to a seeded sample of the series, read up to their ends.

    Raises ConfigError where Prophet is not installed.
    """
    order = np.random.default_rng(seed).permutation(len(series))
    models: list[StructuralModel] = []
    prophet = require_prophet()
    tried = 0
    with quiet(LOGGERS, logging.CRITICAL):
        for row in order.tolist():
            history = _cut_history(series[row], ends[row])
            if history is not None:
                tried += 1
                models += _fit_model(prophet(), history, series[row], seed % SEEDS)
            if len(models) == SAMPLED_SERIES:
                break
    if tried and not models:
        log.warning("Prophet could fit none of %d series: its candidates repeat the last value", tried)
    return models


def require_prophet() -> Any:
    """Return Prophet's class. Raises ConfigError where it is not installed."""
    try:
        with quiet(LOGGERS, logging.CRITICAL):
            from prophet import Prophet
    except ImportError as e:
        raise ConfigError("network.prophet", INSTALL) from e
    return Prophet


def _cut_history(series: Series, end: int) -> pd.DataFrame | None:
    """Cut the last steps before `end` as Prophet reads them; None where they are too few or all the same."""
    first, last = observed_span(series.y[:end])
    first = max(first, last - MOST_READ)
    y = series.y[first:last]
    if (~np.isnan(y)).sum() < LEAST_READ or np.nanmax(y) == np.nanmin(y):
        return None
    stamps = series.stamps(first, last).astype("datetime64[us]")
    return pd.DataFrame({"ds": stamps, "y": y})


def _fit_model(model: Any, history: pd.DataFrame, series: Series, seed: int) -> list[StructuralModel]:
    """Fit Prophet to a series; return the model of its variances, or nothing where Prophet fails."""
    try:
        model.fit(history, seed=seed)
    except (ArithmeticError, ValueError, RuntimeError, KeyError):
        return []
    noise = float(model.params["sigma_obs"].mean()) ** 2
    if noise <= 0:
        return []
    step_us = series.grid.frequency.approximate_us
    steps = model.t_scale / pd.Timedelta(microseconds=step_us)  # of the whole history
    changes = model.params["delta"].mean(0)
    slopes = float(model.params["k"].mean()) + np.cumsum(changes)
    harmonics = _list_harmonics(model, step_us, noise)
    slope = float((slopes**2).mean()) / steps**2 / noise
    turn = float((changes**2).sum()) / steps**3 / noise
    values = np.array([slope, turn, *(variance for _, variance in harmonics)])
    return [StructuralModel(slope, turn, tuple(harmonics))] if np.isfinite(values).all() else []


def _list_harmonics(model: Any, step_us: int, noise: float) -> list[tuple[float, float]]:
    """List the period in steps and the variance, in units of the noise's, of each harmonic of a fitted model."""
    harmonics = []
    coefficients = model.params["beta"].mean(0)
    first = 0
    for season in model.seasonalities.values():
        period = season["period"] * DAY / step_us
        end = first + 2 * season["fourier_order"]
        pairs = coefficients[first:end].reshape(-1, 2)  # (harmonics, sine and cosine)
        first = end
        for number, pair in enumerate(pairs, 1):
            if period >= 2 * number:  # harmonics shorter than two steps repeat longer ones
                harmonics.append((period / number, float((pair**2).mean()) / noise))
    return harmonics
