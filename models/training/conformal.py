"""Conformal correction: what makes levels cover as often as they say, measured on windows not trained on.

This is split conformal prediction (Vovk et al. 2005; Lei et al. 2018); for levels that were trained it is the
scaled form of conformalised quantile regression (Romano et al. 2019; Kivaranovic et al. 2020).

Shapes: B windows, H horizon, Q quantiles.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.arrays import ROUNDING, Floats
from models.config.model import Config
from models.config.training import POINT_LOSSES
from models.data.windows import inputs_of
from models.inference.means import compute_mean_weights
from models.network.head import ANCHOR_SHARES
from models.network.network import ConformalCorrection, Network
from models.network.outputs import find_rare, find_whole, rank_history
from models.training.sampling import TensorBatch, split_batch

SHRINKAGE = 5
"""Windows at which a measured correction of a trained level counts for half."""
WIDEST = 8.0
"""A level is moved to this many times its distance from the median at most, and to its inverse at least."""
LEAST_DISTANCE = 1e-6
"""scales; a level as near to the median as this says nothing about how far it should be"""
LEAST_GROWTH = 0.25
"""share of its mean that the line of residuals has at each step at least"""
LEAN_VARIANCE = 0.25
"""variance, from one set of data to the next, of the factor of the mean's distance from the median: a judgement"""
EXCESSES = (0.0, 0.1, 0.2, 0.3, 0.4, -0.1, -0.2, -0.3)
"""how far above a half a fraction may have to be for a count to be rounded up; of equal ones the first is taken"""
HISTORY_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""shares that the quantiles of a context's own values may have in those of rare counts: of series that only chance
moves nothing forecasts better, and a network of few values has learned chance"""
PRETRAINED_SHARES = (0.5, 0.25, 0.0)
"""Shares that the pretrained network may have in the forecast; of equally good ones the first is taken. None is above a
half: of four weeks the last days favour it by chance, and zones of a grid were forecast 5 % worse by what they chose"""
LEAST_WINDOWS = 8
"""windows from which on they choose that share, and where counts are rounded"""
UNKNOWN_SHARE = 0.75
"""the share that fewer windows leave it: a judgement, which singles of Poisson counts confirm"""
MOST_LEAN = 3.0
"""largest factor of the mean's distance from the median"""
WINDOWS_AT_ONCE = 512
"""windows in one pass through the network, for the sake of memory"""


class ScaledForecasts(NamedTuple):
    """Forecasts before their correction, and what came true, in units of each context's scale."""

    quantiles: Floats
    """(B, H, Q), ordered"""
    actual: Floats
    """(B, H), NaN where missing"""
    low: Floats
    """(B, 1) least value of a forecast"""
    high: Floats
    """(B, 1) greatest value of a forecast"""
    loc: Floats
    """(B, 1)"""
    scale: Floats
    """(B, 1) a unit"""
    own: Floats
    """(B, Q) quantiles of the context's values"""
    is_whole: NDArray[np.bool_]
    """(B, 1) whether the context holds small whole numbers alone"""
    is_rare: NDArray[np.bool_]
    """(B, 1) whether most of those are zero"""


def measure_correction(network: Network, batches: Sequence[TensorBatch], config: Config) -> ConformalCorrection:
    """Return what `Network.set_correction` takes, measured on the windows of the batches.

    A point loss trains no levels, so the residuals' quantiles are added to the median, widened step by step as
    the absolute residual grows with the horizon. Levels that the pinball loss has trained are moved away from the
    median by a factor: the quantile of residuals in units of their distance, the less the fewer windows there are; and
    by rounding, so that an interval that should hold a single value does.
    """
    anchor = _choose_anchor(network, batches) if config.network.chooses_anchor else None
    if anchor is not None:
        network.set_anchor(anchor)
    pretrained = _choose_pretrained(network, batches) if config.network.pretrained else None
    scaled = _forecast_scaled(network, batches)
    return _measure(scaled, config)._replace(anchor=anchor, pretrained=pretrained)


def _choose_pretrained(network: Network, batches: Sequence[TensorBatch]) -> float:
    """Set and return the share of the pretrained network whose point forecasts miss least."""
    lost = []
    for share in PRETRAINED_SHARES:
        network.pretrained_share.fill_(share)
        lost.append(np.nanmean(_find_errors(network, batches)))
    best = PRETRAINED_SHARES[int(np.argmin(lost))]
    network.pretrained_share.fill_(best)
    return best


