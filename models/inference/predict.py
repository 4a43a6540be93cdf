"""Prediction by any runner: torch, ONNX Runtime or a baseline. Knows no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps
from models.config.model import Config
from models.data.series import Series, observed_span
from models.data.windows import Batch, assemble

Runner = Callable[[Batch], Floats]
"""a batch -> quantiles (B, H, Q) in original units"""

BATCH = 1024


@dataclass(frozen=True, eq=False)
class Forecast:
    """The forecast of one series."""

    series_id: str
    origin: int
    """stamp of the last observed value, microseconds UTC"""
    stamps: Stamps
    """(H,) microseconds UTC"""
    quantiles: Floats
    """(H, Q) in original units, ascending along Q"""
    levels: tuple[float, ...]
    """(Q,)"""
    yhat: Floats
    """(H,) the median"""


def predict(
    series: Sequence[Series], runner: Runner, config: Config, origins: Sequence[int] | None = None
) -> list[Forecast]:
    """Forecast each series once.

    Args:
        config: that of the model behind `runner`.
        origins: positions in the series' `y`; by default each series' last observed value.
    """
    if origins is None:
        origins = [observed_span(one.y)[1] - 1 for one in series]
    values = run_windows(series, np.array(origins, np.int64), runner, config)
    middle = interpolate_quantiles(values, config.quantiles, (0.5,))[..., 0]
    return [
        Forecast(
            series_id=one.id,
            origin=int(one.stamps(origin, origin + 1)[0]),
            stamps=one.stamps(origin + 1, origin + 1 + config.horizon),
            quantiles=values[row],
            levels=config.quantiles,
            yhat=middle[row],
        )
        for row, (one, origin) in enumerate(zip(series, origins, strict=True))
    ]


def run_windows(series: Sequence[Series], origins: Ints, runner: Runner, config: Config) -> Floats:
    """Run windows in batches: series (B,), origins (B,) -> quantiles (B, H, Q).

    Raises ValueError for an infinite value in a context.
    """
    chunks = (slice(at, at + BATCH) for at in range(0, len(series), BATCH))
    parts = [runner(_finite(assemble(series[chunk], origins[chunk], config), series[chunk])) for chunk in chunks]
    return np.concatenate(parts) if parts else np.empty((0, config.horizon, len(config.quantiles)))


def _finite(batch: Batch, series: Sequence[Series]) -> Batch:
    infinite = np.isinf(batch["y"]).any(-1)
    if infinite.any():
        raise ValueError(f"series {series[int(infinite.argmax())].id!r} holds an infinite value; correct or remove it")
    return batch


def interpolate_quantiles(values: Floats, trained: Sequence[float], requested: Sequence[float]) -> Floats:
    """Interpolate between trained levels, (..., Q) -> (..., R). Raises ValueError outside of them."""
    low, high = trained[0], trained[-1]
    outside = [level for level in requested if not low <= level <= high]
    if outside:
        raise ValueError(f"quantile {outside[0]} is outside the trained range {low} to {high}")
    right = np.searchsorted(np.asarray(trained), np.asarray(requested))
    left = np.maximum(right - 1, 0)
    span = np.asarray(trained)[right] - np.asarray(trained)[left]
    weight = np.where(span > 0, (np.asarray(requested) - np.asarray(trained)[left]) / np.where(span > 0, span, 1), 1)
    mixed: Floats = values[..., left] * (1 - weight) + values[..., right] * weight
    return mixed
