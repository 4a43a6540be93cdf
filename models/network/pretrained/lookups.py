"""What the past says of each step ahead: candidates that the pretrained network's gates choose from.

Shapes: B windows, T steps, P origins, S steps ahead, K candidates.
"""

from typing import NamedTuple

import torch
from torch import Tensor

COUNT = 9
"""candidates: three of the level, and three of each season"""
CYCLES = 4
"""most seasons whose mean is a candidate"""
LOCAL = 8
"""steps whose mean is the level of a series without a season"""
LEAST_UNIT = 1e-3
"""in standard deviations of the context"""


class Units(NamedTuple):
    """How much a context changes from step to step, and from season to season."""

    unit: Tensor
    """(B, 1) the least of the mean absolute differences at lag 1 and at each season"""
    season: Tensor
    """(B, 1) that of the first season, at lag 1 where there is none: the denominator of MASE"""
    features: Tensor
    """(B, 8) logarithms of them, whether there is a season, and of how many steps"""


def gather_steps(values: Tensor, index: Tensor) -> Tensor:
    """Return values (B, T) at index (B, ...), of the index' shape."""
    return values.gather(1, index.flatten(1)).reshape(index.shape)


def number_steps(values: Tensor) -> Tensor:
    """Return 0, 1, 2 … for the columns of values (B, T): (T,). A range of a size that is not fixed would become one of
    a fixed size in the graph."""
    return torch.ones_like(values[0], dtype=torch.int64).cumsum(0) - 1


def measure_units(z: Tensor, observed: Tensor, periods: Tensor) -> Units:
    """Measure z (B, T), 0 where observed is 0; periods (B, 2), 0 for none."""
    steps = number_steps(z)
    lags = torch.cat([torch.ones_like(periods[:, :1]), periods], dim=1)  # (B, 3)
    index = steps - lags[..., None]  # (B, 3, T)
    inside = (index >= 0) & (lags[..., None] > 0)
    index = index.clip(0)
    pairs = gather_steps(observed, index) * observed[:, None] * inside  # (B, 3, T)
    change = (z[:, None] - gather_steps(z, index)).abs() * pairs
    count = pairs.sum(-1)  # (B, 3)
    mean = change.sum(-1) / count.clip(1.0)
    known = count > 0
    errors = torch.where(known, mean, mean[:, :1].expand_as(mean)).clip(LEAST_UNIT)  # (B, 3)
    unit = errors.amin(-1, keepdim=True)
    has = (periods > 0).to(z.dtype)
    logs = torch.log(errors)
    features = torch.cat(
        [
            torch.log(unit),
            logs[:, :1],
            logs[:, 1:] - logs[:, :1],
            has,
            torch.log(periods.clip(1).to(z.dtype)) / 6,
        ],
        dim=-1,
    )
    return Units(unit, errors[:, 1:2], features)


def fill_forward(z: Tensor, observed: Tensor) -> Tensor:
    """Fill z (B, T) with the last observed value, 0 before the first."""
    count = (observed > 0).long().cumsum(1)  # (B, T) values up to each step
    steps = number_steps(z).expand_as(count)
    slots = torch.where(observed > 0, count, torch.zeros_like(count))  # 0: of no value
    places = torch.zeros_like(torch.nn.functional.pad(count, (1, 0))).scatter(1, slots, steps)  # (B, T + 1)
    latest = torch.where(count > 0, places.gather(1, count), torch.zeros_like(count))
    return gather_steps(z * observed, latest)


def look_up(filled: Tensor, first: Tensor, periods: Tensor, origins: Tensor, ahead: Tensor) -> Tensor:
    """Return the candidates (B, P, S, K) of each step ahead.

    Args:
        filled: (B, T) values without gaps.
        first: (B, 1) position of the first observed one.
        periods: (B, 2) season lengths, 0 for none.
        origins: (P,) number of values that are known at each origin, at least 1.
        ahead: (P, S) steps ahead, 0 for the first.
    """
    origin = origins[None, :, None]  # (1, P, 1)
    start = first[:, :, None]  # (B, 1, 1)
    newest = torch.maximum(origin - 1, start)  # (B, P, 1)
    last = gather_steps(filled, newest)  # (B, P, 1)
    steps = ahead[None]  # (1, P, S)
    season = periods[:, :1, None]  # (B, 1, 1)
    known = (origin - start).clip(1)  # (B, P, 1)
    span = torch.where(season > 0, season, torch.full_like(season, LOCAL))
    span = torch.minimum(span.expand_as(known), known // 2).clip(1)  # (B, P, 1)
    total = torch.nn.functional.pad(filled.cumsum(1), (1, 0))  # (B, T + 1)
    ends = torch.stack([newest + 1, newest + 1 - span, newest + 1 - 2 * span]).clip(0)
    sums = [gather_steps(total, one) for one in ends.unbind(0)]
    width = span.to(filled.dtype)
    level = (sums[0] - sums[1]) / width  # (B, P, 1)
    slope = torch.where(known > 1, (level - (sums[1] - sums[2]) / width) / width, torch.zeros_like(level))
    drift = last + slope * (steps + 1)
    parts = [last, level, drift]
    for column in range(periods.shape[1]):
        period = periods[:, column, None, None]  # (B, 1, 1)
        length = period.clip(1)
        cycles = steps // length + 1  # (B, P, S)
        repeated = mean = None
        for back in range(CYCLES):
            index = origin + steps - length * (cycles + back)  # (B, P, S)
            usable = ((period > 0) & (index >= start)).to(filled.dtype)
            value = gather_steps(filled, index.clip(0, filled.shape[1] - 1))
            if repeated is None or mean is None:
                repeated = torch.where(usable > 0, value, last)
                mean, count = repeated, torch.ones_like(usable)
            else:
                mean, count = mean + value * usable, count + usable
        assert repeated is not None
        assert mean is not None
        moved = repeated + slope * length * cycles * (period > 0)
        parts += [repeated, mean / count, moved]
    shape = (filled.shape[0], *ahead.shape)
    return torch.stack([part.expand(shape) for part in parts], dim=-1)
