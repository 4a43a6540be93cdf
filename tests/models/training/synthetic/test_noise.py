"""Noise: how heavy its tails are, how long it lasts, and how loud it is."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic.noise import (
    add_reading_errors,
    draw_autoregression,
    draw_noise,
    draw_shocks,
    draw_student_shocks,
    filter_autoregression,
)


def correlate(x: Floats, lag: int) -> Floats:
    """Return the autocorrelation of series (N, L), which have a mean of 0 and a standard deviation of 1: (N,)."""
    correlation: Floats = np.mean(x[:, lag:] * x[:, : x.shape[1] - lag], axis=1)
    return correlation


def test_shocks_have_a_standard_deviation_of_one_and_a_fifth_has_heavy_tails() -> None:
    shocks = draw_shocks(np.random.default_rng(0), 2000, 1000)
    assert shocks.mean() == pytest.approx(0, abs=0.01)
    assert shocks.std() == pytest.approx(1, abs=0.01)
    kurtosis = (shocks**4).mean(1) / (shocks**2).mean(1) ** 2
    assert np.median(kurtosis) == pytest.approx(3, abs=0.1)
    assert np.mean(kurtosis > 4) == pytest.approx(0.2, abs=0.03)


def test_student_shocks_have_the_tails_of_four_degrees_of_freedom() -> None:
    shocks = draw_student_shocks(np.random.default_rng(0), 500, 2000)
    assert np.quantile(shocks, 0.999) == pytest.approx(7.173 / np.sqrt(2), rel=0.03)  # from a table of Student's t
    assert shocks.std() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.98, -0.8])
def test_an_autoregression_is_stationary_from_its_first_step(phi: float) -> None:
    x = draw_autoregression(np.random.default_rng(0), np.full(4000, phi), 64)
    assert x.shape == (4000, 64)
    for t in (0, 1, 63):
        assert x[:, t].std() == pytest.approx(1, abs=0.04)
    for lag in (1, 3):
        assert correlate(x, lag).mean() == pytest.approx(phi**lag, abs=0.03)


@pytest.mark.parametrize(("first", "second"), [(0.5, 0.4), (0.9, -0.5), (0.98, 0.6)])
def test_partial_autocorrelations_are_kept(first: float, second: float) -> None:
    shocks = np.random.default_rng(0).standard_normal((4000, 200))
    x = filter_autoregression(np.full(4000, first), np.full(4000, second), shocks)
    assert x[:, [0, 1, 199]].std(0) == pytest.approx(1, abs=0.04)
    assert correlate(x, 1).mean() == pytest.approx(first, abs=0.03)
    near = first * (1 - second)
    assert correlate(x, 2).mean() == pytest.approx(near * first + second, abs=0.03)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_few_steps_are_enough(length: int) -> None:
    assert draw_autoregression(np.random.default_rng(0), np.array([0.5, 0.9]), length).shape == (2, length)


def test_noise_is_little_in_two_series_of_five() -> None:
    sizes = draw_noise(np.random.default_rng(0), 2000, 2000).std(1)
    assert np.mean(sizes < 0.11) == pytest.approx(0.4, abs=0.05)
    assert sizes.max() < 1.0
    assert sizes.min() > 0.01


def test_errors_are_added_to_a_share_of_series() -> None:
    series = np.zeros((1000, 500))
    add_reading_errors(np.random.default_rng(0), series, 0.3, (0.5, 2.0))
    changed = np.abs(series).max(1) > 0
    assert changed.mean() == pytest.approx(0.3, abs=0.05)
    assert np.median(series[changed].std(1)) == pytest.approx(1, abs=0.1)
