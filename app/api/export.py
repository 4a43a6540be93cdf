"""/series/export: observations of many series as one file."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from app.api.deps import Labels, SeriesReadScope, ServicesDep, labels_of
from app.api.http.tables import TableFormDep, answer_stream, describe_forms
from app.api.observations import ROWS, Time
from app.api.series import Prefix, check_prefix
from app.formats.forms import TableForm
from app.services.series.export import ExportRequest

router = APIRouter(prefix="/series", tags=["series"])


@router.get("/export", response_class=StreamingResponse, responses=describe_forms(TableForm, ROWS))
async def export_series(
    scope: SeriesReadScope,
    services: ServicesDep,
    form: TableFormDep,
    series: Annotated[list[str] | None, Query(description="repeat it for more; all where nothing selects")] = None,
    prefix: Prefix = "",
    label: Labels = None,
    start: Time = None,
    end: Time = None,
) -> Response:
    """Download the rows of many series from `start` (inclusive) to `end` (exclusive), in the table that
    `POST /series/import` reads: `unique_id, ds, y` and a column a covariate, by id and time."""
    wanted = ExportRequest(series or (), check_prefix(prefix), labels_of(label or []), start, end)
    return await answer_stream(partial(services.exports.export, scope, wanted, form.table), form, "observations")
