"""Baselines over changes of the clocks, and what no change concerns."""

from dataclasses import replace

import numpy as np
import pytest

from models.classical.on_clock import forecast_on_clock, season_naive_on_clock
from models.classical.statistical_models import season_mean, season_naive
from models.data.series import Panel
from models.evaluation.baselines import forecast_baselines
from models.evaluation.scoring import cut_windows
from tests.models.data.test_wall_clock import build


@pytest.mark.parametrize(
    ("zone", "change", "freq", "day"),
    [
        ("Europe/Berlin", "2025-03-30T03:00:00", "h", 24),
        ("Europe/Berlin", "2025-10-26T04:00:00", "15min", 96),
        ("Australia/Lord_Howe", "2025-04-06T03:00:00", "30min", 48),
    ],
)
@pytest.mark.parametrize("days", [0, 2, 6])
def test_a_week_is_repeated_on_the_wall_clock(zone: str, change: str, freq: str, day: int, days: int) -> None:
    series = build(zone, change, freq)
    origin = (60 + days) * day - day // 4
    found = season_naive_on_clock(series, origin, 3 * day, 7 * day)
    np.testing.assert_array_equal(found, series.y[origin + 1 : origin + 1 + 3 * day])
    shifted = season_naive(series.y[: origin + 1], 3 * day, 7 * day)
    assert np.abs(shifted - found).mean() > 0.5 or days == 6


def test_away_from_a_change_the_values_are_read_as_they_are() -> None:
    series = build("Europe/Berlin", "2025-03-30T03:00:00", "h")
    noisy = replace(series, y=series.y + np.random.default_rng(0).normal(0, 1, len(series.y)))
    for origin in (30 * 24, 85 * 24):
        for baseline in (season_naive, season_mean):
            found = forecast_on_clock(baseline, noisy, origin, 24, 24)
            np.testing.assert_array_equal(found, baseline(noisy.y[: origin + 1], 24, 24))


def test_a_gate_over_a_change_scores_the_clock() -> None:
    series = build("Europe/Berlin", "2025-10-26T04:00:00", "h")
    series = replace(series, y=np.where(series.y > 10, 50.0, 10.0))
    windows = cut_windows(Panel(series.grid.frequency, (series,)), {"a": [60 * 24 + 7, 62 * 24]}, 24)
    points = forecast_baselines(windows, 168, ["season_naive", "naive"])
    np.testing.assert_array_equal(points["season_naive"], windows.actual)
    assert (points["naive"] == series.y[[60 * 24 + 7, 62 * 24]][:, None]).all()
