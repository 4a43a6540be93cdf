"""Forecasts of stored series: from the newest committed observations, by the champion or a pinned version."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import Conflict, ErrorCode, FieldError, Invalid, Unavailable
from app.logs import get_logger
from app.services import panels
from app.services.models import MODEL_NAME, found, found_version
from app.services.series import MAX_ID, is_series_id
from app.serving.cache import ModelCache
from app.serving.runtime import BrokenVersion, LoadedVersion, load_version
from app.storage import series
from app.storage.artifacts import ArtifactError, ArtifactStore
from app.storage.engine import Database
from app.storage.scope import Scope
from app.storage.tables import ModelRow, SeriesRow, VersionRow
from models.predict import Forecast, interpolate_quantiles, predict
from models.timestamps import format_stamp, format_stamps
from models.windows import Series

log = get_logger(__name__)

_REFERENCE = re.compile(rf"(?P<name>{MODEL_NAME})(@(?P<version>[0-9]{{1,9}}))?")


@dataclass(frozen=True)
class ForecastRequest:
    """What is asked for."""

    model: str
    """`name`, or `name@version`"""
    series: tuple[str, ...]
    horizon: int | None
    quantiles: tuple[float, ...] | None


@dataclass(frozen=True)
class Timed:
    """An answer in JSON, and where its time went in seconds."""

    content: bytes
    timing: dict[str, float]


@dataclass(frozen=True)
class _Found:
    """What one snapshot of the database said."""

    rows: dict[str, SeriesRow]
    """those that can be forecast"""
    errors: dict[str, dict[str, str]]
    """why the others cannot"""
    contexts: list[Series]
    """of `rows`, in their order"""


class ForecastService:
    """What POST and GET /forecast mean."""

    def __init__(self, database: Database, store: ArtifactStore, cache: ModelCache, settings: Settings) -> None:
        self._database, self._store, self._cache, self._settings = database, store, cache, settings

    def forecast(self, scope: Scope, request: ForecastRequest) -> Timed:
        """Forecast every series of the request; one that cannot be is an error beside the good results.

        Raises NotFound for the model or version, Conflict `no_champion`, and Invalid for a horizon, quantiles or sizes
        that cannot be.
        """
        started = time.perf_counter()
        self._check_size(request)
        name, number = _reference(request.model)
        with self._database.read() as session:
            model, row = _resolve(session, scope, name, number)
            horizon, levels = _checked(request, model)
            self._check_values(request, horizon, levels)
            version = self._loaded(scope, row)
            loaded = time.perf_counter()
            state = _read(session, scope, model, request.series, version.context_length)
        read = time.perf_counter()
        results = _run(state, version, horizon, levels) if state.rows else {}
        ran = time.perf_counter()
        found_all = {**results, **{i: _error(i, e) for i, e in state.errors.items()}}
        forecasts = [found_all[i] for i in request.series]
        body = {"model": model.name, "version": row.number, "forecasts": forecasts}
        content = orjson.dumps(body)
        encoded = time.perf_counter()
        timing = {"load": loaded - started, "context": read - loaded, "model": ran - read, "encode": encoded - ran}
        return Timed(content, timing)

    def _loaded(self, scope: Scope, row: VersionRow) -> LoadedVersion:
        def read(name: str) -> bytes:
            return self._store.get(f"{row.artifact}/{name}")

        try:
            return self._cache.get((scope.project_id, row.pk), lambda: load_version(row.digest, read))
        except (ArtifactError, BrokenVersion) as e:
            log.error("version_not_loaded", version=row.pk, detail=str(e))
            detail = f"version {row.number} cannot be loaded: {e}; check the artifact store, or train again"
            raise Unavailable(ErrorCode.artifact_unavailable, detail, headers={"Retry-After": "5"}) from e

    def _check_size(self, request: ForecastRequest) -> None:
        limit = self._settings.max_forecast_series
        if not 1 <= len(request.series) <= limit:
            raise _invalid("series", ErrorCode.too_many_series, f"name 1 to {limit} series, not {len(request.series)}")

    def _check_values(self, request: ForecastRequest, horizon: int, levels: Sequence[float]) -> None:
        values, limit = len(request.series) * horizon * (len(levels) + 1), self._settings.max_forecast_values
        if values > limit:
            detail = f"this would be {values} values, the limit is {limit}; ask for fewer series, steps or quantiles"
            raise _invalid("series", ErrorCode.too_many_values, detail)


def _invalid(field: str, code: ErrorCode, detail: str) -> Invalid:
    return Invalid(code, detail, errors=[FieldError(field, code, detail)])


def _reference(text: str) -> tuple[str, int | None]:
    match = _REFERENCE.fullmatch(text)
    if match is None:
        detail = "a model is named by 1 to 100 letters, digits, '.', '_' or '-', and '@7' may pin a version"
        raise _invalid("model", ErrorCode.invalid_input, detail)
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


def _checked(request: ForecastRequest, model: ModelRow) -> tuple[int, tuple[float, ...]]:
    """Return the horizon and the levels to answer. Raises Invalid."""
    horizon = model.horizon if request.horizon is None else request.horizon
    if horizon > model.horizon:
        detail = f"the model was trained for {model.horizon} steps, {horizon} were asked for; train one for more"
        raise _invalid("horizon", ErrorCode.horizon_too_long, detail)
    levels = tuple(model.quantiles) if request.quantiles is None else request.quantiles
    low, high = model.quantiles[0], model.quantiles[-1]
    outside = [q for q in levels if not low <= q <= high]
    if outside:
        detail = f"the quantile {outside[0]} is outside the trained range {low} to {high}; train with it"
        raise _invalid("quantiles", ErrorCode.quantile_out_of_range, detail)
    return horizon, levels


def _read(
    session: Session,
    scope: Scope,
    model: ModelRow,
    ids: Sequence[str],
    context_length: int,
) -> _Found:
    """Read the contexts of all series that can be forecast, and say why the others cannot."""
    wanted = dict.fromkeys(ids)
    known = series.get_many(session, scope, [i for i in wanted if is_series_id(i)])
    errors = {i: e for i in wanted if (e := _refusal(known.get(i), i, model)) is not None}
    rows = {i: known[i] for i in wanted if i not in errors}
    contexts = panels.load(session, list(rows.values()), context_length) if rows else []
    return _Found(rows, errors, contexts)


def _refusal(row: SeriesRow | None, series_id: str, model: ModelRow) -> dict[str, str] | None:
    """Return why a series cannot be forecast by a model, or None where it can."""
    if row is None:
        return _why(ErrorCode.series_not_found, f"there is no series {series_id[:MAX_ID]!r}; POST /series makes one")
    if row.freq != model.freq:
        detail = f"the series has frequency {row.freq!r}, the model {model.freq!r}; train a model on such series"
        return _why(ErrorCode.frequency_mismatch, detail)
    if row.last_ts is None:
        return _why(ErrorCode.no_history, "the series has no observed value; POST /series/{id}/observations adds some")
    return None


def _why(code: ErrorCode, detail: str) -> dict[str, str]:
    return {"code": code.value, "detail": detail}


def _error(series_id: str, error: dict[str, str]) -> dict[str, Any]:
    return {"series_id": series_id, "status": "error", "error": error}


def _run(state: _Found, version: LoadedVersion, horizon: int, levels: Sequence[float]) -> dict[str, dict[str, Any]]:
    forecasts = predict(
        state.contexts,
        version.run,
        context_length=version.context_length,
        horizon=version.horizon,
        levels=version.levels,
    )
    quantiles = interpolate_quantiles(np.stack([f.quantiles for f in forecasts]), version.levels, levels)
    return {
        f.series_id: _result(f, state.rows[f.series_id], values[:horizon], levels, len(context.y))
        if np.isfinite(f.quantiles).all()
        else _error(f.series_id, _why(ErrorCode.forecast_not_finite, "the network gave no finite forecast"))
        for f, values, context in zip(forecasts, quantiles, state.contexts, strict=True)
    }


def _result(
    forecast: Forecast, row: SeriesRow, quantiles: NDArray[np.float64], levels: Sequence[float], steps: int
) -> dict[str, Any]:
    """Return one series' forecast: quantiles (H, R) at `levels` (R,)."""
    horizon = len(quantiles)
    return {
        "series_id": forecast.series_id,
        "status": "ok",
        "origin": format_stamp(forecast.origin, row.timezone),
        "ds": format_stamps(forecast.stamps[:horizon], row.timezone),
        "yhat": forecast.yhat[:horizon].tolist(),
        "quantiles": {repr(level): quantiles[:, i].tolist() for i, level in enumerate(levels)},
        "warnings": ["short_history"] if steps < horizon else [],
        "stale": False,
        "fallback": False,
    }
