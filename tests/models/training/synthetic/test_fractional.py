"""Fractional Gaussian noise: its covariance, and the power by which means of it vary."""

import numpy as np
import pytest

from models.training.synthetic.circulant import draw_circulant
from models.training.synthetic.fractional import FRACTIONAL_FAMILY, compute_covariance


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.85])
def test_the_covariance_at_one_step_is_known(hurst: float) -> None:
    covariance = compute_covariance(np.array([hurst]), 64)[0]
    assert covariance.shape == (65,)
    assert covariance[0] == 1
    assert covariance[1] == pytest.approx(2 ** (2 * hurst - 1) - 1)
    ring = np.concatenate([covariance, covariance[63:0:-1]])
    assert np.fft.rfft(ring).real.min() > 0


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.85])
def test_means_vary_by_the_power_of_hurst(hurst: float) -> None:
    covariance = compute_covariance(np.full(2000, hurst), 256)
    x = draw_circulant(np.random.default_rng(0), covariance, 256)
    for steps in (1, 16, 128):
        means = x.reshape(2000, -1, steps).mean(2)
        assert (means**2).mean() == pytest.approx(steps ** (2 * hurst - 2), rel=0.12)


def test_two_fifths_are_cumulated() -> None:
    x = FRACTIONAL_FAMILY.generate(np.random.default_rng(0), 4000, 1024)
    assert np.isfinite(x).all()
    # a sum moves farther than its steps
    assert np.mean(x.std(1) > 2 * np.diff(x, axis=1).std(1)) == pytest.approx(0.4, abs=0.03)
