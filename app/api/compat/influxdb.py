"""POST /api/v2/write and /write: InfluxDB's line protocol, as Telegraf and Home Assistant send it.

https://docs.influxdata.com/influxdb/v2/api/v2/#operation/PostWrite. Organisation, bucket and database are not looked
at: the key says which project is written to.
"""

import time
from collections.abc import Mapping
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Request, Response

from app.api.compat.credentials import require
from app.api.deps import ServicesDep
from app.api.http.operations import OpenRoute
from app.api.http.responses import JSON
from app.errors import ErrorCode, ServiceError, Unreadable
from app.formats.line_protocol import PRECISIONS
from app.scope import Right, Scope

PATHS = ("/api/v2/", "/write", "/query")
"""what the paths of this protocol begin with"""
DATABASE_STATEMENT = "create database"
CODES: Mapping[int, str] = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    413: "request too large",
    415: "unsupported media type",
    429: "too many requests",
    503: "unavailable",
}
"""by status; others are an `internal error`"""

router = APIRouter(route_class=OpenRoute, include_in_schema=False)


LineScope = Annotated[Scope, Depends(require(Right.write, "token", in_query="p"))]
"""of a caller who may write: version 1 sends a key as the password in the query, too"""


@router.post("/api/v2/write")
@router.post("/write")
async def write_lines(request: Request, scope: LineScope, services: ServicesDep) -> Response:
    """Take in lines, all or none."""
    precision = request.query_params.get("precision") or "ns"
    if precision not in PRECISIONS:
        detail = f"precision={precision[:20]!r} is not known; send one of {', '.join(PRECISIONS)}"
        raise Unreadable(ErrorCode.bad_request, detail)
    now = time.time_ns() // 1000
    await services.samples.write_lines(scope, await request.body(), PRECISIONS[precision], now)
    return Response(status_code=204)


@router.post("/query")
async def create_database(request: Request, _scope: LineScope) -> Response:
    """Answer CREATE DATABASE, with which clients of version 1 begin. Raises Unreadable for any other statement."""
    statement = request.query_params.get("q") or str((await request.form()).get("q", ""))
    if not statement.strip().lower().startswith(DATABASE_STATEMENT):
        detail = "queries in InfluxQL are not answered; GET /series/{id}/observations and POST /forecast read"
        raise Unreadable(ErrorCode.bad_request, detail)
    return Response(orjson.dumps({"results": [{"statement_id": 0}]}), media_type=JSON)


def answer_error(error: ServiceError) -> Response:
    """Answer an error as InfluxDB does; `error` is where its version 1 has the text."""
    code = "no_ingest_rules" if error.code == ErrorCode.no_ingest_rules else CODES.get(error.status, "internal error")
    body = {"code": code, "message": error.detail, "error": error.detail}
    return Response(orjson.dumps(body), error.status, headers=error.headers, media_type=JSON)
