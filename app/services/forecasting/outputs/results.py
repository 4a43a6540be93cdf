"""Forecasts of single series: by the network, or by the floor where that is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from app.services.forecasting.inputs.context_cache import Context
from app.services.forecasting.inputs.request import Steps
from app.services.refusals import Refusal
from app.serving.moments import Moment
from models.arrays import Floats
from models.calendar.timestamps import Stamps
from models.classical.statistical_models import season_naive
from models.config.model import Config
from models.inference.predict import interpolate_quantiles


@dataclass(eq=False, slots=True)
class Told:
    """The forecast of one series."""

    series_id: str
    moment: Moment
    horizon: int
    yhat: Floats
    """(H,) the median"""
    quantiles: Sequence[Floats]
    """R of (H,) each"""
    warnings: list[str]
    stale: bool
    fallback: bool

    @property
    def stamps(self) -> Stamps:
        """(H,) microseconds UTC."""
        return self.moment.stamps[: self.horizon]

    @property
    def ds(self) -> list[str]:
        """(H,)."""
        return self.moment.ds[: self.horizon]


@dataclass(frozen=True)
class Failed:
    """Why a series has no forecast."""

    series_id: str
    error: Refusal


Result = Told | Failed


class Levels:
    """Picks the median and the levels that are asked for from those that were trained."""

    def __init__(self, trained: tuple[float, ...], wanted: tuple[float, ...]) -> None:
        self._trained, self._wanted = trained, (0.5, *wanted)
        positions = {level: at for at, level in enumerate(trained)}
        exact = all(level in positions for level in self._wanted)
        self._rows = [positions[level] for level in self._wanted] if exact else None

    def of(self, values: Floats) -> Floats | list[Floats]:
        """Return the median and the levels, 1 + R of (H,) each, of a series' quantiles (Q, H)."""
        if self._rows is not None:
            return [values[row] for row in self._rows]
        return np.ascontiguousarray(interpolate_quantiles(values.T, self._trained, self._wanted).T)


@lru_cache(maxsize=1000)
def levels_of(trained: tuple[float, ...], wanted: tuple[float, ...]) -> Levels:
    """Return what picks some levels."""
    return Levels(trained, wanted)


def by_network(
    one: Context, values: Sequence[Floats] | Floats, steps: Steps, warnings: list[str], *, stale: bool
) -> Told:
    """Return the forecast of a series from its median and levels, 1 + R of (H,) each."""
    return _told(one, values, steps.horizon, warnings, stale=stale, fallback=False)


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
    values = np.clip(values, *_limits(y, config))
    return _told(one, values, steps.horizon, [why["code"]], stale=stale, fallback=True)


def _limits(y: Floats, config: Config) -> tuple[float, float]:
    low, high = config.bounds
    floor = 0.0 if config.nonnegative and np.nanmin(y) >= 0 else -np.inf
    return max(floor, -np.inf if low is None else low), np.inf if high is None else high


def _told(
    one: Context,
    values: Sequence[Floats] | Floats,
    horizon: int,
    warnings: list[str],
    *,
    stale: bool,
    fallback: bool,
) -> Told:
    yhat, *quantiles = values if len(values[0]) == horizon else [column[:horizon] for column in values]
    if len(one.series.y) < horizon:
        warnings = ["short_history", *warnings]
    return Told(one.series.id, one.moment, horizon, yhat, quantiles, warnings, stale, fallback)


def document(result: Result, steps: Steps) -> dict[str, Any]:
    """Return a result as clients see it in JSON; its numbers are arrays."""
    if isinstance(result, Failed):
        return {"series_id": result.series_id, "status": "error", "error": result.error}
    return {
        "series_id": result.series_id,
        "status": "ok",
        "origin": result.moment.origin,
        "ds": result.moment.written(result.horizon),
        "yhat": result.yhat,
        "quantiles": dict(zip(steps.names, result.quantiles, strict=True)),
        "warnings": result.warnings,
        "stale": result.stale,
        "fallback": result.fallback,
    }
