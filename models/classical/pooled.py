"""Statistical models for the gates to choose from: found on a sample of series, pooled, as linear maps of a context.

AutoETS, AutoTheta and where it is asked for Prophet fit each series of the sample; the models that together forecast
the training windows best are kept. As maps they serve any series, those that were not trained on as well.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classical.baselines import smoothing_models
from models.classical.linear_maps import Smoothed
from models.classical.prophet import Structural
from models.data.series import Series, observed_span
from models.network.reader import Reader

Floats = NDArray[np.float64]
Pooled = Smoothed | Structural

SAMPLED_SERIES = 16
LONGEST_SEASON = 24
"""longer seasons make exponential smoothing slow and weak"""
SEASONS_READ = 10
LEAST_READ, MOST_READ = 12, 240
"""steps of a sampled history"""


def pooled_models(series: Sequence[Series], ends: Sequence[int], season: int, seed: int) -> list[Smoothed]:
    """Return what statsforecast finds on a seeded sample of the series, read up to their ends."""
    if season > LONGEST_SEASON:
        return []
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(series))
    histories: list[Floats] = []
    for row in order.tolist():
        history = _recent(series[row].y[: ends[row]], season)
        if len(history) >= max(LEAST_READ, 2 * season + 5) and np.ptp(history) > 0:
            histories.append(history)
        if len(histories) == SAMPLED_SERIES:
            break
    return smoothing_models(histories, season) if histories else []


def set_models(reader: Reader, groups: Sequence[tuple[int, Sequence[Pooled]]], z: Tensor, target: Tensor) -> None:
    """Give a reader the models that together forecast windows best: z (B, T), target (B, H) in scaled units.

    `groups` are pairs of how many are kept and what there is to choose from. Fewer models than are kept are repeated;
    without any the room holds the last value.
    """
    candidates, own = reader.candidates, reader.own
    assert candidates is not None
    season = own.seasons[0] if own.seasons else 1
    identity = np.eye(candidates.length)
    context, ahead = z[:, -candidates.length :].double().cpu().numpy(), target.double().cpu().numpy()
    picked: list[Floats] = []
    for count, models in groups:
        found = list(models) or [Smoothed(1.0)]
        maps = np.stack(
            [one.forecast(identity, candidates.horizon, season) for one in found], axis=-1
        )  # (T, H, models)
        picked.append(maps[..., _greedy(context, ahead, maps, count)])
    pooled = np.concatenate(picked, axis=-1).reshape(candidates.length, -1)
    candidates.pooled.copy_(torch.from_numpy(pooled).float())


def _greedy(z: Floats, target: Floats, maps: Floats, count: int) -> list[int]:
    """Return the maps that lower the error of the best of them in each window most, one after another."""
    errors = np.stack([np.nanmean(np.abs(z @ maps[..., k] - target), axis=-1) for k in range(maps.shape[-1])], axis=-1)
    errors = np.nan_to_num(errors, nan=0.0)  # (B, number of models); a window without targets weighs nothing
    chosen: list[int] = []
    best = np.full(len(errors), np.inf)
    for _ in range(count):
        gains = np.minimum(best[:, None], errors).mean(0)
        chosen.append(int(np.argmin(gains)))
        best = np.minimum(best, errors[:, chosen[-1]])
    return chosen


def _recent(y: Floats, season: int) -> Floats:
    """Return the last steps of a history, its gaps filled by straight lines."""
    first, end = observed_span(y)
    recent = y[max(first, end - min(MOST_READ, max(LEAST_READ * 4, SEASONS_READ * season))) : end]
    steps, present = np.arange(len(recent)), ~np.isnan(recent)
    return np.interp(steps, steps[present], recent[present]) if present.any() else recent[:0]
