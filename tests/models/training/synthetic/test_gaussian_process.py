"""Gaussian processes: how smooth they are, and how they are mixed."""

import numpy as np
import pytest

from models.training.synthetic.gaussian_process import SCALES, draw_smooth


def test_smooth_processes_have_variance_one_and_keep_their_value_for_the_steps_of_their_scales() -> None:
    x = draw_smooth(np.random.default_rng(0), 4000, 512)
    variance = (x**2).mean()
    assert variance == pytest.approx(1.01, abs=0.05)  # with noise in half of them
    near = np.mean(x[:, 2:] * x[:, :-2]) / variance
    far = np.mean(x[:, int(SCALES[1]) :] * x[:, : -int(SCALES[1])]) / variance
    assert near > 0.9
    assert 0.05 < far < 0.4


def test_half_of_them_is_noisy() -> None:
    x = draw_smooth(np.random.default_rng(0), 2000, 512)
    rough = np.diff(x, 4, axis=1).std(1)  # of white noise of size one: the root of 70
    assert np.mean(rough > 0.02 * np.sqrt(70)) == pytest.approx(0.5, abs=0.08)
