"""Quantile levels from residuals on the selection span, which training has not seen.

This is split conformal prediction (Vovk et al. 2005; Lei et al. 2018).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from models.config import Config
from models.losses import POINT_LOSSES
from models.network import Network
from models.sampling import TensorBatch

SHRINKAGE = 5
"""Windows at which a measured correction of a trained level counts for half."""


def residual_quantiles(network: Network, selection: TensorBatch, config: Config) -> NDArray[np.float32]:
    """Return what to add to each level, (H, Q) in scaled units; 0 at the median.

    A point loss trains no levels, so the residuals' quantiles become the levels, widened step by step as the
    absolute residual grows with the horizon. Levels that the pinball loss has trained are only corrected by
    the quantile of their residuals, the less the fewer windows there are.
    """
    residual = _residuals(network, selection)  # (B, H, Q), NaN where the target is missing
    levels = np.asarray(config.quantiles)
    pooled = [_quantile(residual[..., k], level) for k, level in enumerate(levels)]
    added = np.where(levels == 0.5, 0.0, np.array(pooled))  # (Q,)
    if config.training.loss in POINT_LOSSES:
        growth = _growth(np.abs(residual[..., 0]))
        return (growth[:, None] * added).astype(np.float32)
    windows = len(residual)
    share = windows / (windows + SHRINKAGE)
    return np.broadcast_to(share * added, residual.shape[1:]).astype(np.float32)


def _residuals(network: Network, selection: TensorBatch) -> NDArray[np.float64]:
    network.eval()
    inputs = {name: selection[name] for name in network.config.inputs}  # type: ignore[literal-required]
    with torch.no_grad():
        context, quantiles = network.scaled(**inputs)
        scaled = (selection["target"] - context.loc) / context.scale  # (B, H)
        found: NDArray[np.float64] = (scaled[..., None] - quantiles.double()).cpu().numpy()
    return found


def _quantile(values: NDArray[np.float64], level: float) -> float:
    present = values[~np.isnan(values)]
    return float(np.quantile(present, level)) if present.size else 0.0


def _growth(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how the absolute residual (B, H) grows along the horizon: a line of mean 1, (H,)."""
    horizon = size.shape[1]
    present = ~np.isnan(size)
    mean = np.where(present, size, 0.0).sum(0) / np.maximum(present.sum(0), 1)
    steps = np.arange(horizon) - (horizon - 1) / 2
    slope = (steps @ mean) / max(float(steps @ steps), 1.0)
    line = np.maximum(mean.mean() + slope * steps, 0.25 * mean.mean())
    return line / line.mean() if line.mean() > 0 else np.ones(horizon)
