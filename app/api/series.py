"""/series: metadata, observations and import. Suffixes come before ids, which may hold slashes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.api.deps import (
    Cursor,
    IdempotencyDep,
    IdempotencyKey,
    Labels,
    Limit,
    ReadScope,
    ServicesDep,
    WriteScope,
    checked_key,
    labels_of,
)
from app.api.http.media_types import check_media_type
from app.api.http.responses import created, ok, spooled
from app.api.schemas.base import PageOf, QueryTime
from app.api.schemas.health import HealthIn, HealthReport, SeriesHealth
from app.api.schemas.series import (
    Imported,
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
from app.services.ingest.report import ImportOptions
from app.services.series.checks import Upload
from app.services.series.service import SeriesFields

router = APIRouter(prefix="/series", tags=["series"])

IMPORT = """Import a long table `unique_id, ds, y`. Other columns are covariates; without `y` these alone are written.

Series are made as needed where there is a `y`. A new covariate is numeric where nine in ten of its cells are numbers
(the others are rejected rows), else categorical; the report says which, with `dry_run=true` before anything is written.
`true` and `false` are 1 and 0 in numbers. Where a number is missing the cell is empty or says NaN, NA or null; in text
only the empty cell is missing. Blanks around ids and texts are left out.

An empty cell, of `y` or of a covariate, keeps what is stored where the table has covariates, unless `empty_y=missing`;
in a table of `y` alone it removes the value, unless `empty_y=keep`. Rows of new timestamps are inserted either way."""
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


@router.post(
    "/import",
    response_model=Imported,
    description=IMPORT,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "unique_id,ds,y,temp\nbikes,2024-03-01T00:00:00Z,41,7.5\n",
                }
            },
        }
    },
)
async def import_series(
    request: Request,
    scope: WriteScope,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
    freq: Annotated[str | None, Query(max_length=40, description="of new series; inferred when absent")] = None,
    timezone: Annotated[
        str | None, Query(max_length=64, description="of naive timestamps, and of new series; UTC when absent")
    ] = None,
    ds_start: Annotated[
        QueryTime | None,
        Query(description="timestamp of step 0, where ds holds integers; needs freq"),
    ] = None,
    dry_run: bool = False,
    on_error: Literal["abort", "skip"] = "abort",
    on_duplicate: Annotated[
        Literal["error", "last", "mean"],
        Query(
            description="rows of one timestamp: refuse them, take the last, or the mean of numbers and the last text"
        ),
    ] = "error",
    ambiguous: Annotated[
        Literal["raise", "infer"],
        Query(description="local times that exist twice: refuse them, or tell them by the order of the rows"),
    ] = "raise",
    empty_y: Annotated[
        Literal["missing", "keep"] | None,
        Query(description="an empty cell where a value is stored; `keep` where the table has covariates, when absent"),
    ] = None,
) -> Response:
    """Import a table."""
    check_media_type(request.headers.get("content-type", ""))
    async with spooled(request) as body:
        once = None if idempotency_key is None else checked_key(request, idempotency_key, body.digest)
        options = ImportOptions(freq, timezone, ds_start, dry_run, on_error, on_duplicate, ambiguous, empty_y)
        return created(await run_in_threadpool(services.imports.run, scope, body.file, options, once))


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
