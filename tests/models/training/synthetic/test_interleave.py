"""Several generators in one batch: each has its share."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic.interleave import Generate, divide_count, interleave


def make_constant(value: float) -> Generate:
    def generate(rng: np.random.Generator, count: int, length: int) -> Floats:
        assert count > 0
        return np.full((count, length), value)

    return generate


def test_counts_are_within_one_of_the_share_and_meet_it_on_average() -> None:
    rng = np.random.default_rng(0)
    shares = [0.05, 0.3, 1.0, 0.15]  # of 1.5
    counts = np.array([divide_count(rng, shares, 7) for _ in range(4000)])
    assert (counts.sum(1) == 7).all()
    wanted = 7 * np.array(shares) / 1.5
    assert (np.abs(counts - wanted) < 1).all()
    assert counts.mean(0) == pytest.approx(wanted, abs=0.03)


def test_a_generator_without_a_share_is_not_asked() -> None:
    x = interleave(np.random.default_rng(0), 50, 3, [make_constant(1), make_constant(2)], [0, 1])
    assert x.tolist() == [[2.0] * 3] * 50


def test_series_of_generators_are_shuffled() -> None:
    x = interleave(np.random.default_rng(0), 1000, 3, [make_constant(0), make_constant(1)], [0.5, 0.5])[:, 0]
    assert x.sum() == 500
    assert x[:500].sum() == pytest.approx(250, abs=50)
