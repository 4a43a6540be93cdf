"""What makes levels cover as often as they say: measured on windows that training has not seen.

This is split conformal prediction (Vovk et al. 2005; Lei et al. 2018); for levels that were trained it is the
scaled form of conformalised quantile regression (Romano et al. 2019; Kivaranovic et al. 2020).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.arrays import Floats
from models.config.model import Config
from models.config.training import POINT_LOSSES
from models.data.windows import inputs_of
from models.network.network import Network
from models.training.sampling import TensorBatch, pieces_of

SHRINKAGE = 5
"""Windows at which a measured correction of a trained level counts for half."""
WIDEST = 8.0
"""A level is moved to this many times its distance from the median at most, and to its inverse at least."""
LEAST_DISTANCE = 1e-6
AT_ONCE = 512


def corrections(network: Network, batches: Sequence[TensorBatch], config: Config) -> dict[str, NDArray[np.float32]]:
    """Return what `Network.correct` takes: `added` (H, Q) in scaled units and `widened` (H, Q), a factor.

    A point loss trains no levels, so the residuals' quantiles are added to the median, widened step by step as
    the absolute residual grows with the horizon. Levels that the pinball loss has trained are moved away from the
    median by a factor: the quantile of residuals in units of their distance, the less the fewer windows there are.
    """
    forecast, actual = _forecasts(network, batches)  # (B, H, Q), (B, H), NaN where the target is missing
    levels = np.asarray(config.quantiles)
    residual = actual - forecast[..., config.quantiles.index(0.5)]
    shape = forecast.shape[1:]
    if config.training.loss in POINT_LOSSES:
        added = np.array([0.0 if level == 0.5 else _quantile(residual, level) for level in levels])
        steps = _growth(np.abs(residual))[:, None] * added
        return {"added": steps.astype(np.float32), "widened": np.ones(shape, np.float32)}
    share = len(residual) / (len(residual) + SHRINKAGE)
    factors = [_factor(residual, forecast, levels, k) ** share for k in range(len(levels))]
    widened = np.broadcast_to(np.array(factors), shape)
    return {"added": np.zeros(shape, np.float32), "widened": widened.astype(np.float32)}


def _factor(residual: Floats, forecast: Floats, levels: Floats, column: int) -> float:
    """Return how far from the median a level should be, in units of how far it is."""
    level, median = float(levels[column]), forecast[..., list(levels).index(0.5)]
    if level == 0.5:
        return 1.0
    distance = forecast[..., column] - median
    there = (np.abs(distance) > LEAST_DISTANCE) & ~np.isnan(residual)
    if not there.any():
        return 1.0
    found = float(np.quantile(residual[there] / distance[there], max(level, 1 - level)))
    return float(np.clip(found, 1 / WIDEST, WIDEST))


def _forecasts(network: Network, batches: Sequence[TensorBatch]) -> tuple[Floats, Floats]:
    """Return ordered quantiles and targets in scaled units."""
    network.eval()
    forecasts, actuals = [], []
    with torch.no_grad():
        for batch in (piece for one in batches for piece in pieces_of(one, AT_ONCE)):
            context, quantiles = network.scaled(**inputs_of(batch, network.config))
            forecasts.append(torch.sort(quantiles, dim=-1).values.cpu().numpy())
            actuals.append(((batch["target"] - context.loc) / context.scale).cpu().numpy())
    return np.concatenate(forecasts), np.concatenate(actuals)


def _quantile(values: Floats, level: float) -> float:
    present = values[~np.isnan(values)]
    return float(np.quantile(present, level)) if present.size else 0.0


def _growth(size: Floats) -> Floats:
    """Return how the absolute residual (B, H) grows along the horizon: a line of mean 1, (H,)."""
    horizon = size.shape[1]
    present = ~np.isnan(size)
    mean = np.where(present, size, 0.0).sum(0) / np.maximum(present.sum(0), 1)
    steps = np.arange(horizon) - (horizon - 1) / 2
    slope = (steps @ mean) / max(float(steps @ steps), 1.0)
    line = np.maximum(mean.mean() + slope * steps, 0.25 * mean.mean())
    return line / line.mean() if line.mean() > 0 else np.ones(horizon)
