"""POST /observations: rows of many series in one call, as JSON or as a table."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from app.api.deps import IdempotencyKey, SeriesWriteScope, ServicesDep, checked_key
from app.api.http.bodies import is_json, parse_json
from app.api.http.problems import refuse_fields
from app.api.http.responses import created
from app.api.http.uploads import received, run_import
from app.api.ingest import describe_bodies, read_rows_options, read_table_options
from app.api.schemas.series import BulkObservationsIn, BulkUpserted
from app.config import Settings
from app.errors import ErrorCode, invalid
from app.formats.table import TableFormat, TableOptions
from app.services.idempotency import Idempotency
from app.services.ingest.report import ImportOptions
from app.services.series.checks import Upload

router = APIRouter(tags=["series"])

JSON_BODY = BulkObservationsIn.model_json_schema(ref_template="#/components/schemas/{model}")
JSON_BODY.pop("$defs")


@router.post(
    "/observations",
    response_model=BulkUpserted,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": JSON_BODY}, **describe_bodies()},
        }
    },
)
async def upsert_many_observations(
    request: Request,
    scope: SeriesWriteScope,
    services: ServicesDep,
    table: Annotated[TableOptions, Depends(read_table_options)],
    options: Annotated[ImportOptions, Depends(read_rows_options)],
    key: IdempotencyKey = None,
    format: Annotated[TableFormat | None, Query(description="of a table; see POST /series/import")] = None,
) -> Response:
    """Write rows of stored series in one transaction, all or none; what holds for one series holds for each of them.

    The body is JSON, or a table as POST /series/import takes it, with parameters that say how it is written. A refusal
    names every series that does not exist, and every bad row of the others.
    """
    if is_json(request.headers.get("content-type", "").encode("latin-1")):
        _refuse_parameters(request)
        body = await request.body()
        once = None if key is None else checked_key(request, key, hashlib.sha256(body).hexdigest())
        return await run_in_threadpool(_upsert, services, scope, body, once)
    settings: Settings = request.app.state.settings
    async with received(request, format, table, settings.max_body_bytes) as upload:
        once = None if key is None else checked_key(request, key, upload.digest)
        return created(await run_import(services.imports.upsert, scope, upload.upload, options, once))


def _refuse_parameters(request: Request) -> None:
    """Raise Invalid for a parameter that says how a table is written, where JSON is sent."""
    for name in request.query_params:
        detail = f"{name} says how a table is to be read, and the body is JSON; leave it out"
        raise invalid(f"query.{name}", ErrorCode.invalid_input, detail)


def _upsert(services: ServicesDep, scope: SeriesWriteScope, body: bytes, key: Idempotency | None) -> Response:
    document: Any = parse_json(body)
    try:
        rows = BulkObservationsIn.model_validate(document)
    except ValidationError as e:
        found = [{**error, "loc": ("body", *error["loc"])} for error in e.errors()]
        raise refuse_fields(found, document, BulkObservationsIn) from e
    uploads = {i: Upload(columns.ds, columns.y, columns.covariates) for i, columns in rows.series.items()}
    return created(services.observations.upsert_many(scope, uploads, key))
