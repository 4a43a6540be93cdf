"""/jobs: listing, following, cancelling."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from app.api.deps import Cursor, Labels, Limit, ReadScope, ServicesDep, TrainScope, labels_of
from app.api.http.responses import ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf
from app.api.schemas.jobs import CancelIn, JobKind, JobOut, JobStatus, LossesOut, TrialsOut
from app.api.schemas.training import AnyModelName
from app.services.jobs.events import Event, EventCursor
from app.services.outages import DATABASE_ERRORS, explain_outage

router = APIRouter(tags=["jobs"])

POLL_SECONDS = 0.25
LONGEST_POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
LISTENERS_AT_ONCE = 4
"""threads that read for all listeners: forecasts need the others"""
EVENTS = 'id: 3-running.1.2\nevent: log\ndata: {"lines": ["training_continued"]}\n\n'
LOG = "2024-03-01T12:00:09Z [info     ] version_published  model=bikes promoted=True version=1"


@router.get("/jobs", response_model=PageOf[JobOut], responses=describe_list(JobOut))
def list_jobs(
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    status: JobStatus | None = None,
    kind: JobKind | None = None,
    model: Annotated[AnyModelName | None, Query()] = None,
    label: Labels = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List jobs, newest first."""
    wanted = {"status": status, "kind": kind, "model": model}
    filters = {name: value for name, value in wanted.items() if value is not None}
    return answer_list(request, services.jobs.list(scope, filters, labels_of(label or []), cursor, limit), JobOut, form)


@router.get("/jobs/{job_id}", response_model=JobOut)
def get_job(job_id: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read a job with its progress."""
    return ok(services.jobs.get(scope, job_id))


@router.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"example": EVENTS}}, "description": "until the job has ended"}},
)
async def get_events(
    job_id: str,
    scope: ReadScope,
    services: ServicesDep,
    last_event_id: Annotated[str | None, Header(description="go on after this event")] = None,
) -> StreamingResponse:
    """Follow a job as server-sent events: `progress` and at last `end` are the job, `log` has `lines` of its log,
    `losses` the epochs that have ended since, in the columns of GET /jobs/{id}/losses."""
    start = EventCursor.parse(last_event_id)

    async def after(at: EventCursor) -> list[Event]:
        return await to_thread.run_sync(services.events.list_after, scope, job_id, at, limiter=_listeners())

    first = await after(start)  # a job that is not there is a 404

    async def stream() -> AsyncIterator[bytes]:
        events = first
        at = start
        quiet = 0.0
        pause = POLL_SECONDS
        while True:
            for event in events:
                at = event.cursor
                quiet = 0.0
                yield f"id: {at}\nevent: {event.kind}\ndata: ".encode() + orjson.dumps(event.data) + b"\n\n"
            if events and events[-1].kind == "end":
                return
            if quiet >= HEARTBEAT_SECONDS:
                quiet = 0.0
                yield b": still here\n\n"  # so that proxies keep the connection
            pause = POLL_SECONDS if events else min(2 * pause, LONGEST_POLL_SECONDS)
            await asyncio.sleep(pause)
            quiet += pause
            try:
                events = await after(at)
            except DATABASE_ERRORS as e:
                if explain_outage(e) is None:
                    raise
                events = []
                yield b": the database is away\n\n"

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


@router.get(
    "/jobs/{job_id}/log",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": LOG}}}},
)
def get_log(job_id: str, scope: ReadScope, services: ServicesDep) -> StreamingResponse:
    """Read what a job's process has written, all attempts one after another."""
    lines = services.events.read_log(scope, job_id)
    return StreamingResponse((f"{line}\n" for line in lines), media_type="text/plain; charset=utf-8")


@router.get("/jobs/{job_id}/losses", response_model=LossesOut)
def get_losses(job_id: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read a training's losses after each epoch, while it runs and afterwards."""
    return ok(services.jobs.get_losses(scope, job_id))


@router.get("/jobs/{job_id}/trials", response_model=TrialsOut)
def get_trials(job_id: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read the trials of a job's hyperparameter search, while it runs and afterwards."""
    return ok(services.jobs.list_trials(scope, job_id))


@router.post("/jobs/{job_id}/cancel", response_model=JobOut)
def cancel_job(job_id: str, scope: TrainScope, services: ServicesDep, body: CancelIn | None = None) -> Response:
    """Cancel a job; it publishes nothing any more, and its process ends within two seconds. With `keep_best` a
    training ends soon as `cancelled`, with a version of its best network so far."""
    return ok(services.jobs.cancel(scope, job_id, keep_best=body is not None and body.keep_best))


@cache
def _listeners() -> CapacityLimiter:
    return CapacityLimiter(LISTENERS_AT_ONCE)
