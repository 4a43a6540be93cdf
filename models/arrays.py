"""Short names for types of NumPy arrays, and how finely their values are told apart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDING = 1e-6
"""Share of the size of values below which a difference between them is rounding: what float32, in which the network
computes and many data were kept, leaves of them"""


def find_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values (N,) are missing: NaN among float64, None among objects."""
    if values.dtype == np.float64:
        numbers: Floats = values
        return np.isnan(numbers)
    return np.fromiter((value is None for value in values), np.bool_, len(values))


def measure_size(values: Floats) -> float:
    """Return the mean absolute value of those that are not missing, 0 without any."""
    present = values[~np.isnan(values)]
    return float(np.abs(present).mean()) if present.size else 0.0
