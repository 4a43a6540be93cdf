"""Forecasts by functions of a history's values alone, on the wall clock where that is changed around its end."""

from collections.abc import Callable

import numpy as np

from models.arrays import Floats
from models.calendar.wall_steps import count_day, has_changes
from models.classical.statistical_models import FITTED_SEASONS, FITTED_STEPS, season_naive
from models.data.series import Series
from models.data.wall_clock import align

SeasonalForecast = Callable[[Floats, int, int], Floats]
"""history (T,) up to the origin, horizon, season -> (H,)"""


def forecast_on_clock(forecast: SeasonalForecast, series: Series, origin: int, horizon: int, season: int) -> Floats:
    """Forecast a series from a position in its `y`, so that its hours stay where they are on the wall clock: (H,).

    Where the clocks are not changed among the values that matter, or the series does not follow them, the forecast is
    that of the values as they are.
    """
    history = series.y[: origin + 1]
    clock = None
    if count_day(series.grid.frequency) is not None:
        reach = max(FITTED_STEPS, FITTED_SEASONS * season)
        ends = series.grid.stamps(series.start + origin + np.array([-reach, horizon], np.int64))
        if has_changes(series.grid.timezone, *ends.tolist()):
            clock = align(series, origin, len(history), horizon, (season,))
    if clock is None:
        return forecast(history, horizon, season)
    points = forecast(clock.series.y, max(horizon, int(clock.steps.max()) + 1), season)
    return np.take(points, clock.steps.clip(0))


def season_naive_on_clock(series: Series, origin: int, horizon: int, season: int) -> Floats:
    """Repeat the last observed value of each hour of the season: (H,)."""
    return forecast_on_clock(season_naive, series, origin, horizon, season)
