"""Factors of constant matrices: small where the rank is low, and none where it is not."""

import numpy as np
import pytest

from models.classical.linear_maps import build_basis
from models.export.low_rank import factorise


def test_a_matrix_of_low_rank_is_a_product_of_two_small_ones() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((60, 5)) @ rng.standard_normal((5, 80))
    found = factorise(matrix.astype(np.float32).astype(np.float64))
    assert found is not None
    left, right = found
    assert (left.shape, right.shape) == ((60, 5), (5, 80))
    np.testing.assert_allclose(left @ right, matrix, atol=1e-5)


def test_the_basis_forecasts_of_two_seasons_have_a_low_rank() -> None:
    _, maps = build_basis(336, 24, (24, 168))
    matrix = maps.transpose(1, 2, 0).reshape(336, -1).astype(np.float32).astype(np.float64)
    found = factorise(matrix)
    assert found is not None
    left, right = found
    assert left.size + right.size < 0.7 * matrix.size
    assert np.abs(left @ right - matrix).max() < 1e-6


@pytest.mark.parametrize("shape", [(40, 40), (300, 24), (8, 200), (1, 9), (3, 1)])
def test_a_matrix_of_full_rank_stays_whole(shape: tuple[int, int]) -> None:
    assert factorise(np.random.default_rng(0).standard_normal(shape)) is None


def test_a_matrix_of_zeros_stays_whole() -> None:
    assert factorise(np.zeros((40, 60))) is None
