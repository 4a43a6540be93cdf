"""Golden vectors: hard inputs that check an exported graph when it is written and when it is loaded."""

import numpy as np
import pandas as pd

from models.arrays import Floats
from models.calendar.features import SECOND_OF_DAY
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.config.model import Config
from models.data.series import Series
from models.data.windows import Batch, assemble

WINDOWS = 12
"""a clean one, and one for each kind of trouble below"""
SEASON = 7
"""steps of the wave where the network has no season"""


def golden_batch(config: Config, time: int | None = None) -> Batch:
    """Return WINDOWS hard inputs: gaps, short, empty and constant contexts, scales from 1e-6 to 1e9.

    time: second of the day at which every other horizon begins, where the network answers otherwise then.
    """
    network = config.network
    horizon = config.horizon
    rng = np.random.default_rng(7)
    steps = np.arange(network.context_length)
    season = network.season_in_context if network.seasons else SEASON
    noise = 0.3 * rng.standard_normal((WINDOWS, len(steps)))
    clean = 5 + np.sin(2 * np.pi * steps / season) + 0.01 * steps + noise  # (WINDOWS, T)
    y = clean.copy()
    # gaps: scattered, at the end, at the start, all but the last value, everything
    y[1, rng.random(len(steps)) < 0.3] = np.nan
    y[2, -max(1, len(steps) // 4) :] = np.nan
    y[3, : -max(2, len(steps) // 5)] = np.nan
    y[4, :-1] = np.nan
    y[5] = np.nan
    # constant, zero, tiny, large, negative, far from zero
    y[6] = 3.25
    y[7] = 0.0
    y[8] *= 1e-6
    y[9] *= 1e9
    y[10] = -clean[10] * 1e3
    y[11] = 1e6 + clean[11]
    calendar = assemble([_anchored_series(config)] * WINDOWS, 31 * np.arange(WINDOWS, dtype=np.int64), config)[
        "calendar"
    ]
    if time is not None:
        calendar[::2, len(steps), SECOND_OF_DAY] = time
    covariates = _covariates(config.covariates.temporal, config, (WINDOWS, len(steps) + horizon), rng)
    covariates[:, len(steps) :, len(config.covariates.known_future) :] = np.nan
    static = _covariates(config.covariates.static, config, (WINDOWS,), rng)
    signed = (np.arange(WINDOWS) % 2).astype(np.float64)[:, None]  # (WINDOWS, 1)
    return Batch(y=y, calendar=calendar, covariates=covariates, static=static, signed=signed)


def _covariates(names: tuple[str, ...], config: Config, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return encoded covariates (*shape, C): numbers of any size or codes, new levels and missing values among them."""
    columns = [
        rng.integers(0, len(config.covariates.levels[name]) + 1, shape).astype(np.float64)
        if name in config.covariates.levels
        else rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4)
        for name in names
    ]
    values = np.stack(columns, axis=-1) if columns else np.empty((*shape, 0))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


def _anchored_series(config: Config) -> Series:
    """Return a series on the first date of 2024 that the frequency's grid holds."""
    frequency = parse_frequency(config.frequency)
    start = pd.date_range("2024-01-01", periods=1, freq=frequency.alias, unit="us")
    anchor = int(start.to_numpy().view(np.int64)[0])
    return Series("golden", np.zeros(31 * WINDOWS), Grid(frequency, "UTC", anchor))
