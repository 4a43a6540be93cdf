"""Scalers: pure functions (data, observed) -> (loc, scale) over the context axis.

They use nothing but arithmetic and methods that NumPy arrays and torch tensors share, so that the network
traces them and tests call them with arrays. `data` (B, T) holds 0 where nothing was observed, `observed`
(B, T) is 1.0 or 0.0; both are float64, because 1e12 and 1e-9 must survive. Results are (B, 1).

The floor: a scale is never below 1e-6 of the location's size, and is 1 where a context is all zero or all
missing, so that a constant context divides by something and forecasts itself.
"""

from collections.abc import Callable
from typing import Any

RELATIVE_FLOOR = 1e-6
_TINY = 1e-30  # above the smallest float32, in which graphs store such constants

Array = Any  # NDArray[float64] or torch.Tensor: the functions are generic over both
Scaler = Callable[[Array, Array, Array], tuple[Array, Array]]


def standard(data: Array, observed: Array, recency: Array) -> tuple[Array, Array]:
    """Mean and standard deviation (ddof 0) of the observed values."""
    count = _total(observed).clip(1.0)
    loc = _total(data) / count
    deviation = (data - loc) * observed
    return loc, _floored((_total(deviation * deviation) / count) ** 0.5, loc)


def mean_abs(data: Array, observed: Array, recency: Array) -> tuple[Array, Array]:
    """Location 0 and the mean absolute value (Salinas et al. 2020, DeepAR): keeps zero where it is."""
    scale = _total(abs(data)) / _total(observed).clip(1.0)
    return scale * 0.0, _floored(scale, scale)


def recent(data: Array, observed: Array, recency: Array) -> tuple[Array, Array]:
    """Recency-weighted mean, and the deviation around it: for series that wander."""
    weight = observed * recency
    loc = _total(data * weight) / _total(weight).clip(_TINY)
    deviation = (data - loc) * observed
    return loc, _floored((_total(deviation * deviation) / _total(observed).clip(1.0)) ** 0.5, loc)


def none(data: Array, observed: Array, recency: Array) -> tuple[Array, Array]:
    """Location 0 and scale 1."""
    zero = _total(data) * 0.0
    return zero, zero + 1.0


SCALERS: dict[str, Scaler] = {"standard": standard, "mean_abs": mean_abs, "recent": recent, "none": none}


def _total(values: Array) -> Array:
    return values.sum(-1, keepdims=True)


def _floored(scale: Array, loc: Array) -> Array:
    lowest = abs(loc) * RELATIVE_FLOOR
    floored = (scale + lowest + abs(scale - lowest)) / 2  # the larger of the two, in shared arithmetic
    return floored + (floored <= _TINY) * 1.0
