"""Forecasts of series from their newest committed observations, by the champion or a pinned version."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

from app.config import Settings
from app.errors import ErrorCode, invalid
from app.services import answers, contexts, explanations
from app.services.contexts import Contexts, History, Refusal, origin_stamp
from app.services.covariates import Fill, Future, read_future
from app.services.models import reference, resolved
from app.services.readiness import Ready, made_ready
from app.services.remembered import Known, Remembered
from app.services.versions import VersionLoader
from app.serving.explainer import Explainer
from app.serving.runtime import LoadedVersion
from app.storage.engine import OUTAGE, Database
from app.storage.scope import Scope
from app.storage.tables import ModelRow


@dataclass(frozen=True)
class ForecastRequest:
    """What is asked for."""

    model: str
    """`name`, or `name@version`"""
    series: tuple[str, ...]
    """stored ones"""
    horizon: int | None = None
    quantiles: tuple[float, ...] | None = None
    origin: str | None = None
    """a time whose later values are not seen"""
    future: Future = field(default_factory=dict)
    history: Mapping[str, History] = field(default_factory=dict)
    """series that are not stored"""
    covariate_fill: Fill | None = None
    """how known-future values that are missing are made up"""
    on_missing: Literal["season_naive"] | None = None
    """what answers where the network cannot"""
    explain: bool = False
    """tell what moved each forecast that the network made"""

    @property
    def ids(self) -> tuple[str, ...]:
        """Every series, in the order of the answer."""
        return (*self.series, *self.history)


@dataclass(frozen=True)
class Timed:
    """An answer in JSON, and where its time went in seconds."""

    content: bytes
    timing: dict[str, float]


class ForecastService:
    """What POST and GET /forecast mean."""

    def __init__(self, database: Database, versions: VersionLoader, explainer: Explainer, settings: Settings) -> None:
        self._database, self._versions, self._settings = database, versions, settings
        self._explainer, self._remembered = explainer, Remembered(settings.stale_seconds)

    def forecast(self, scope: Scope, request: ForecastRequest) -> Timed:
        """Forecast every series of the request; one that cannot be is an error beside the good results.

        While the database is away, what it said last is answered, as `stale`. Raises NotFound for the model or
        version, Conflict `no_champion`, and Invalid for a horizon, quantiles, sizes, origin, covariates, histories or
        explanations that cannot be; Unavailable where an explanation has to wait, OUTAGE where too little is known.
        """
        started = time.perf_counter()
        self._check_series(request)
        name, number = reference(request.model)
        known = self._known(scope, request, name, number)
        steps = self._steps(request, known.model)
        version = self._versions.get(scope, known.version)
        sent = contexts.sent(request.history, version.config, request.origin)
        state = Contexts(known.state.series | sent.series, known.state.errors | sent.errors)
        read = time.perf_counter()
        future = read_future(request.future, frozenset(request.ids), version.config, steps.horizon)
        ready = made_ready(state.series, future, request.covariate_fill, version.config, steps.horizon)
        results = _results(request, state, ready, version, steps, stale=known.stale)
        ran = time.perf_counter()
        timing = {"context": read - started, "model": ran - read}
        if request.explain:
            explanations.add(self._explainer, known.version, ready.series, results, version, steps)
            timing["explain"] = time.perf_counter() - ran
            ran = time.perf_counter()
        forecasts = [results[i] for i in request.ids]
        content = orjson.dumps({"model": known.model.name, "version": known.version.number, "forecasts": forecasts})
        timing["encode"] = time.perf_counter() - ran
        return Timed(content, timing)

    def _known(self, scope: Scope, request: ForecastRequest, name: str, number: int | None) -> Known:
        """Return what the forecast starts from: as it is stored, or while the database is away as it was read last."""
        memory = self._remembered if request.origin is None else None  # an earlier origin reads other contexts
        if memory is not None and memory.away:
            recalled = memory.recall(scope, name, number, request.series)
            if recalled is not None:
                return recalled
        try:
            known = self._stored(scope, request, name, number)
        except OUTAGE:
            recalled = None
            if memory is not None:
                memory.note_outage()
                recalled = memory.recall(scope, name, number, request.series)
            if recalled is None:
                raise
            return recalled
        if memory is not None:
            memory.keep(scope, name, number, known)
        return known

    def _stored(self, scope: Scope, request: ForecastRequest, name: str, number: int | None) -> Known:
        with self._database.read() as session:
            model, row = resolved(session, scope, name, number)
            steps = self._steps(request, model)
            version = self._versions.get(scope, row)
            if request.explain:
                explanations.check(len(request.ids), steps, version, self._settings.max_explained_values)
            state = contexts.stored(session, scope, request.series, model, version.config, request.origin)
        return Known(model, row, state)

    def _steps(self, request: ForecastRequest, model: ModelRow) -> answers.Steps:
        """Return the horizon and the levels to answer. Raises Invalid."""
        steps = _checked(request, model)
        self._check_values(request, steps)
        return steps

    def _check_series(self, request: ForecastRequest) -> None:
        limit, count = self._settings.max_forecast_series, len(request.ids)
        if not 1 <= count <= limit:
            raise invalid("series", ErrorCode.too_many_series, f"name 1 to {limit} series, not {count}")
        twice = sorted(set(request.history).intersection(request.series))
        if twice:
            detail = f"{twice[0]!r} is asked for both as a stored series and with a history; name it once"
            raise invalid("history", ErrorCode.invalid_input, detail)
        if request.origin is not None:
            origin_stamp(request.origin, "UTC")

    def _check_values(self, request: ForecastRequest, steps: answers.Steps) -> None:
        values = len(request.ids) * steps.horizon * (len(steps.levels) + 1)
        limit = self._settings.max_forecast_values
        if values > limit:
            detail = f"this would be {values} values, the limit is {limit}; ask for fewer series, steps or quantiles"
            raise invalid("series", ErrorCode.too_many_values, detail)


def _checked(request: ForecastRequest, model: ModelRow) -> answers.Steps:
    """Return the horizon and the levels to answer. Raises Invalid."""
    horizon = model.horizon if request.horizon is None else request.horizon
    if horizon > model.horizon:
        detail = f"the model was trained for {model.horizon} steps, {horizon} were asked for; train one for more"
        raise invalid("horizon", ErrorCode.horizon_too_long, detail)
    levels = tuple(model.quantiles) if request.quantiles is None else request.quantiles
    low, high = model.quantiles[0], model.quantiles[-1]
    outside = [q for q in levels if not low <= q <= high]
    if outside:
        detail = f"the quantile {outside[0]} is outside the trained range {low} to {high}; train with it"
        raise invalid("quantiles", ErrorCode.quantile_out_of_range, detail)
    return answers.Steps(horizon, levels)


def _results(
    request: ForecastRequest,
    state: Contexts,
    ready: Ready,
    version: LoadedVersion,
    steps: answers.Steps,
    *,
    stale: bool,
) -> dict[str, answers.Result]:
    """Forecast what can be; where the network cannot, the floor does if that is asked for."""
    results, unfinished = answers.by_network(ready.series, version, steps, ready.warnings)
    refused = ready.refused | unfinished
    if request.on_missing is not None:
        results |= {i: answers.by_floor(state.series[i], version.config, steps, why) for i, why in refused.items()}
        refused = {}
    for result in results.values():
        result["stale"] = stale
    return results | _failures(state.errors | refused)


def _failures(errors: Mapping[str, Refusal]) -> dict[str, answers.Result]:
    return {i: answers.failure(i, error) for i, error in errors.items()}
