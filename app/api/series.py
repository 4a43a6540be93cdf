"""/series: metadata and observations. Suffixes come before ids, which may hold slashes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.deps import (
    Cursor,
    IdempotencyDep,
    Labels,
    Limit,
    ReadScope,
    ServicesDep,
    WriteScope,
    labels_of,
)
from app.api.http.responses import created, ok
from app.api.schemas.base import PageOf, QueryTime
from app.api.schemas.health import HealthIn, HealthReport, SeriesHealth
from app.api.schemas.series import (
    NewSeries,
    ObservationsIn,
    ObservationsOut,
    SeriesIn,
    SeriesOut,
    Upserted,
)
from app.api.training import selector_of
from app.errors import ErrorCode, FieldError, Invalid
from app.scope import storable
from app.services.series.checks import Upload
from app.services.series.service import SeriesFields

router = APIRouter(prefix="/series", tags=["series"])

Horizon = Annotated[
    int | None, Query(ge=1, le=10_000, description="steps of a forecast that is planned; a season when absent")
]
Time = Annotated[QueryTime | None, Query(examples=["2024-03-01T00:00:00+01:00"])]


@router.post("", status_code=201, response_model=SeriesOut)
def create_series(body: NewSeries, scope: WriteScope, services: ServicesDep, key: IdempotencyDep) -> Response:
    """Make a series."""
    return created(services.series.create(scope, body.id, _fields(body), key))


@router.get("", response_model=PageOf[SeriesOut])
def list_series(
    scope: ReadScope,
    services: ServicesDep,
    prefix: Annotated[str, Query(max_length=200)] = "",
    label: Labels = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List series by id."""
    if not storable(prefix):
        detail = "prefix must be Unicode text without NUL characters"
        raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("query.prefix", "invalid", detail)])
    return ok(services.series.list(scope, prefix, labels_of(label or []), cursor, limit))


@router.post("/{series_id:path}/observations", response_model=Upserted)
def upsert_observations(
    series_id: str, body: ObservationsIn, scope: WriteScope, services: ServicesDep, key: IdempotencyDep
) -> Response:
    """Write rows, all or none. Of those that are there already the columns that are sent are replaced: without `y`
    covariates are written alone, and null removes a value."""
    return created(services.observations.upsert(scope, series_id, Upload(body.ds, body.y, body.covariates), key))


@router.get("/{series_id:path}/observations", response_model=ObservationsOut)
def read_observations(
    series_id: str,
    scope: ReadScope,
    services: ServicesDep,
    start: Time = None,
    end: Time = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Response:
    """Read the rows from `start` (inclusive) to `end` (exclusive), in columns."""
    return ok(services.observations.list(scope, series_id, start, end, cursor, limit))


@router.delete("/{series_id:path}/observations", status_code=204)
def delete_observations(
    series_id: str,
    scope: WriteScope,
    services: ServicesDep,
    start: Time = None,
    end: Time = None,
    covariate: Annotated[
        list[str] | None, Query(description="delete the values of this covariate alone; repeat it for several")
    ] = None,
) -> Response:
    """Delete the rows from `start` (inclusive) to `end` (exclusive), their covariates too; without bounds, all."""
    services.observations.delete(scope, series_id, start, end, covariate or [])
    return Response(status_code=204)


@router.post("/health", response_model=HealthReport)
def check_health(body: HealthIn, scope: ReadScope, services: ServicesDep) -> Response:
    """Check series before a training: what may surprise it, where, and what it does about that."""
    return ok(services.series_health.list(scope, selector_of(body.series), body.horizon))


@router.get("/{series_id:path}/health", response_model=SeriesHealth)
def get_health(series_id: str, scope: ReadScope, services: ServicesDep, horizon: Horizon = None) -> Response:
    """Check one series before a training."""
    return ok(services.series_health.get(scope, series_id, horizon))


@router.get("/{series_id:path}", response_model=SeriesOut)
def get_series(series_id: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read a series' metadata."""
    return ok(services.series.get(scope, series_id))


@router.put("/{series_id:path}", response_model=SeriesOut, responses={201: {"model": SeriesOut}})
def put_series(series_id: str, body: SeriesIn, scope: WriteScope, services: ServicesDep) -> Response:
    """Make a series or replace its metadata."""
    new, view = services.series.put(scope, series_id, _fields(body))
    return ok(view, status=201 if new else 200)


@router.delete("/{series_id:path}", status_code=204)
def delete_series(series_id: str, scope: WriteScope, services: ServicesDep) -> Response:
    """Delete a series with its observations."""
    services.series.delete(scope, series_id)
    return Response(status_code=204)


def _fields(body: SeriesIn) -> SeriesFields:
    return SeriesFields(body.freq, body.timezone, body.unit, body.description, body.labels, body.static)
