"""Multiplicative series: they are positive, and swing more where they are higher."""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.multiplicative import generate_multiplicative
from models.training.synthetic.trend_season import generate_trend_season


def measure_skew(series: Floats) -> float:
    """Return the median skewness of series (N, L)."""
    centred = series - series.mean(1, keepdims=True)
    return float(np.median((centred**3).mean(1) / centred.std(1) ** 3))


def measure_swing_by_level(series: Floats) -> Floats:
    """Return the correlation of the mean of 24 blocks of series (N, L) with their standard deviation: (N,)."""
    blocks = series[:, : series.shape[1] // 24 * 24].reshape(len(series), 24, -1)
    level = blocks.mean(2)
    swing = blocks.std(2)
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(level, swing, strict=True)])


def test_series_are_positive_and_of_a_moderate_range() -> None:
    series = generate_multiplicative(np.random.default_rng(0), 500, 2048)
    assert series.min() > 0
    assert series.max() < 1e4


def test_series_are_skewed_and_swing_with_their_level() -> None:
    rng = np.random.default_rng(0)
    products = generate_multiplicative(rng, 400, 2048)
    sums = generate_trend_season(rng, 400, 2048)
    assert measure_skew(products) > measure_skew(sums) + 0.2
    assert np.median(measure_swing_by_level(products)) > 0.35
    assert abs(np.median(measure_swing_by_level(sums))) < 0.15
