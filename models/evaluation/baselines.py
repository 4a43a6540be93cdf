"""Baselines: the forecasts that a model is compared with, on the same windows."""

from collections.abc import Mapping, Sequence

import numpy as np

from models.arrays import Floats
from models.classical import statistical_models
from models.classical.on_clock import SeasonalForecast, forecast_on_clock
from models.evaluation.scoring import Windows, measure_points

BASELINES: Mapping[str, SeasonalForecast] = {
    "season_naive": statistical_models.season_naive,
    "naive": lambda history, horizon, season: statistical_models.naive(history, horizon),
    "drift": lambda history, horizon, season: statistical_models.drift(history, horizon),
    "season_mean": statistical_models.season_mean,
    "theta": statistical_models.theta,
    "ets": statistical_models.ets,
}
SEASONLESS = ("naive", "drift")
"""those that changes of the clocks do not concern"""
COST: Mapping[str, tuple[float, float]] = {"theta": (8e-3, 1e-5), "ets": (3e-2, 7.5e-5)}
"""name -> seconds a window, where a model is fitted to each: fixed ones, and those for the square of the season"""
BUDGET_S = 20.0
"""seconds for each baseline that nobody named; a judgement"""


def choose_affordable(n_windows: int, season: int, budget_s: float = BUDGET_S) -> tuple[str, ...]:
    """Choose the baselines that take `budget_s` seconds at most on so many windows."""
    return tuple(name for name in BASELINES if n_windows * _seconds(name, season) <= budget_s)


def _seconds(name: str, season: int) -> float:
    """Estimate the seconds that a baseline takes for a window."""
    fixed, squared = COST.get(name, (0.0, 0.0))
    fitted_season = season if season <= statistical_models.LONGEST_FITTED else 1
    return fixed + squared * fitted_season**2


def forecast_baselines(windows: Windows, season: int, names: Sequence[str]) -> dict[str, Floats]:
    """Forecast windows by each of the named baselines: name -> (B, H)."""
    return {name: _forecast_windows(windows, name, season) for name in names}


def _forecast_windows(windows: Windows, name: str, season: int) -> Floats:
    """Forecast windows by one baseline: (B, H)."""
    horizon = windows.actual.shape[1]
    baseline = BASELINES[name]
    pairs = zip(windows.series, windows.origins.tolist(), strict=True)
    if name in SEASONLESS:
        points = [baseline(series.y[: origin + 1], horizon, season) for series, origin in pairs]
    else:
        points = [forecast_on_clock(baseline, series, origin, horizon, season) for series, origin in pairs]
    return np.array(points, np.float64).reshape(windows.actual.shape)


def score_baselines(
    windows: Windows, season: int, names: Sequence[str], levels: Sequence[float]
) -> dict[str, dict[str, float]]:
    """Return `point_measures` of each reference that is named."""
    points = forecast_baselines(windows, season, names)
    return {name: measure_points(windows, point, levels) for name, point in points.items()}
