"""What becomes of quantiles in original units: constants, whole numbers, and the mean.

Shapes: B batch, T context, H horizon, Q quantiles.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.arrays import ROUNDING
from models.config.model import median_position
from models.inference.means import compute_mean_weights

MOST_WHOLE = 1000.0
"""largest value of a context whose forecast is rounded to whole numbers: beyond, a unit is a thousandth and less"""


class Constants(NamedTuple):
    """Which contexts are constant."""

    found: Tensor
    """(B, 1) whether all observed values are equal, and there are any"""
    value: Tensor
    """(B, 1) the value that they equal; undefined for others"""


def find_constants(y: Tensor) -> Constants:
    """Find the constant contexts among y (B, T) float64, NaN where missing."""
    missing = torch.isnan(y)
    highest = torch.where(missing, -torch.inf, y).amax(-1, keepdim=True)
    lowest = torch.where(missing, torch.inf, y).amin(-1, keepdim=True)
    return Constants(highest == lowest, highest)


def find_whole(y: Tensor) -> Tensor:
    """Say which contexts y (B, T) hold small whole numbers alone, and any at all: (B, 1)."""
    fraction = (y - y.round()).abs()
    is_other = (fraction > 0) | (y.abs() > MOST_WHOLE)  # NaN is neither
    return ~is_other.any(-1, keepdim=True) & ~torch.isnan(y).all(-1, keepdim=True)


def rank_history(y: Tensor, levels: Sequence[float]) -> Tensor:
    """Return the quantiles (B, Q) of the observed values of contexts y (B, T), infinite without any: the least of them
    that a share of them, the level, does not exceed."""
    missing = torch.isnan(y)
    ordered = torch.sort(torch.where(missing, torch.inf, y), dim=-1).values
    count = (~missing).sum(-1, keepdim=True)  # (B, 1)
    shares = torch.tensor(levels, dtype=torch.float64, device=y.device)
    position = (shares * count - ROUNDING).ceil().long() - 1  # (B, Q)
    return ordered.gather(1, position.clip(0))


def find_rare(y: Tensor) -> Tensor:
    """Say which contexts y (B, T) of small whole numbers are zero for the most part: (B, 1)."""
    zeros = (y == 0).sum(-1, keepdim=True)
    others = (y != 0).sum(-1, keepdim=True) - torch.isnan(y).sum(-1, keepdim=True)  # NaN is not zero either
    return find_whole(y) & (zeros > others)


def round_levels(quantiles: Tensor, excess: Tensor) -> Tensor:
    """Round quantiles (B, H, Q) to whole numbers, up where a fraction is above a half by `excess` (Q,); ascending."""
    rounded = torch.sort((quantiles - excess).round(), dim=-1).values
    return torch.where(rounded == 0, torch.zeros_like(rounded), rounded)  # no zero below zero


def average_levels(quantiles: Tensor, levels: Sequence[float], lean: Tensor) -> Tensor:
    """Return the means (B, H) of quantiles (B, H, Q); `lean` () is how far from the median they lie, beside the formula
    of `models.inference.means`."""
    weights = torch.tensor(compute_mean_weights(tuple(levels)), dtype=quantiles.dtype, device=quantiles.device)
    position = median_position(levels)
    median = quantiles[..., position : position + 1]  # (B, H, 1)
    # of distances, so that the mean of equal quantiles is exact
    return median[..., 0] + lean * ((quantiles - median) * weights).sum(-1)
