"""Forecasting whole windows by the pretrained network, for horizons of any length.

Shapes: N windows, T steps, P positions, H horizon, Q levels.
"""

import numpy as np
import torch
from torch import Tensor

from models.arrays import Floats, Ints
from models.network.pretrained.network import Positions, PretrainedNetwork, scale_context
from models.pretrained.contexts import lay_out


def forecast_windows(network: PretrainedNetwork, contexts: Floats, periods: Ints, horizon: int) -> Floats:
    """Return the quantiles (N, H, Q), in original units, of contexts (N, T), NaN where missing; periods (N, 2)."""
    y, segments = lay_out(contexts, horizon)
    device = next(network.parameters()).device
    inputs = [torch.from_numpy(values).to(device) for values in (y, periods, segments)]
    with torch.inference_mode():
        quantiles = forecast_laid_out(network, *inputs)
    return np.asarray(quantiles[:, :horizon].cpu().numpy())


def forecast_laid_out(network: PretrainedNetwork, y: Tensor, periods: Tensor, segments: Tensor) -> Tensor:
    """Return the quantiles (N, P * the network's horizon, Q) float64 in original units.

    Args:
        network: in evaluation mode.
        y: (N, T) float64, NaN where missing and after the origin.
        periods: (N, 2) season lengths, 0 for none.
        segments: (P,) segments after which forecasts are read: the last one known, and empty ones a horizon apart.
    """
    context = scale_context(y, y.shape[1])
    origin = (segments[:1] + 1) * network.config.segment
    positions = Positions(segments, origin.expand_as(segments))
    quantiles, _ = network(context, y.shape[1], periods, positions)  # (N, P, reach, Q)
    original: Tensor = quantiles.flatten(1, 2).double() * context.scale[..., None] + context.loc[..., None]
    return original
