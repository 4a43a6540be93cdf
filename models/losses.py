"""Training losses in scaled units, blind to missing targets.

`quantiles` (B, H, Q), `target` (B, H) without NaN, `mask` (B, H) 1.0 where the target was observed. Each
returns the mean over observed elements (Koenker and Bassett 1978 for the pinball loss).
"""

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def pinball(quantiles: Tensor, target: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """Twice the mean pinball loss over the levels, so that the median alone is the absolute error."""
    error = target[..., None] - quantiles  # (B, H, Q)
    return _mean(2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1), mask)


def mae(quantiles: Tensor, target: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """Mean absolute error of the point forecast."""
    return _mean((target - _point(quantiles, levels)).abs(), mask)


def mse(quantiles: Tensor, target: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """Mean squared error of the point forecast."""
    return _mean((target - _point(quantiles, levels)) ** 2, mask)


LOSSES: dict[str, Loss] = {"quantile": pinball, "mae": mae, "mse": mse}
POINT_LOSSES = frozenset({"mae", "mse"})


def _point(quantiles: Tensor, levels: Tensor) -> Tensor:
    return quantiles[..., int((levels == 0.5).nonzero()[0, 0])]


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clip(1.0)
