"""Training losses in scaled units, blind to missing targets.

`quantiles` (B, H, Q), `target` (B, H) without NaN, `mask` (B, H) 1.0 where the target was observed, or its weight.
Each returns the mean over observed elements.
"""

from collections.abc import Callable
from math import log, pi

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(quantiles, target, mask, levels (Q,)) -> the loss, a scalar"""

HUBER_DELTA = 1.0
"""errors above one scale count linearly (Huber 1964)"""


def pinball(quantiles: Tensor, target: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """Twice the mean pinball loss over the levels, so that the median alone is the absolute error.

    Koenker and Bassett 1978.
    """
    error = target[..., None] - quantiles  # (B, H, Q)
    loss = torch.maximum(levels * error, (levels - 1) * error)  # (B, H, Q)
    return _mean(2 * loss.mean(-1), mask)


def mae(quantiles: Tensor, target: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """Mean absolute error of the point forecast."""
    return _mean((target - _point(quantiles, levels)).abs(), mask)


def mse(quantiles: Tensor, target: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """Mean squared error of the point forecast."""
    return _mean((target - _point(quantiles, levels)) ** 2, mask)


def huber(quantiles: Tensor, target: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """Huber loss of the point forecast: half the square of a small error, linear in a large one."""
    point = _point(quantiles, levels)
    return _mean(torch.nn.functional.huber_loss(point, target, reduction="none", delta=HUBER_DELTA), mask)


LOSSES: dict[str, Loss] = {"quantile": pinball, "mae": mae, "mse": mse, "huber": huber, "student_t": pinball}
"""Losses that levels are scored by; a Student-t distribution trains on its likelihood instead (`student_t`)."""


def student_t(point: Tensor, parameters: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood of Student's t distribution around a point forecast (B, H).

    parameters (B, H, 2): its scale and the inverse of its degrees of freedom.
    """
    scale, inverse = parameters.unbind(-1)  # (B, H) each
    freedom = 1 / inverse
    z = (target - point) / scale
    constant = torch.lgamma((freedom + 1) / 2) - torch.lgamma(freedom / 2) - 0.5 * (log(pi) + torch.log(freedom))
    log_likelihood = constant - torch.log(scale) - 0.5 * (freedom + 1) * torch.log1p(z * z * inverse)
    return _mean(-log_likelihood, mask)


def _point(quantiles: Tensor, levels: Tensor) -> Tensor:
    """Return the level 0.5, (B, H)."""
    return quantiles[..., int((levels == 0.5).nonzero()[0, 0])]


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of values (B, H) weighed by the mask (B, H)."""
    return (values * mask).sum() / mask.sum().clip(1.0)