def _choose_anchor(network: Network, batches: Sequence[TensorBatch]) -> float:
    """Choose the share of the smoothing models: the largest whose error is as good as the least one's, by one standard
    error and by what so few windows can tell, since few short series teach a network hardly more than chance."""
    lost = np.stack([_find_errors_with(network, batches, share) for share in ANCHOR_SHARES])  # (shares, B)
    lost = lost[:, ~np.isnan(lost).any(0)]
    count = lost.shape[1]
    best = int(lost.mean(1).argmin())
    excess = lost - lost[best]
    allowed = excess.std(1) / np.sqrt(count) + lost[best].mean() / count
    return ANCHOR_SHARES[int(np.flatnonzero(excess.mean(1) <= allowed)[-1])]


def _find_errors_with(network: Network, batches: Sequence[TensorBatch], anchor: float) -> Floats:
    """Return the errors of windows (B,) with a share of the anchor."""
    network.set_anchor(anchor)
    return _find_errors(network, batches)


def _find_errors(network: Network, batches: Sequence[TensorBatch]) -> Floats:
    """Return the mean absolute error of the point forecasts of windows (B,), in scales."""
    scaled = _forecast_scaled(network, batches)
    missed = np.abs(scaled.actual - scaled.quantiles[..., network.median])
    seen = ~np.isnan(missed)
    count = seen.sum(1)
    return np.where(count > 0, np.where(seen, missed, 0.0).sum(1) / np.maximum(count, 1), np.nan)


def _measure(scaled: ScaledForecasts, config: Config) -> ConformalCorrection:
    """Measure the levels' correction by forecasts before it."""
    forecast = scaled.quantiles  # (B, H, Q)
    levels = config.quantiles
    median = forecast[..., config.median]  # (B, H)
    residual = scaled.actual - median
    shape = forecast.shape[1:]
    if config.training.loss in POINT_LOSSES:
        offsets = np.array([0.0 if level == 0.5 else _quantile(residual, level) for level in levels])
        steps = _growth(np.abs(residual))[:, None] * offsets  # (H, Q)
        offset = steps.astype(np.float32)
        return ConformalCorrection(
            offset, np.ones(shape, np.float32), *_measure_counts(scaled, forecast + steps, config)
        )
    share = len(residual) / (len(residual) + SHRINKAGE)
    distances = [forecast[..., column] - median for column in range(len(levels))]
    factors = [_factor(residual, distance, level) ** share for distance, level in zip(distances, levels, strict=True)]
    scale = np.broadcast_to(np.array(factors), shape)  # (H, Q)
    corrected = median[..., None] + (forecast - median[..., None]) * scale
    rounding = np.broadcast_to(ROUNDING * np.sign(np.array(levels) - 0.5), shape)  # (H, Q)
    offset = rounding.astype(np.float32)
    return ConformalCorrection(offset, scale.astype(np.float32), *_measure_counts(scaled, corrected, config))


