"""Conformal correction: what makes levels cover as often as they say, measured on windows not trained on.

This is split conformal prediction (Vovk et al. 2005; Lei et al. 2018); for levels that were trained it is the
scaled form of conformalised quantile regression (Romano et al. 2019; Kivaranovic et al. 2020).

Shapes: B windows, H horizon, Q quantiles.
"""

from collections.abc import Sequence

import numpy as np
import torch

from models.arrays import Floats
from models.config.model import Config
from models.config.training import POINT_LOSSES
from models.data.windows import inputs_of
from models.network.network import ConformalCorrection, Network
from models.training.sampling import TensorBatch, split_batch

SHRINKAGE = 5
"""Windows at which a measured correction of a trained level counts for half."""
WIDEST = 8.0
"""A level is moved to this many times its distance from the median at most, and to its inverse at least."""
LEAST_DISTANCE = 1e-6
"""scales; a level as near to the median as this says nothing about how far it should be"""
LEAST_GROWTH = 0.25
"""share of its mean that the line of residuals has at each step at least"""
WINDOWS_AT_ONCE = 512
"""windows in one pass through the network, for the sake of memory"""


def measure_correction(network: Network, batches: Sequence[TensorBatch], config: Config) -> ConformalCorrection:
    """Return what `Network.set_correction` takes, measured on the windows of the batches.

    A point loss trains no levels, so the residuals' quantiles are added to the median, widened step by step as
    the absolute residual grows with the horizon. Levels that the pinball loss has trained are moved away from the
    median by a factor: the quantile of residuals in units of their distance, the less the fewer windows there are.
    """
    forecast, actual = _forecast_scaled(network, batches)  # (B, H, Q), (B, H), NaN where the target is missing
    levels = config.quantiles
    median = forecast[..., config.median]  # (B, H)
    residual = actual - median
    shape = forecast.shape[1:]
    if config.training.loss in POINT_LOSSES:
        offsets = np.array([0.0 if level == 0.5 else _quantile(residual, level) for level in levels])
        steps = _growth(np.abs(residual))[:, None] * offsets  # (H, Q)
        return ConformalCorrection(offset=steps.astype(np.float32), scale=np.ones(shape, np.float32))
    share = len(residual) / (len(residual) + SHRINKAGE)
    distances = [forecast[..., column] - median for column in range(len(levels))]
    factors = [_factor(residual, distance, level) ** share for distance, level in zip(distances, levels, strict=True)]
    scale = np.broadcast_to(np.array(factors), shape)  # (H, Q)
    return ConformalCorrection(offset=np.zeros(shape, np.float32), scale=scale.astype(np.float32))


def _factor(residual: Floats, distance: Floats, level: float) -> float:
    """Return how far from the median a level should be, in units of how far it is: distance (B, H)."""
    if level == 0.5:
        return 1.0
    usable = (np.abs(distance) > LEAST_DISTANCE) & ~np.isnan(residual)
    if not usable.any():
        return 1.0
    factor = float(np.quantile(residual[usable] / distance[usable], max(level, 1 - level)))
    return float(np.clip(factor, 1 / WIDEST, WIDEST))


def _forecast_scaled(network: Network, batches: Sequence[TensorBatch]) -> tuple[Floats, Floats]:
    """Return ordered quantiles (B, H, Q) and targets (B, H) in scaled units."""
    network.eval()
    forecasts: list[Floats] = []
    actuals: list[Floats] = []
    with torch.no_grad():
        for batch in batches:
            for piece in split_batch(batch, WINDOWS_AT_ONCE):
                context, quantiles = network.forecast_scaled(**inputs_of(piece, network.config))
                forecasts.append(torch.sort(quantiles, dim=-1).values.cpu().numpy())
                actuals.append(((piece["target"] - context.loc) / context.scale).cpu().numpy())
    return np.concatenate(forecasts), np.concatenate(actuals)


def _quantile(values: Floats, level: float) -> float:
    """Return the quantile of those that are not missing, 0 without any."""
    present = values[~np.isnan(values)]
    return float(np.quantile(present, level)) if present.size else 0.0


def _growth(size: Floats) -> Floats:
    """Return how the absolute residual (B, H) grows along the horizon: a line of mean 1, (H,)."""
    horizon = size.shape[1]
    present = ~np.isnan(size)
    mean = np.where(present, size, 0.0).sum(0) / np.maximum(present.sum(0), 1)  # (H,)
    steps = np.arange(horizon) - (horizon - 1) / 2
    slope = (steps @ mean) / max(float(steps @ steps), 1.0)
    line = np.maximum(mean.mean() + slope * steps, LEAST_GROWTH * mean.mean())
    return line / line.mean() if line.mean() > 0 else np.ones(horizon)
