"""Products by large constant matrices, as products by two smaller ones where the matrix has a low rank."""

import numpy as np

from models.arrays import Floats

LARGEST_SHARE = 0.7
"""Most numbers that factors may hold, as a share of the matrix': what is saved must outweigh one more product"""
LEAST_SINGULAR = 1e-7
"""Singular values below this share of the largest are what rounding to float32 left"""


def factorise(matrix: Floats) -> tuple[Floats, Floats] | None:
    """Return matrices (M, R) and (R, N) whose product is `matrix` (M, N) to float32's rounding.

    None where they would not be small: their rank R is found by products with random vectors (Halko, Martinsson and
    Tropp 2011), so that what has a high rank costs little.
    """
    rows, columns = matrix.shape
    most = int(LARGEST_SHARE * rows * columns / max(rows + columns, 1))
    if not 0 < most < min(rows, columns) or not matrix.any():
        return None
    base, _ = np.linalg.qr(matrix @ np.random.default_rng(0).standard_normal((columns, most)))
    within = base.T @ matrix
    left, sizes, right = np.linalg.svd(within, full_matrices=False)
    if np.linalg.norm(matrix - base @ within) > LEAST_SINGULAR * sizes[0]:
        return None
    rank = int((sizes > LEAST_SINGULAR * sizes[0]).sum())
    return base @ left[:, :rank], sizes[:rank, None] * right[:rank]
