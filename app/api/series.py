"""/series: metadata and health. Suffixes come before ids, which may hold slashes."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import (
    Cursor,
    IdempotencyDep,
    Labels,
    Limit,
    SeriesReadScope,
    SeriesWriteScope,
    ServicesDep,
    labels_of,
)
from app.api.http.responses import created, ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf, Text
from app.api.schemas.health import HealthIn, HealthReport, SeriesHealth
from app.api.schemas.series import (
    ListedSeries,
    NewSeries,
    SeriesIn,
    SeriesOut,
)
from app.api.training import selector_of
from app.errors import ErrorCode, FieldError, Invalid
from app.scope import storable
from app.services.series.service import SeriesFields, SeriesSearch

router = APIRouter(prefix="/series", tags=["series"])

Horizon = Annotated[
    int | None, Query(ge=1, le=10_000, description="steps of a forecast that is planned; a season when absent")
]
Prefix = Annotated[str, Query(max_length=200)]
Mentioned = Annotated[
    Text,
    Query(max_length=200, description="text in the id, the description or a label, in small or capital letters"),
]
Recent = Annotated[
    int | None, Query(ge=1, le=200, description="so many of the newest values with each series, for a small chart")
]


@router.post("", status_code=201, response_model=SeriesOut)
def create_series(body: NewSeries, scope: SeriesWriteScope, services: ServicesDep, key: IdempotencyDep) -> Response:
    """Make a series."""
    return created(services.series.create(scope, body.id, _fields(body), key))


@router.get("", response_model=PageOf[ListedSeries], responses=describe_list(SeriesOut))
def list_series(
    request: Request,
    scope: SeriesReadScope,
    services: ServicesDep,
    form: FormDep,
    prefix: Prefix = "",
    label: Labels = None,
    q: Mentioned = "",
    recent: Recent = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List series by id. `prefix`, `q` and each `label` must all hold."""
    wanted = SeriesSearch(check_prefix(prefix), labels_of(label or []), q)
    page = services.series.list(scope, wanted, recent, cursor, limit)
    return answer_list(request, page, SeriesOut if recent is None else ListedSeries, form)


@router.post("/health", response_model=HealthReport)
def check_health(body: HealthIn, scope: SeriesReadScope, services: ServicesDep) -> Response:
    """Check series before a training: what may surprise it, where, and what it does about that."""
    return ok(services.series_health.list(scope, selector_of(body.series), body.horizon))


@router.get("/{series_id:path}/health", response_model=SeriesHealth)
def get_health(series_id: str, scope: SeriesReadScope, services: ServicesDep, horizon: Horizon = None) -> Response:
    """Check one series before a training."""
    return ok(services.series_health.get(scope, series_id, horizon))


@router.get("/{series_id:path}", response_model=SeriesOut)
def get_series(series_id: str, scope: SeriesReadScope, services: ServicesDep) -> Response:
    """Read a series' metadata."""
    return ok(services.series.get(scope, series_id))


@router.put("/{series_id:path}", response_model=SeriesOut, responses={201: {"model": SeriesOut}})
def put_series(series_id: str, body: SeriesIn, scope: SeriesWriteScope, services: ServicesDep) -> Response:
    """Make a series or replace its metadata."""
    new, view = services.series.put(scope, series_id, _fields(body))
    return ok(view, status=201 if new else 200)


@router.delete("/{series_id:path}", status_code=204)
def delete_series(series_id: str, scope: SeriesWriteScope, services: ServicesDep) -> Response:
    """Delete a series with its observations."""
    services.series.delete(scope, series_id)
    return Response(status_code=204)


def check_prefix(prefix: str) -> str:
    """Return the beginning of ids that a query names. Raises Invalid where no id can have it."""
    if not storable(prefix):
        detail = "prefix must be Unicode text without NUL characters"
        raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("query.prefix", "invalid", detail)])
    return prefix


def _fields(body: SeriesIn) -> SeriesFields:
    return SeriesFields(body.freq, body.timezone, body.unit, body.description, body.labels, body.static)
