"""Forecasts as clients see them: by the network, or by the floor where that is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import ErrorCode
from app.services.contexts import Refusal, refusal
from app.serving.runtime import LoadedVersion
from models.baselines import season_naive
from models.config import Config
from models.predict import interpolate_quantiles, predict
from models.timestamps import Stamps, format_stamp, format_stamps
from models.windows import Series

Result = dict[str, Any]


@dataclass(frozen=True)
class Steps:
    """What is asked for of each series."""

    horizon: int
    levels: Sequence[float]
    """(R,) quantiles"""


def by_network(
    series: Sequence[Series], version: LoadedVersion, steps: Steps, warnings: Mapping[str, list[str]]
) -> tuple[dict[str, Result], dict[str, Refusal]]:
    """Forecast series from the ends of their `y`; return the results, and why the others have none."""
    if not series:
        return {}, {}
    forecasts = predict(series, version.run, version.config, [len(one.y) - 1 for one in series])
    values = interpolate_quantiles(np.stack([f.quantiles for f in forecasts]), version.config.quantiles, steps.levels)
    results, errors = {}, {}
    for one, forecast, quantiles in zip(series, forecasts, values, strict=True):
        if np.isfinite(forecast.quantiles).all():
            said = warnings.get(one.id, [])
            results[one.id] = _result(one, forecast.stamps, forecast.yhat, quantiles, steps, said)
        else:
            errors[one.id] = refusal(ErrorCode.forecast_not_finite, "the network gave no finite forecast")
    return results, errors


def by_floor(one: Series, config: Config, steps: Steps, why: Refusal) -> Result:
    """Forecast a series by season-naive; the spread of its quantiles is that of the changes over a season.

    `why` is what kept the network from it, and becomes a warning.
    """
    seasons = config.network.season_lengths
    season = next((m for m in seasons if m < len(one.y)), 1)
    point = season_naive(one.y, steps.horizon, season)
    change = one.y[season:] - one.y[:-season]
    change = change[~np.isnan(change)]
    offsets = np.quantile(change, steps.levels) - np.median(change) if len(change) else np.zeros(len(steps.levels))
    low, high = _limits(one, config)
    values = np.clip(point[:, None] + offsets, low, high)  # (H, R)
    stamps = one.stamps(len(one.y), len(one.y) + steps.horizon)
    return _result(one, stamps, np.clip(point, low, high), values, steps, [why["code"]], fallback=True)


def failure(series_id: str, error: Refusal) -> Result:
    """Return what is said of a series without a forecast."""
    return {"series_id": series_id, "status": "error", "error": error}


def _limits(one: Series, config: Config) -> tuple[float, float]:
    low, high = config.bounds
    floor = 0.0 if config.nonnegative and np.nanmin(one.y) >= 0 else -np.inf
    return max(floor, -np.inf if low is None else low), np.inf if high is None else high


def _result(
    one: Series,
    stamps: Stamps,
    yhat: NDArray[np.float64],
    quantiles: NDArray[np.float64],
    steps: Steps,
    warnings: list[str],
    *,
    fallback: bool = False,
) -> Result:
    """Return the first steps of one series' forecast: stamps (H,), yhat (H,), quantiles (H, R)."""
    end, horizon, timezone = len(one.y), steps.horizon, one.grid.timezone
    return {
        "series_id": one.id,
        "status": "ok",
        "origin": format_stamp(int(one.stamps(end - 1, end)[0]), timezone),
        "ds": format_stamps(stamps[:horizon], timezone),
        "yhat": yhat[:horizon].tolist(),
        "quantiles": {repr(level): quantiles[:horizon, i].tolist() for i, level in enumerate(steps.levels)},
        "warnings": (["short_history"] if end < horizon else []) + warnings,
        "stale": False,
        "fallback": fallback,
    }
