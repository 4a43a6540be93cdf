"""Sizes: their distribution, and series of a common size."""

import numpy as np
import pytest

from models.training.synthetic.sizes import draw_sizes, standardise


def test_logarithms_of_sizes_are_uniform() -> None:
    sizes = draw_sizes(np.random.default_rng(0), 10_000, (0.1, 10.0))
    assert sizes.shape == (10_000, 1)
    assert np.quantile(sizes, [0, 0.25, 0.5, 1]) == pytest.approx([0.1, 10**-0.5, 1, 10], rel=0.05)


def test_series_get_a_mean_of_zero_and_a_standard_deviation_of_one() -> None:
    series = standardise(np.random.default_rng(0).normal(1e6, 30, (5, 100)))
    assert series.mean(1) == pytest.approx(0, abs=1e-9)
    assert series.std(1) == pytest.approx(1)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9])
def test_a_constant_becomes_zero(level: float) -> None:
    assert (standardise(np.full((2, 70), level)) == 0).all()
