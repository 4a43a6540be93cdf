"""Means from quantiles, against distributions whose mean is known."""

from statistics import NormalDist

import numpy as np
import pytest

from models.inference.means import compute_mean, compute_mean_weights

FINE = tuple(k / 20 for k in range(1, 20))
COARSE = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.mark.parametrize("levels", [FINE, COARSE, (0.1, 0.5, 0.9), (0.5,), (0.5, 0.9), (0.25, 0.5)])
def test_weights_add_up_to_one(levels: tuple[float, ...]) -> None:
    assert sum(compute_mean_weights(levels)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("levels", [FINE, COARSE, (0.1, 0.5, 0.9), (0.5,)])
def test_the_mean_of_a_symmetric_distribution_is_its_median(levels: tuple[float, ...]) -> None:
    quantiles = np.array([[NormalDist(7, 2).inv_cdf(level)] for level in levels])
    assert compute_mean(quantiles, levels)[0] == pytest.approx(7, abs=1e-9)


@pytest.mark.parametrize(("levels", "within"), [(FINE, 0.01), (COARSE, 0.05), ((0.1, 0.5, 0.9), 0.12)])
def test_the_mean_of_a_skewed_distribution_is_near(levels: tuple[float, ...], within: float) -> None:
    quantiles = -np.log1p(-np.array(levels))[:, None]  # exponential: mean 1, median 0.69
    assert compute_mean(quantiles, levels)[0] == pytest.approx(1, abs=within)


def test_levels_on_one_side_leave_the_median() -> None:
    assert compute_mean(np.array([[3.0], [9.0]]), (0.5, 0.9))[0] == 3


def test_equal_quantiles_are_their_own_mean_exactly() -> None:
    for value in (0.1, 1e15 + 1, -3e-9):
        assert compute_mean(np.full((5, 2), value), COARSE).tolist() == [value, value]
