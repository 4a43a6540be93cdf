"""Forecasts of series from their newest committed observations, by the champion or a pinned version."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson
from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import Conflict, ErrorCode, Unavailable
from app.logs import get_logger
from app.services import answers, contexts, explanations
from app.services.contexts import Contexts, History, Refusal, origin_stamp, refusal
from app.services.covariates import Fill, Future, complete, has_unknown_level, invalid, read_future, static_conflict
from app.services.models import MODEL_NAME, found, found_version
from app.serving.cache import ModelCache
from app.serving.explainer import Explainer
from app.serving.runtime import BrokenVersion, LoadedVersion, load_version
from app.storage.artifacts import ArtifactError, ArtifactStore
from app.storage.engine import Database
from app.storage.scope import Scope
from app.storage.tables import ModelRow, VersionRow
from models.windows import Series

log = get_logger(__name__)

_REFERENCE = re.compile(rf"(?P<name>{MODEL_NAME})(@(?P<version>[0-9]{{1,9}}))?")


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

    def __init__(
        self, database: Database, store: ArtifactStore, cache: ModelCache, explainer: Explainer, settings: Settings
    ) -> None:
        self._database, self._store, self._cache, self._settings = database, store, cache, settings
        self._explainer = explainer

    def forecast(self, scope: Scope, request: ForecastRequest) -> Timed:
        """Forecast every series of the request; one that cannot be is an error beside the good results.

        Raises NotFound for the model or version, Conflict `no_champion`, and Invalid for a horizon, quantiles, sizes,
        origin, covariates, histories or explanations that cannot be; Unavailable where an explanation has to wait.
        """
        started = time.perf_counter()
        self._check_series(request)
        name, number = _reference(request.model)
        with self._database.read() as session:
            model, row = _resolve(session, scope, name, number)
            steps = _checked(request, model)
            self._check_values(request, steps)
            version = self._loaded(scope, row)
            if request.explain:
                explanations.check(len(request.ids), steps, version, self._settings.max_explained_values)
            loaded = time.perf_counter()
            state = contexts.stored(session, scope, request.series, model, version.config, request.origin)
        sent = contexts.sent(request.history, version.config, request.origin)
        state = Contexts(state.series | sent.series, state.errors | sent.errors)
        read = time.perf_counter()
        ready = _ready(request, state, version, steps)
        results = _results(request, state, ready, version, steps)
        ran = time.perf_counter()
        timing = {"load": loaded - started, "context": read - loaded, "model": ran - read}
        if request.explain:
            explanations.add(self._explainer, row, ready.series, results, version, steps)
            timing["explain"] = time.perf_counter() - ran
            ran = time.perf_counter()
        body = {"model": model.name, "version": row.number, "forecasts": [results[i] for i in request.ids]}
        content = orjson.dumps(body)
        timing["encode"] = time.perf_counter() - ran
        return Timed(content, timing)

    def _loaded(self, scope: Scope, row: VersionRow) -> LoadedVersion:
        def read(name: str) -> bytes:
            return self._store.get(f"{row.artifact}/{name}")

        try:
            return self._cache.get((scope.project_id, row.pk, row.digest), lambda: load_version(row.digest, read))
        except (ArtifactError, BrokenVersion) as e:
            log.error("version_not_loaded", version=row.pk, detail=str(e))
            detail = f"version {row.number} cannot be loaded: {e}; check the artifact store, or train again"
            raise Unavailable(ErrorCode.artifact_unavailable, detail, headers={"Retry-After": "5"}) from e

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


def _reference(text: str) -> tuple[str, int | None]:
    match = _REFERENCE.fullmatch(text)
    if match is None:
        detail = "a model is named by 1 to 100 letters, digits, '.', '_' or '-', and '@7' may pin a version"
        raise invalid("model", ErrorCode.invalid_input, detail)
    return match["name"], int(match["version"]) if match["version"] else None


def _resolve(session: Session, scope: Scope, name: str, number: int | None) -> tuple[ModelRow, VersionRow]:
    """Return the model and the version that serves. Raises NotFound, and Conflict `no_champion`."""
    model = found(session, scope, name)
    if number is not None:
        return model, found_version(session, model, number)
    if model.champion is None:
        hint = (
            f"name one of its versions, such as {name}@{model.last_version}"
            if model.last_version
            else "its first training has not ended yet; GET /jobs tells"
        )
        raise Conflict(ErrorCode.no_champion, f"no version of the model {name!r} is live: {hint}")
    return model, found_version(session, model, model.champion)


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


@dataclass
class Ready:
    """What the network can forecast, and why it cannot the rest."""

    series: list[Series]
    warnings: dict[str, list[str]]
    refused: dict[str, Refusal]


def _ready(request: ForecastRequest, state: Contexts, version: LoadedVersion, steps: answers.Steps) -> Ready:
    """Complete series with what is known of the horizon. Raises Invalid."""
    future = read_future(request.future, frozenset(request.ids), version.config, steps.horizon)
    found = Ready([], {}, {})
    for one in state.series.values():
        completed = complete(one, future.get(one.id, {}), request.covariate_fill, version.config, steps.horizon)
        error = _unreadable(one, version, completed.missing)
        if error is None:
            found.series.append(completed.series)
            found.warnings[one.id] = _warnings(completed.series, version, filled=completed.filled)
        else:
            found.refused[one.id] = error
    return found


def _results(
    request: ForecastRequest, state: Contexts, ready: Ready, version: LoadedVersion, steps: answers.Steps
) -> dict[str, answers.Result]:
    """Forecast what can be; where the network cannot, the floor does if that is asked for."""
    results, unfinished = answers.by_network(ready.series, version, steps, ready.warnings)
    refused = ready.refused | unfinished
    if request.on_missing is not None:
        floor = {i: answers.by_floor(state.series[i], version.config, steps, why) for i, why in refused.items()}
        return results | floor | _failures(state.errors)
    return results | _failures(state.errors | refused)


def _failures(errors: Mapping[str, Refusal]) -> dict[str, answers.Result]:
    return {i: answers.failure(i, error) for i, error in errors.items()}


def _unreadable(one: Series, version: LoadedVersion, missing: str | None) -> Refusal | None:
    """Return why the network cannot forecast a series."""
    conflict = static_conflict(one, version.config.covariates)
    if conflict is not None:
        return refusal(ErrorCode.covariate_kind_conflict, f"{conflict}; PUT /series/{{id}} mends it")
    if missing is not None:
        detail = f"{missing}; upload it, send it as `future`, or say covariate_fill"
        return refusal(ErrorCode.missing_future_covariates, detail)
    return None


def _warnings(one: Series, version: LoadedVersion, *, filled: bool) -> list[str]:
    unknown = has_unknown_level(one, version.config.covariates)
    return (["unknown_category"] if unknown else []) + (["covariates_filled"] if filled else [])
