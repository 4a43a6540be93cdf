"""How large a part of a synthetic series is beside the others.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats

LEAST_SPREAD = 1e-12
"""standard deviation, as a share of the greatest value, below which a series is constant but for rounding"""


def draw_sizes(rng: np.random.Generator, count: int, bounds: tuple[float, float]) -> Floats:
    """Draw sizes (N, 1) whose logarithms are uniform between bounds."""
    low, high = np.log(bounds)
    sizes: Floats = np.exp(rng.uniform(low, high, (count, 1)))
    return sizes


def standardise(series: Floats) -> Floats:
    """Return series (N, L) with a mean of 0 and a standard deviation of 1, or of 0 where they are constant."""
    centred = series - series.mean(1, keepdims=True)
    spread = centred.std(1, keepdims=True)
    constant = spread <= LEAST_SPREAD * np.abs(series).max(1, keepdims=True, initial=0)
    standard: Floats = np.where(constant, 0.0, centred / np.where(constant, 1.0, spread))
    return standard
