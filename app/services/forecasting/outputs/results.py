"""Results of single series: forecasts by the network, or by a floor where that is asked for, and refusals."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from app.services.forecasting.inputs.context_cache import SeriesContext
from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.outputs.floors import forecast_floor
from app.services.refusals import Refusal
from app.services.registry.builtin import BUILTIN, build_config
from app.serving.moments import Moment
from app.serving.pretrained import forecast_contexts
from models.arrays import Floats
from models.calendar.timestamps import Stamps
from models.config.model import Config
from models.data.series import Series
from models.inference.means import compute_mean
from models.inference.predict import interpolate_quantiles
from models.pretrained.forecaster import ALL_LEVELS

MEDIAN = 0.5

LevelRows = tuple[int, ...] | None
"""(1 + R,) positions of the median and the wanted levels among the trained ones; None where one is between those"""


@dataclass(eq=False, slots=True)
class ForecastResult:
    """The forecast of one series."""

    series_id: str
    moment: Moment
    horizon: int
    yhat: Floats
    """(H,) the median, or the mean where that is asked for"""
    quantiles: Sequence[Floats]
    """R of (H,) each"""
    warnings: list[str]
    stale: bool
    fallback_by: str | None
    """the floor that made it, None: the network did"""
    zero_shot: bool = False
    """whether the built-in model made it"""
    answers: dict[str, Any] = field(default_factory=dict)
    """further fields of its document: what was asked about its future"""

    @property
    def stamps(self) -> Stamps:
        """(H,) microseconds UTC."""
        return self.moment.stamps[: self.horizon]

    @property
    def ds(self) -> list[str]:
        """(H,) RFC 3339."""
        return self.moment.ds[: self.horizon]


@dataclass(frozen=True)
class RefusedResult:
    """Why a series has no forecast."""

    series_id: str
    error: Refusal


Result = ForecastResult | RefusedResult


@lru_cache(maxsize=1000)
def find_level_rows(trained: tuple[float, ...], wanted: tuple[float, ...]) -> LevelRows:
    """Return where the median and the wanted levels are among the trained ones."""
    positions = {level: position for position, level in enumerate(trained)}
    levels = (MEDIAN, *wanted)
    if not all(level in positions for level in levels):
        return None
    return tuple(positions[level] for level in levels)


def select_levels(values: Floats, rows: LevelRows, config: Config, wanted: tuple[float, ...]) -> Floats | list[Floats]:
    """Return the median and the wanted levels, 1 + R of (H,) each, of a series' quantiles (Q, H).

    Between levels whose quantiles the network has rounded, quantiles are whole numbers, too.
    """
    if rows is not None:
        return [values[row] for row in rows]
    between = np.ascontiguousarray(interpolate_quantiles(values.T, config.quantiles, (MEDIAN, *wanted)).T)
    is_whole = config.whole and bool((values == np.rint(values)).all())
    return np.rint(between) if is_whole else between


def choose_mean(series: Series, values: Floats, mean: Floats | None, config: Config) -> Floats:
    """Return the mean (H,) of a forecast: that of the network, or, of older versions, of the quantiles (Q, H)."""
    if mean is not None:
        return mean
    return np.clip(compute_mean(values, config.quantiles), *_find_bounds(series, config))


def build_network_result(
    context: SeriesContext,
    values: Sequence[Floats] | Floats,
    shape: ForecastShape,
    warnings: list[str],
    *,
    stale: bool,
    zero_shot: bool,
) -> ForecastResult:
    """Return the forecast of a series from its point and levels, 1 + R of (H,) each."""
    result = _build_result(context, values, shape.horizon, warnings, stale=stale, fallback_by=None)
    result.zero_shot = zero_shot
    return result


def build_floor_result(
    context: SeriesContext, floor: str, config: Config, shape: ForecastShape, why: Refusal, *, stale: bool
) -> ForecastResult:
    """Forecast a series by a floor. `why` is what kept the network from it, and becomes a warning."""
    if floor == BUILTIN:
        return _build_builtin_result(context, config, shape, why, stale=stale)
    point, offsets = forecast_floor(context, floor, config, shape)
    levels = point + offsets  # (R, H)
    if config.whole:
        levels = np.rint(levels)
    values = np.clip(np.concatenate([point[None], levels]), *_find_bounds(context.series, config))
    return _build_result(context, values, shape.horizon, [why["code"]], stale=stale, fallback_by=floor)


def _build_builtin_result(
    context: SeriesContext, config: Config, shape: ForecastShape, why: Refusal, *, stale: bool
) -> ForecastResult:
    """Forecast a series by the built-in model in place of another: levels that it lacks are its outermost ones."""
    levels = tuple(min(max(level, ALL_LEVELS[0]), ALL_LEVELS[-1]) for level in shape.levels)
    own = build_config(config.frequency, shape.horizon)
    own = replace(own, bounds=config.bounds, nonnegative=not config.is_signed(context.series.id))
    y = context.series.y[-own.network.context_length :][None]
    quantiles = forecast_contexts(y, own)[0]  # (H, Q)
    values = interpolate_quantiles(quantiles, own.quantiles, (MEDIAN, *levels)).T
    result = _build_result(context, values, shape.horizon, [why["code"]], stale=stale, fallback_by=BUILTIN)
    result.zero_shot = True
    return result


def _find_bounds(series: Series, config: Config) -> tuple[float, float]:
    low, high = config.bounds
    floor = 0.0 if np.nanmin(series.y) >= 0 and not config.is_signed(series.id) else -np.inf
    lower = floor if low is None else max(floor, low)
    return lower, np.inf if high is None else high


def _build_result(
    context: SeriesContext,
    values: Sequence[Floats] | Floats,
    horizon: int,
    warnings: list[str],
    *,
    stale: bool,
    fallback_by: str | None,
) -> ForecastResult:
    yhat, *quantiles = values if len(values[0]) == horizon else [column[:horizon] for column in values]
    series = context.series
    if len(series.y) < horizon:
        warnings = ["short_history", *warnings]
    if context.outlier_at_origin:
        warnings = ["outlier_at_origin", *warnings]
    return ForecastResult(series.id, context.moment, horizon, yhat, quantiles, warnings, stale, fallback_by)


def to_document(result: Result, shape: ForecastShape) -> dict[str, Any]:
    """Return a result as clients see it in JSON; its numbers are arrays."""
    if isinstance(result, RefusedResult):
        return {"series_id": result.series_id, "status": "error", "error": result.error}
    return {
        "series_id": result.series_id,
        "status": "ok",
        "origin": result.moment.origin,
        "ds": result.moment.to_json(result.horizon),
        "yhat": result.yhat,
        "quantiles": dict(zip(shape.names, result.quantiles, strict=True)),
        "warnings": result.warnings,
        "stale": result.stale,
        "fallback": result.fallback_by is not None,
        "fallback_by": result.fallback_by,
        "zero_shot": result.zero_shot,
        **result.answers,
    }
