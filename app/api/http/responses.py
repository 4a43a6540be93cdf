"""Answers as bytes, and bodies that are too large for memory."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import orjson
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from app.api.schemas.jobs import RunOptionsIn
from app.services.idempotency import ServiceResponse
from app.services.jobs.submission import JobOptions

JSON = "application/json"
IN_MEMORY = 4_000_000
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"headers": {"Location": {"description": "/jobs/{id}", "schema": {"type": "string"}}}}
}


def ok(body: Any, status: int = 200) -> Response:
    """Answer with a document that a service made."""
    return Response(orjson.dumps(body), status, media_type=JSON)


def created(answer: ServiceResponse) -> Response:
    """Answer a creating call."""
    headers = {"Location": answer.location} if answer.location else {}
    return Response(orjson.dumps(answer.body), answer.status, headers=headers, media_type=JSON)


def server_timing(timing: Mapping[str, float]) -> str:
    """Return where an answer's time went, in seconds by phase, as `Server-Timing` says it."""
    return ", ".join([f"{phase};dur={1000 * seconds:.2f}" for phase, seconds in timing.items()])


def options_of(body: RunOptionsIn, labels: Mapping[str, str]) -> JobOptions:
    """Return what a request says of its job."""
    return JobOptions(labels, body.priority, body.timeout_s, body.queue)


@dataclass(frozen=True)
class Spool:
    """A body that was read whole, on disk where it is large."""

    file: BinaryIO
    digest: str


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[Spool]:
    """Read a body of any allowed size without holding it in memory."""
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        async for chunk in request.stream():
            digest.update(chunk)
            await run_in_threadpool(file.write, chunk)
        yield Spool(cast(BinaryIO, file), digest.hexdigest())
