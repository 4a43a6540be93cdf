"""Circulant embedding: series have the covariance that they are drawn from."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic.circulant import draw_circulant, draw_tapered, list_lags

COUNT = 20_000


def measure_covariance(x: Floats, lag: int) -> float:
    """Mean product of steps `lag` apart, of the first pair: nothing depends on an average over steps."""
    return float(np.mean(x[:, 3] * x[:, 3 + lag]))


@pytest.mark.parametrize("length", [32, 33])
def test_an_exponential_covariance_is_met_at_each_lag(length: int) -> None:
    covariance = 4 * 0.8 ** np.arange(length + 1.0)
    x = draw_circulant(np.random.default_rng(0), np.broadcast_to(covariance, (COUNT, length + 1)), length)
    assert x.shape == (COUNT, length)
    for lag in (0, 1, 2, 5, 20):
        assert measure_covariance(x, lag) == pytest.approx(covariance[lag], abs=0.15)
    assert x.mean() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("scale", "error"), [(20, 0.05), (320, 0.2)])
def test_a_covariance_that_does_not_fade_stays_smooth(scale: float, error: float) -> None:
    covariance = np.exp(-0.5 * (list_lags(32) / scale) ** 2)
    x = draw_tapered(np.random.default_rng(0), np.broadcast_to(covariance, (COUNT, len(covariance))), 32)
    assert (x**2).mean() == pytest.approx(1, abs=0.03)
    assert measure_covariance(x, 10) == pytest.approx(covariance[10], abs=error)
    assert np.diff(x, 4, axis=1).std() < 0.02  # of white noise: the root of 70


def test_the_variance_is_kept_where_an_eigenvalue_is_negative() -> None:
    covariance = np.exp(-0.5 * (np.arange(33.0) / 20) ** 2)  # still 0.28 at the far end of the ring
    ring = np.concatenate([covariance, covariance[31:0:-1]])
    assert np.fft.rfft(ring).real.min() < 0
    x = draw_circulant(np.random.default_rng(0), np.broadcast_to(covariance, (COUNT, 33)), 32)
    assert (x**2).mean() == pytest.approx(1, abs=0.03)


def test_series_of_one_batch_are_independent_and_have_their_own_covariances() -> None:
    covariance = np.zeros((2, 4097))
    covariance[:, 0] = [1, 9]
    x = draw_circulant(np.random.default_rng(0), covariance, 4096)
    assert x.std(1) == pytest.approx([1, 3], rel=0.05)
    assert np.mean(x[0] * x[1]) == pytest.approx(0, abs=0.15)


def test_no_variance_gives_zeros() -> None:
    assert not draw_circulant(np.random.default_rng(0), np.zeros((1, 9)), 8).any()
