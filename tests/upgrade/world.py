"""What a fixture holds: series of several kinds, and what is asked of a service about them.

The test reads this too: what is changed here holds for fixtures that are there already, so add, and do not change.
"""

from typing import Any

import numpy as np

from tests.services.stored import QUICK, hours, numbers
from tests.trained import HORIZON, STATIC, beside, moved, values

N = 400
"""values of a series"""
PLAIN, BERLIN, DAILY, BESIDE = "plain", "road/berlin", "daily", "beside"
GAP = slice(100, 130)
MISSING = slice(200, 203)
SCHEDULE = {"train": "0 0 29 2 *", "forecast": "* * * * *", "timezone": "Europe/Berlin"}
"""the forecast is due within a minute, the training is not"""
TRAINING = {"horizon": HORIZON, "quantiles": [0.1, 0.5, 0.9], **QUICK}
TRAINED: tuple[dict[str, Any], ...] = (
    {"model": "plain", "series": {"labels": {"kind": "plain"}}, "promote": "always", "labels": {"team": "x"}},
    {"model": "plain", "series": {"ids": [PLAIN]}, "promote": "never"},
    {
        "model": "beside",
        "series": {"ids": [BESIDE]},
        "promote": "always",
        "covariates": {"known_future": ["temp", "day"], "past": ["flow"], "static": ["size", "kind"]},
        "country": "DE",
        "bounds": {"min": -10.0, "max": 80.0},
    },
)
"""version 1 of `plain` is its champion and 2 is not"""
LONG: dict[str, Any] = {
    "model": "daily",
    "series": {"ids": [DAILY]},
    "horizon": 7,
    "promote": "always",
    "network": {**QUICK["network"], "context_length": 28, "segment": 7},
    "training": {"epochs": 20, "steps_per_epoch": 20, "learning_rate": 1e-4},
}
"""a training of seconds, which is left unfinished; every epoch is better than the one before"""
BACKTEST = {"model": "plain", "series": {"ids": [PLAIN]}, "n_windows": 3, "baselines": ["season_naive", "theta"]}
SCAN = {"model": "plain", "series": [PLAIN, BERLIN], "job_labels": {"why": "audit"}}
TUNED = {
    "model": "plain",
    "series": {"ids": [PLAIN, BERLIN]},
    "horizon": HORIZON,
    "promote": "always",
    "warm_start": "plain@2",
    "training": QUICK["training"],
}
FORECASTS: tuple[dict[str, Any], ...] = (
    {"model": "plain", "series": [PLAIN, BERLIN], "quantiles": [0.1, 0.3, 0.5, 0.9]},
    {"model": "plain@2", "series": [PLAIN], "horizon": 5},
    {"model": "plain", "series": [BERLIN], "origin": "2024-03-31T01:00:00+01:00"},
    {"model": "beside", "series": [BESIDE]},
    {"model": "beside", "series": [BESIDE], "future": {BESIDE: {"temp": [30.0] * HORIZON, "day": ["new"] * HORIZON}}},
)


def make_series() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return series with their observations: hourly ones, one of them across a clock change in Berlin with a gap and
    missing values, one with covariates that reach a horizon further, and a daily one."""
    first = 24 * 85  # five days before the clocks change
    gappy = [t for i, t in enumerate(hours(first, first + N)) if not GAP.start <= i < GAP.stop]
    jumpy = values(N, seed=1)
    jumpy[MISSING] = np.nan
    known = {name: column[: N + HORIZON] for name, column in beside(N + HORIZON).items()}
    days = [f"{t}T00:00:00+00:00" for t in np.datetime64("2023-01-01") + np.arange(N)]
    weekly = 100 + 20 * np.sin(2 * np.pi * np.arange(N) / 7) + values(N, seed=2)
    return [
        (
            {"id": PLAIN, "freq": "h", "unit": "bikes", "description": "hired", "labels": {"kind": "plain"}},
            {"ds": hours(0, N), "y": numbers(values(N))},
        ),
        (
            {"id": BERLIN, "freq": "h", "timezone": "Europe/Berlin", "labels": {"kind": "plain", "city": "Berlin"}},
            {"ds": gappy, "y": numbers(np.delete(jumpy, GAP))},
        ),
        (
            {"id": BESIDE, "freq": "h", "static": STATIC["a"]},
            {"ds": hours(0, N + HORIZON), "y": [*numbers(moved(N)), *[None] * HORIZON], "covariates": known},
        ),
        ({"id": DAILY, "freq": "D"}, {"ds": days, "y": numbers(weekly)}),
    ]
