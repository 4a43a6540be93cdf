"""/series/{id}/observations: writing, reading and deleting rows of one series."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.api.deps import Cursor, IdempotencyDep, SeriesReadScope, SeriesWriteScope, ServicesDep
from app.api.http.responses import created, ok
from app.api.http.tables import VARY, FormDep, answer_page, answer_stream, describe_forms
from app.api.schemas.base import QueryTime
from app.api.schemas.series import ObservationsIn, ObservationsOut, ThinnedOut, Upserted, WholeOut
from app.errors import ErrorCode, FieldError, Invalid
from app.formats.forms import Form
from app.services.series.checks import Upload

router = APIRouter(prefix="/series", tags=["series"])

Time = Annotated[QueryTime | None, Query(examples=["2024-03-01T00:00:00+01:00"])]
PAGE = 1000
"""rows of a page where nothing is said"""
ROWS = 'unique_id,ds,y,temp\n"bikes/station 7","2024-03-01T00:00:00+01:00",41,7.5\n'


@router.post("/{series_id:path}/observations", response_model=Upserted)
def upsert_observations(
    series_id: str, body: ObservationsIn, scope: SeriesWriteScope, services: ServicesDep, key: IdempotencyDep
) -> Response:
    """Write rows, all or none. Of those that are there already the columns that are sent are replaced: without `y`
    covariates are written alone, and null removes a value."""
    return created(services.observations.upsert(scope, series_id, Upload(body.ds, body.y, body.covariates), key))


@router.get(
    "/{series_id:path}/observations",
    response_model=ObservationsOut | ThinnedOut | WholeOut,
    responses=describe_forms(Form, ROWS),
)
async def read_observations(
    series_id: str,
    request: Request,
    scope: SeriesReadScope,
    services: ServicesDep,
    form: FormDep,
    start: Time = None,
    end: Time = None,
    cursor: Cursor = None,
    limit: Annotated[
        int | None, Query(ge=1, le=10_000, description=f"rows of a page: {PAGE} in JSON, all as a table, when absent")
    ] = None,
    points: Annotated[
        int | None, Query(ge=2, le=100_000, description="buckets for a chart: thin what has more rows than that")
    ] = None,
) -> Response:
    """Read the rows from `start` (inclusive) to `end` (exclusive): in columns and by pages as JSON, as one table in
    every other format. `points` thins them to minimum, maximum and last value of so many stretches of time."""
    if points is not None:
        _check_thinned(form, {"cursor": cursor, "limit": limit})
        content = await run_in_threadpool(services.thinning.read, scope, series_id, start, end, points)
        return Response(content, headers=VARY, media_type=form.value)
    if form.table is not None and cursor is None and limit is None:
        return await answer_stream(partial(services.exports.read, scope, series_id, start, end, form.table), form)
    rows = limit or PAGE
    if form.table is None:
        listed = await run_in_threadpool(services.observations.list, scope, series_id, start, end, cursor, rows)
        return ok(listed, headers=VARY)
    page = await run_in_threadpool(services.exports.read_page, scope, series_id, start, end, cursor, rows, form.table)
    return answer_page(request, page.content, page.next_cursor, form)


def _check_thinned(form: Form, others: dict[str, object]) -> None:
    """Raise Invalid where what is thinned is asked for by pages, or as a table."""
    sent = [name for name, value in others.items() if value is not None]
    if form is not Form.json:
        sent.append("format")
    if sent:
        detail = f"points thins all rows of a span into one JSON answer, without {sent[0]}; leave one of them out"
        errors = [FieldError(f"query.{name}", ErrorCode.invalid_input, detail) for name in sent]
        raise Invalid(ErrorCode.invalid_input, detail, errors=errors)


@router.delete("/{series_id:path}/observations", status_code=204)
def delete_observations(
    series_id: str,
    scope: SeriesWriteScope,
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
