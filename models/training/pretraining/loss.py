"""The loss of the pretrained network. Shapes: B windows, P positions, H steps ahead, Q levels."""

import torch
from torch import Tensor

LARGEST = 5.0
"""times the median loss that a window and position counts for"""
LEAST_HORIZON = 8
"""steps ahead that count however short the context is"""


def compute_loss(quantiles: Tensor, actual: Tensor, levels: Tensor, unit: Tensor, known: int) -> Tensor:
    """Compute the mean pinball loss of all levels, twice, in units of the season error: a scalar.

    Args:
        quantiles: (B, P, H, Q).
        actual: (B, P, H), NaN where missing.
        levels: (Q,).
        unit: (B, 1).
        known: steps of the context; as many steps ahead count.
    """
    there = ~torch.isnan(actual)
    counted = there & (torch.arange(actual.shape[-1], device=actual.device) < max(known, LEAST_HORIZON))
    missed = torch.where(counted, actual, 0.0)[..., None] - quantiles  # (B, P, H, Q)
    pinball = torch.maximum(levels * missed, (levels - 1) * missed).mean(-1) * 2  # (B, P, H)
    count = counted.sum(-1).clip(1)
    each = (pinball * counted).sum(-1) / count / unit  # (B, P)
    has = counted.any(-1)
    limit = LARGEST * each.detach()[has].median()
    weight = (limit / each.detach().clip(1e-9)).clip(max=1.0) * has
    return (each * weight).sum() / has.sum().clip(1)
