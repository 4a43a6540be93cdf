"""Trend and season: how much of a series is a pattern, and how much of it noise."""

import numpy as np
import pytest

from models.training.synthetic.seasons import PERIODS
from models.training.synthetic.trend_season import TREND_SEASON_FAMILY, generate_trend_season


def test_most_series_repeat_with_a_period_of_the_bank() -> None:
    series = generate_trend_season(np.random.default_rng(0), 400, 2048)
    changes = series - series.mean(1, keepdims=True)
    spread = (changes**2).mean(1)
    near = [(changes[:, :-lag] * changes[:, lag:]).mean(1) / spread for lag in PERIODS]
    best = np.max(near, axis=0)
    assert np.mean(best > 0.5) > 0.75
    assert np.median(best) == pytest.approx(0.85, abs=0.1)


def test_seasons_are_larger_than_noise_and_most_trends() -> None:
    series = generate_trend_season(np.random.default_rng(0), 1000, 2048)
    size = series.std(1)
    assert np.median(size) == pytest.approx(1.05, abs=0.1)
    assert np.quantile(size, 0.95) > 1.5
    rough = np.diff(series, axis=1).std(1) / size
    assert np.quantile(rough, [0.05, 0.95]) == pytest.approx([0.08, 1.1], abs=0.3)


def test_its_share_falls() -> None:
    assert (TREND_SEASON_FAMILY.start, TREND_SEASON_FAMILY.target) == (0.25, 0.15)
