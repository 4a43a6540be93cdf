"""Prediction by any runner: torch, ONNX Runtime or a baseline.

Shapes: B windows, H horizon, Q trained levels, R requested levels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps
from models.config.model import Config
from models.data.outliers import hide_all
from models.data.series import Series, observed_span
from models.data.wall_clock import read_clocks
from models.data.windows import Batch, assemble

Runner = Callable[[Batch], Floats]
"""a batch -> quantiles (B, H, Q) in original units"""

BATCH = 1024
"""windows that a runner is given at once, for the sake of memory"""


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
        origins = [observed_span(item.y)[1] - 1 for item in series]
    values = run_windows(series, np.array(origins, np.int64), runner, config)
    median = values[..., config.median]  # (B, H)
    return [
        Forecast(
            series_id=item.id,
            origin=int(item.stamps(origin, origin + 1)[0]),
            stamps=item.stamps(origin + 1, origin + 1 + config.horizon),
            quantiles=values[row],
            levels=config.quantiles,
            yhat=median[row],
        )
        for row, (item, origin) in enumerate(zip(series, origins, strict=True))
    ]


def run_windows(series: Sequence[Series], origins: Ints, runner: Runner, config: Config) -> Floats:
    """Run windows in batches: series (B,), origins (B,) -> quantiles (B, H, Q).

    Raises ValueError for an infinite value in a context.
    """
    parts: list[Floats] = []
    for first in range(0, len(series), BATCH):
        rows = slice(first, first + BATCH)
        visible, _ = hide_all(series[rows], origins[rows], config)
        windows = read_clocks(visible, origins[rows], config)
        batch = assemble(windows.series, windows.origins, config)
        _check_finite(batch, series[rows])
        parts.append(windows.restore(runner(batch)))
    return np.concatenate(parts) if parts else np.empty((0, config.horizon, len(config.quantiles)))


def _check_finite(batch: Batch, series: Sequence[Series]) -> None:
    """Raise ValueError for an infinite value in a context."""
    infinite = np.isinf(batch["y"]).any(-1)  # (B,)
    if infinite.any():
        raise ValueError(f"series {series[int(infinite.argmax())].id!r} holds an infinite value; correct or remove it")


def interpolate_quantiles(values: Floats, trained: Sequence[float], requested: Sequence[float]) -> Floats:
    """Interpolate between trained levels, (..., Q) -> (..., R). Raises ValueError outside their range."""
    outside = [level for level in requested if not trained[0] <= level <= trained[-1]]
    if outside:
        raise ValueError(f"quantile {outside[0]} is outside the trained range {trained[0]} to {trained[-1]}")
    grid = np.asarray(trained)
    levels = np.asarray(requested)
    right = np.searchsorted(grid, levels)  # (R,)
    left = np.maximum(right - 1, 0)
    span = grid[right] - grid[left]  # 0 at the lowest level alone, which is taken as it is
    weight = np.where(span > 0, (levels - grid[left]) / np.where(span > 0, span, 1), 1)
    mixed: Floats = values[..., left] * (1 - weight) + values[..., right] * weight  # (..., R)
    return mixed
