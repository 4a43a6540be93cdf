"""Forecasts of single series: by the network, or by the floor where that is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.services.forecasting.contexts import Refusal
from app.services.forecasting.memory import Context
from app.services.forecasting.request import Steps
from models.baselines import season_naive
from models.config import Config
from models.predict import interpolate_quantiles
from models.timestamps import Stamps

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Told:
    """The forecast of one series."""

    series_id: str
    origin: str
    stamps: Stamps
    """(H,) microseconds UTC"""
    ds: list[str]
    """(H,)"""
    yhat: Floats
    """(H,) the median"""
    quantiles: Floats
    """(R, H)"""
    warnings: list[str]
    stale: bool
    fallback: bool


@dataclass(frozen=True)
class Failed:
    """Why a series has no forecast."""

    series_id: str
    error: Refusal


Result = Told | Failed


class Levels:
    """Picks the levels that are asked for, and the median, from those that were trained."""

    def __init__(self, config: Config, levels: Sequence[float]) -> None:
        self._trained, self._wanted = config.quantiles, (0.5, *levels)
        positions = {level: at for at, level in enumerate(self._trained)}
        exact = all(level in positions for level in self._wanted)
        self._columns = [positions[level] for level in self._wanted] if exact else None

    def of(self, values: Floats) -> Floats:
        """Return the median and the levels (B, 1 + R, H) of quantiles (B, H, Q)."""
        if self._columns is not None:
            return np.ascontiguousarray(values[..., self._columns].transpose(0, 2, 1))
        return np.ascontiguousarray(interpolate_quantiles(values, self._trained, self._wanted).transpose(0, 2, 1))


def by_network(one: Context, values: Floats, steps: Steps, warnings: list[str], *, stale: bool) -> Told:
    """Return the forecast of a series from its median and levels (1 + R, H)."""
    return _told(one, values[:, : steps.horizon], warnings, stale=stale, fallback=False)


def by_floor(one: Context, config: Config, steps: Steps, why: Refusal, *, stale: bool) -> Told:
    """Forecast a series by season-naive; the spread of its quantiles is that of the changes over a season.

    `why` is what kept the network from it, and becomes a warning.
    """
    y = one.series.y
    season = next((m for m in config.network.season_lengths if m < len(y)), 1)
    point = season_naive(y, steps.horizon, season)
    change = y[season:] - y[:-season]
    change = change[~np.isnan(change)]
    offsets = np.quantile(change, steps.levels) - np.median(change) if len(change) else np.zeros(len(steps.levels))
    values = point + np.concatenate([[0.0], offsets])[:, None]  # (1 + R, H)
    return _told(one, np.clip(values, *_limits(y, config)), [why["code"]], stale=stale, fallback=True)


def _limits(y: Floats, config: Config) -> tuple[float, float]:
    low, high = config.bounds
    floor = 0.0 if config.nonnegative and np.nanmin(y) >= 0 else -np.inf
    return max(floor, -np.inf if low is None else low), np.inf if high is None else high


def _told(one: Context, values: Floats, warnings: list[str], *, stale: bool, fallback: bool) -> Told:
    horizon, moment = values.shape[1], one.moment
    return Told(
        one.series.id,
        moment.origin,
        moment.stamps[:horizon],
        moment.ds[:horizon],
        values[0],
        values[1:],
        ["short_history", *warnings] if len(one.series.y) < horizon else warnings,
        stale,
        fallback,
    )


def document(result: Result, steps: Steps) -> dict[str, Any]:
    """Return a result as clients see it in JSON; its numbers are arrays."""
    if isinstance(result, Failed):
        return {"series_id": result.series_id, "status": "error", "error": result.error}
    return {
        "series_id": result.series_id,
        "status": "ok",
        "origin": result.origin,
        "ds": result.ds,
        "yhat": result.yhat,
        "quantiles": dict(zip(steps.names, result.quantiles, strict=True)),
        "warnings": result.warnings,
        "stale": result.stale,
        "fallback": result.fallback,
    }
