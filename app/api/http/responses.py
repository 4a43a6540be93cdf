"""Answers as bytes."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

from app.api.schemas.jobs import RunOptionsIn
from app.services.idempotency import ServiceResponse
from app.services.jobs.submission import JobOptions

JSON = "application/json"
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"headers": {"Location": {"description": "/jobs/{id}", "schema": {"type": "string"}}}}
}


def ok(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a document that a service made."""
    return Response(orjson.dumps(body), status, headers=headers, media_type=JSON)


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
