"""The forecasts of floors: points, and quantiles from how far such forecasts have missed within the context.

Shapes: T context, H horizon, R levels.
"""

from collections.abc import Sequence

import numpy as np

from app.services.forecasting.inputs.context_cache import SeriesContext
from app.services.forecasting.inputs.request import ForecastShape
from models.arrays import Floats
from models.classical.statistical_models import drift, naive, season_naive
from models.config.model import Config


def forecast_floor(context: SeriesContext, floor: str, config: Config, shape: ForecastShape) -> tuple[Floats, Floats]:
    """Forecast a series by a floor: the point (H,), and how far each quantile lies from it, (R, H).

    The quantiles of season-naive are those of the changes over a season. The errors of naive and drift are sums of the
    changes from step to step, whose spread grows with the root of their number (Hyndman and Athanasopoulos,
    "Forecasting: principles and practice", 3rd edition, section 5.5).
    """
    y = context.series.y
    if floor == "season_naive":
        season = next((length for length in config.network.season_lengths if length < len(y)), 1)
        y = y if context.clock is None else context.clock.series.y
        offsets = _compute_offsets(y, season, shape.levels)  # (R,)
        return _repeat_season(context, season, shape.horizon), np.repeat(offsets[:, None], shape.horizon, axis=1)
    steps = np.arange(1.0, shape.horizon + 1)
    point = naive(y, shape.horizon) if floor == "naive" else _continue_line(context, steps)
    return point, _compute_offsets(y, 1, shape.levels)[:, None] * np.sqrt(steps)


def _repeat_season(context: SeriesContext, season: int, horizon: int) -> Floats:
    """Repeat the last season of a series, on the wall clock where that is changed: (H,)."""
    if context.clock is None or horizon > len(context.clock.steps):
        return season_naive(context.series.y, horizon, season)
    steps = context.clock.steps[:horizon].clip(0)
    return np.take(season_naive(context.clock.series.y, int(steps.max()) + 1, season), steps)


def _continue_line(context: SeriesContext, steps: Floats) -> Floats:
    """Continue the line from the first value of a series, which may lie before the context, to the origin: (H,)."""
    y = context.series.y
    first = context.first
    if first is None:
        return drift(y, len(steps))
    last = int(np.flatnonzero(~np.isnan(y))[-1])
    hidden = len(y) - 1 - last  # steps at the end that are outliers
    slope = (y[last] - first.y) / (first.steps - hidden) if first.steps > hidden else 0.0
    line: Floats = y[last] + slope * (steps + hidden)
    return line


def _compute_offsets(y: Floats, lag: int, levels: Sequence[float]) -> Floats:
    """Return how far the quantiles of the changes over a lag lie from their median, (R,)."""
    changes = y[lag:] - y[:-lag]
    changes = changes[~np.isnan(changes)]
    if not len(changes):
        return np.zeros(len(levels))
    return np.quantile(changes, levels) - np.median(changes)