def _measure_counts(
    scaled: ScaledForecasts, corrected: Floats, config: Config
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Measure what the graph makes of corrected quantiles (B, H, Q): the fields lean, excess and history."""
    if not config.whole:
        none = np.zeros((), np.float32)
        return _measure_lean(scaled, corrected, config), none, none
    share = _choose_share(scaled, corrected, config)
    blended = _blend(scaled, corrected, share)
    excess = _choose_excess(scaled, blended, config)
    return _measure_lean(scaled, blended, config), excess, np.array(share, np.float32)


def _choose_share(scaled: ScaledForecasts, corrected: Floats, config: Config) -> float:
    """Choose the share of the contexts' own quantiles: the largest whose loss is within one standard error of the least
    (Breiman et al. 1984, "Classification and regression trees"), since the network was chosen by the same windows."""
    blends = [_blend(scaled, corrected, share) for share in HISTORY_SHARES]
    columns = range(len(config.quantiles))
    lost = np.array([sum(_lose(scaled, blend, config, column, 0.0) for column in columns) for blend in blends])
    if not scaled.is_rare.any():
        return 0.0
    lost = lost[:, ~np.isnan(lost).any(0) & scaled.is_rare[:, 0]]  # (shares, windows)
    if lost.shape[-1] < LEAST_WINDOWS:
        return UNKNOWN_SHARE
    excess = lost - lost[lost.mean(-1).argmin()]
    error = excess.std(-1) / np.sqrt(lost.shape[-1])
    return HISTORY_SHARES[int(np.flatnonzero(excess.mean(-1) <= error)[-1])]


def _blend(scaled: ScaledForecasts, corrected: Floats, share: float) -> Floats:
    """Give the contexts' own quantiles their share in the corrected ones (B, H, Q) of rare counts."""
    own = np.where(scaled.is_rare, scaled.own, 0.0)[:, None]  # (B, 1, Q)
    return np.where(scaled.is_rare[..., None], corrected + share * (own - corrected), corrected)


def _choose_excess(scaled: ScaledForecasts, corrected: Floats, config: Config) -> NDArray[np.float32]:
    """Choose how far above a half a fraction must be for each level of counts to be rounded up, (Q,), by pinball loss.

    A network's quantiles (B, H, Q) are smooth, those of counts are steps: where the step is, is learned.
    """
    if len(corrected) < LEAST_WINDOWS:
        return np.zeros(len(config.quantiles), np.float32)
    chosen = []
    for column in range(len(config.quantiles)):
        lost = [np.nansum(_lose(scaled, corrected, config, column, excess)) for excess in EXCESSES]
        chosen.append(EXCESSES[int(np.argmin(lost))])
    return np.array(chosen, np.float32)


def _lose(scaled: ScaledForecasts, corrected: Floats, config: Config, column: int, excess: float) -> Floats:
    """Return the pinball loss (B,) of one level of corrected quantiles (B, H, Q), rounded, in original units."""
    level = config.quantiles[column]
    quantiles = np.clip(corrected[..., column], scaled.low, scaled.high) * scaled.scale + scaled.loc  # (B, H)
    lowest = scaled.low * scaled.scale + scaled.loc  # (B, 1)
    rounded = np.where(scaled.is_whole, np.maximum(np.rint(quantiles - excess), lowest), quantiles)
    error = scaled.actual * scaled.scale + scaled.loc - rounded
    seen = ~np.isnan(error)
    loss = np.where(seen, np.maximum(level * error, (level - 1) * error), 0.0).sum(-1)
    count = seen.sum(-1)
    return np.where(count > 0, loss / np.maximum(count, 1), np.nan)


def _measure_lean(scaled: ScaledForecasts, corrected: Floats, config: Config) -> NDArray[np.float32]:
    """Measure how far the mean lies from the median, as a factor () of what the formula says of corrected quantiles
    (B, H, Q) within their bounds.

    The factor is the ratio of the sum of the median's residuals to that of the formula's distances, each signed by the
    distance, so that means add up to what was observed. It is shrunk towards 1 by its own variance, as a normal prior
    would: of symmetric data the distances are chance, and their ratio says nothing.
    """
    weights = np.array(compute_mean_weights(config.quantiles))
    quantiles = np.clip(corrected, scaled.low[..., None], scaled.high[..., None])
    median = quantiles[..., config.median]
    residual = scaled.actual - median  # (B, H)
    distance = (quantiles - median[..., None]) @ weights  # (B, H)
    seen = ~np.isnan(residual)
    total = np.where(seen, np.abs(distance), 0.0).sum(-1)  # (B,)
    signed = np.where(seen, residual * np.sign(distance), 0.0).sum(-1)  # (B,)
    if not total.sum() > 0:
        return np.ones((), np.float32)
    ratio = signed.sum() / total.sum()
    # windows are independent more or less, steps of one are not
    variance = ((signed - ratio * total) ** 2).sum() / total.sum() ** 2
    share = LEAN_VARIANCE / (LEAN_VARIANCE + variance)
    return np.array(np.clip(1 + share * (ratio - 1), 0.0, MOST_LEAN), np.float32)


def _factor(residual: Floats, distance: Floats, level: float) -> float:
    """Return how far from the median a level should be, in units of how far it is: distance (B, H)."""
    if level == 0.5:
        return 1.0
    usable = (np.abs(distance) > LEAST_DISTANCE) & ~np.isnan(residual)
    if not usable.any():
        return 1.0
    factor = float(np.quantile(residual[usable] / distance[usable], max(level, 1 - level)))
    return float(np.clip(factor, 1 / WIDEST, WIDEST))


def _forecast_scaled(network: Network, batches: Sequence[TensorBatch]) -> ScaledForecasts:
    network.eval()
    parts: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        for batch in batches:
            for piece in split_batch(batch, WINDOWS_AT_ONCE):
                context, quantiles = network.forecast_scaled(**inputs_of(piece, network.config))
                ends = torch.tensor([-torch.inf, torch.inf], dtype=torch.float64, device=context.loc.device)
                bounds = network.clip_to_bounds(ends.expand(len(quantiles), 1, 2), piece["y"])[:, 0]  # (B, 2)
                low, high = ((bounds - context.loc) / context.scale).split(1, dim=-1)  # type: ignore[no-untyped-call]
                target = (piece["target"] - context.loc) / context.scale
                ordered = torch.sort(quantiles, dim=-1).values
                own = (rank_history(piece["y"], network.config.quantiles) - context.loc) / context.scale
                kinds = (find_whole(piece["y"]), find_rare(piece["y"]))
                parts.append((ordered, target, low, high, context.loc, context.scale, own, *kinds))
    return ScaledForecasts(*[np.concatenate([t.cpu().numpy() for t in some]) for some in zip(*parts, strict=True)])


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
