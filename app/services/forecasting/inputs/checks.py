"""The checks of a forecast request that a schema cannot make: each raises Invalid, or NotFound, at one place.

What keeps a single series from being forecast is no error of the request, but a refusal: `contexts` and `covariates`
return those.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.config import Settings
from app.errors import ErrorCode, NotFound, invalid
from app.formats.table import Column
from app.services.forecasting.inputs.questions import LONGEST_EXTRAPOLATION
from app.services.forecasting.inputs.request import ForecastRequest, ForecastShape, Future, History
from app.services.series.checks import check_lengths, raise_problems, read_rows
from app.services.series.ids import check_timezone
from models.calendar.frequency import parse_frequency
from models.calendar.infer_frequency import infer_frequency
from models.calendar.timestamps import parse_stamps
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.errors import FrequencyError, TimestampError

Values = NDArray[Any]
"""(N,) float64 with NaN, or text with None, where missing"""


def check_request(request: ForecastRequest, ids: Sequence[str], settings: Settings) -> None:
    """Check a request for the series `ids`, before its model is known.

    Raises Invalid for a model's name or an origin that cannot be read, for no series or too many, and for a series that
    is named twice; NotFound where no series carries the labels.
    """
    _ = request.reference  # raises Invalid for a name that no model can have
    if request.labels is not None and len(ids) == len(request.history):
        detail = "no series carries all of these labels; GET /series lists them with their labels"
        raise NotFound(ErrorCode.series_not_found, detail)
    limit = settings.max_forecast_series
    if not 1 <= len(ids) <= limit:
        raise invalid("series", ErrorCode.too_many_series, f"name 1 to {limit} series, not {len(ids)}")
    if request.history:
        _check_distinct(request, ids)
    if request.origin is not None:
        parse_origin(request.origin, "UTC", "D")


def _check_distinct(request: ForecastRequest, ids: Sequence[str]) -> None:
    stored = ids[: len(ids) - len(request.history)]
    repeated = sorted(set(request.history).intersection(stored))
    if repeated:
        detail = f"{repeated[0]!r} is asked for both as a stored series and with a history; name it once"
        raise invalid("history", ErrorCode.invalid_input, detail)


def parse_origin(origin: str, timezone: str, frequency: str) -> int:
    """Return the stamp of a request's origin, where it is naive in the timezone of series of a frequency.

    Raises Invalid.
    """
    try:
        return int(parse_stamps([origin], timezone, daily=parse_frequency(frequency).is_daily)[0])
    except TimestampError as e:
        raise invalid("origin", ErrorCode(e.code), f"origin: {e.detail}") from e


def resolve_shape(
    request: ForecastRequest, series_count: int, trained: ForecastShape, settings: Settings
) -> ForecastShape:
    """Return the horizon and the levels that a request wants of a model that was trained for `trained`.

    Raises Invalid for a horizon or levels beyond those, and for too many values.
    """
    longest = request.find_longest(trained.horizon)
    limit = settings.max_forecast_values
    return _resolve(request.horizon, request.quantiles, series_count, trained, longest, limit)


@lru_cache(maxsize=1000)
def _resolve(
    horizon: int | None,
    quantiles: tuple[float, ...] | None,
    series_count: int,
    trained: ForecastShape,
    longest: int,
    max_values: int,
) -> ForecastShape:
    horizon = trained.horizon if horizon is None else horizon
    if horizon > longest:
        raise invalid("horizon", ErrorCode.horizon_too_long, _explain_horizon(horizon, trained.horizon, longest))
    levels = trained.levels if quantiles is None else quantiles
    low, high = trained.levels[0], trained.levels[-1]
    outside = [level for level in levels if not low <= level <= high]
    if outside:
        detail = f"the quantile {outside[0]} is outside the trained range {low} to {high}; train with it"
        raise invalid("quantiles", ErrorCode.quantile_out_of_range, detail)
    values = series_count * horizon * (len(levels) + 1)
    if values > max_values:
        detail = f"this would be {values} values, the limit is {max_values}; ask for fewer series, steps or quantiles"
        raise invalid("series", ErrorCode.too_many_values, detail)
    return ForecastShape(horizon, levels)


def _explain_horizon(horizon: int, trained: int, longest: int) -> str:
    asked = f"the model was trained for {trained} steps, {horizon} were asked for"
    if longest > trained:
        return f"{asked}, and extrapolate goes on to {longest} at most; train one for more"
    most = trained * LONGEST_EXTRAPOLATION
    return f"{asked}; train one for more, or send extrapolate: true with POST /forecast for up to {most}"


def check_explained(series_count: int, shape: ForecastShape, config: Config, limit: int) -> None:
    """Raise Invalid for more contributions than one response explains."""
    values = series_count * shape.horizon * config.network.context_length
    if values > limit:
        detail = (
            f"this would explain {values} contributions (series times steps times context length), the limit is "
            f"{limit}; ask for fewer series or a shorter horizon"
        )
        raise invalid("explain", ErrorCode.too_many_values, detail)


def parse_future(
    future: Future, series_ids: Collection[str], config: Config, horizon: int, field: str = "body.future"
) -> dict[str, dict[str, Values]]:
    """Return a request's known-future covariates, (H,) or longer, by series and name; `field` is where they were sent.

    Raises Invalid for series and names that are unknown, and for wrong lengths or kinds.
    """
    if not future:
        return {}
    ids = frozenset(series_ids)
    for series_id in future:
        if series_id not in ids:
            detail = f"{series_id[:60]!r} is not among the series of this request"
            raise invalid(f"{field}.{series_id[:200]}", ErrorCode.series_not_found, detail)
    return {i: _parse_columns(columns, config, horizon, f"{field}.{i}") for i, columns in future.items()}


def _parse_columns(columns: Mapping[str, Column], config: Config, horizon: int, field: str) -> dict[str, Values]:
    _check_names(columns, config.covariates.known_future, "known-future", field)
    for name, values in columns.items():
        longest = max(horizon, config.horizon)
        if not horizon <= len(values) <= longest:
            lengths = f"{horizon}" if horizon == longest else f"{horizon} to {longest}"
            detail = f"{len(values)} values of {name!r} for a horizon of {lengths} steps; send one a step"
            raise invalid(f"{field}.{name}", ErrorCode.length_mismatch, detail)
    return {name: parse_column(name, values, config.covariates, f"{field}.{name}") for name, values in columns.items()}


def infer_history_frequency(request: ForecastRequest) -> str:
    """Return the frequency of the first series that comes with a request, by its timestamps. Raises Invalid."""
    name, history = next(iter(request.history.items()), (None, None))
    if name is None or history is None:
        detail = "none of these series is stored; POST /series makes one, or send their `history`"
        raise NotFound(ErrorCode.series_not_found, detail)
    field = f"body.history.{name}"
    timezone = check_timezone(history.timezone, f"{field}.timezone")
    stamps, problems = read_rows(_AnyStep(timezone), history.ds)
    raise_problems(problems, field)
    try:
        return infer_frequency(np.unique(stamps), timezone).alias
    except FrequencyError as e:
        detail = f"{e}; store the series with its frequency instead: PUT /series/{name[:100]}"
        raise invalid(f"{field}.ds", ErrorCode.invalid_input, detail) from e


@dataclass
class _AnyStep:
    """The fields of a grid that any timestamp of whole seconds lies on."""

    timezone: str
    freq: str = "s"
    anchor: int | None = None


def check_history(history: History, config: Config, field: str) -> str:
    """Check a series that comes with the request, but for its rows, and return its timezone.

    Raises Invalid for columns of unequal length, an unknown timezone, and covariates that the model does not read.
    """
    check_lengths(history, field)
    timezone = check_timezone(history.timezone, f"{field}.timezone")
    _check_names(history.static, config.covariates.static, "static", f"{field}.static")
    _check_names(history.covariates, config.covariates.temporal, "past or known-future", f"{field}.covariates")
    return timezone


def parse_column(name: str, values: Column, config: CovariateConfig, field: str) -> Values:
    """Return a covariate's column (N,) as the model reads it. Raises Invalid where it is of the other kind."""
    is_text = name in config.levels
    if any(value is not None and isinstance(value, str) is not is_text for value in values):
        kind, other = ("categorical", "numbers") if is_text else ("numeric", "text")
        raise invalid(field, ErrorCode.covariate_kind_conflict, f"{name!r} is {kind} in this model, {other} were sent")
    if is_text:
        return np.array([_match_level(value, config.levels[name]) for value in values], object)
    return np.array(values, np.float64)


def _match_level(value: float | str | None, levels: Collection[str]) -> float | str | None:
    """Return a text as uploads are stored, without the blanks around it, unless the model knows it with them."""
    return value if not isinstance(value, str) or value in levels else value.strip() or None


def _check_names(names: Collection[str], allowed: Collection[str], role: str, field: str) -> None:
    """Raise Invalid for a covariate that the model does not read in that role."""
    unknown = next((name for name in names if name not in allowed), None)
    if unknown is not None:
        reads = f"it reads {', '.join(map(repr, allowed))}" if allowed else "it reads none"
        detail = f"the model reads no {role} covariate {unknown!r}; {reads}"
        raise invalid(f"{field}.{unknown}", ErrorCode.covariate_not_found, detail)
