"""What a forecast is asked for, and whether it can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from app.config import Settings
from app.errors import ErrorCode, NotFound, invalid
from app.services.forecasting.inputs.contexts import History, origin_stamp
from app.services.forecasting.inputs.covariates import Fill, Future
from app.services.registry.lookup import parse_reference

NOTHING: Mapping[str, Any] = MappingProxyType({})
_reference = lru_cache(maxsize=1000)(parse_reference)


class ForecastRequest(NamedTuple):
    """What is asked for."""

    model: str
    """`name`, or `name@version`"""
    series: tuple[str, ...]
    """stored ones"""
    labels: tuple[tuple[str, str], ...] | None = None
    """stored ones that carry all of these, in the place of `series`"""
    horizon: int | None = None
    quantiles: tuple[float, ...] | None = None
    origin: str | None = None
    """a time whose later values are not seen"""
    future: Future = NOTHING
    history: Mapping[str, History] = NOTHING
    """series that are not stored"""
    covariate_fill: Fill | None = None
    """how known-future values that are missing are made up"""
    on_missing: Literal["season_naive"] | None = None
    """what answers where the network cannot"""
    explain: bool = False
    """tell what moved each forecast that the network made"""
    max_age: float | None = None
    """seconds that an answer may be old, where that was asked for"""

    @property
    def ids(self) -> tuple[str, ...]:
        """Every series that is named, in the order of the answer."""
        return (*self.series, *self.history) if self.history else self.series

    @property
    def name(self) -> tuple[str, int | None]:
        """The model's name and the version where one is pinned. Raises Invalid."""
        return _reference(self.model)

    @property
    def remembered(self) -> bool:
        """Whether what it reads of stored series is what a process keeps in memory."""
        return self.labels is None and self.origin is None

    @property
    def arguments(self) -> str:
        """All but the series, as far as an answer that is stored series' alone depends on it."""
        return repr((self.model, self.horizon, self.quantiles, self.origin, self.covariate_fill, self.on_missing))


@dataclass(frozen=True)
class Steps:
    """What is asked for of each series."""

    horizon: int
    levels: tuple[float, ...]
    """(R,) quantiles"""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(R,) the levels as they are written."""
        return tuple(repr(level) for level in self.levels)


def check(request: ForecastRequest, ids: Sequence[str], settings: Settings) -> None:
    """Raise Invalid for a model's name and an origin that cannot be read, and a number of series that is too large or
    none; NotFound where no series carries the labels."""
    _reference(request.model)
    if request.labels is not None and len(ids) == len(request.history):
        detail = "no series carries all of these labels; GET /series lists them with their labels"
        raise NotFound(ErrorCode.series_not_found, detail)
    limit = settings.max_forecast_series
    if not 1 <= len(ids) <= limit:
        raise invalid("series", ErrorCode.too_many_series, f"name 1 to {limit} series, not {len(ids)}")
    twice = sorted(set(request.history).intersection(ids[: len(ids) - len(request.history)])) if request.history else ()
    if twice:
        detail = f"{twice[0]!r} is asked for both as a stored series and with a history; name it once"
        raise invalid("history", ErrorCode.invalid_input, detail)
    if request.origin is not None:
        origin_stamp(request.origin, "UTC")


def steps_of(request: ForecastRequest, series: int, trained: Steps, settings: Settings) -> Steps:
    """Return the horizon and the levels to answer for so many series. Raises Invalid."""
    return _steps(request.horizon, request.quantiles, series, trained, settings.max_forecast_values)


@lru_cache(maxsize=1000)
def _steps(
    wanted: int | None, quantiles: tuple[float, ...] | None, series: int, trained: Steps, most_values: int
) -> Steps:
    horizon = trained.horizon if wanted is None else wanted
    if horizon > trained.horizon:
        detail = f"the model was trained for {trained.horizon} steps, {horizon} were asked for; train one for more"
        raise invalid("horizon", ErrorCode.horizon_too_long, detail)
    levels = trained.levels if quantiles is None else quantiles
    low, high = trained.levels[0], trained.levels[-1]
    outside = [q for q in levels if not low <= q <= high]
    if outside:
        detail = f"the quantile {outside[0]} is outside the trained range {low} to {high}; train with it"
        raise invalid("quantiles", ErrorCode.quantile_out_of_range, detail)
    values = series * horizon * (len(levels) + 1)
    if values > most_values:
        detail = f"this would be {values} values, the limit is {most_values}; ask for fewer series, steps or quantiles"
        raise invalid("series", ErrorCode.too_many_values, detail)
    return Steps(horizon, levels)
