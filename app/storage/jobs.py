"""Queries of jobs. Every write of an attempt carries its fence, and changes nothing once the attempt is replaced."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage import alerts
from app.storage.clock import now, now_us
from app.storage.dialects import filter_by_labels
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import JobEvent, JobResult, JobRow

ACTIVE = ("queued", "running")
ENDED = ("succeeded", "failed", "cancelled")
TRAINED = ("select", "refit")
"""phases of the progress in which there is a network to publish"""
CHUNK = 500
"""ids of one statement"""
LOG = "log"
"""kind of the events that hold lines of a job's log"""
LOG_END = "log_end"
"""kind of the event after which an attempt adds no lines to the log"""

UNLISTED_KIND = "builtin"
"""of jobs that nobody requested: every version names the one that made it, those of the built-in model too"""


class FenceLost(Exception):
    """The job was cancelled, has ended, or has a newer attempt: this attempt must stop and write nothing."""


@dataclass(frozen=True)
class Fence:
    """The right of one attempt to write about its job."""

    job_id: str
    attempt: int


def get(session: Session, scope: Scope, job_id: str, *, lock: bool = False) -> JobRow | None:
    """Return one job of the project."""
    query = select(JobRow).where(JobRow.project_id == scope.project_id, JobRow.id == job_id)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def add(session: Session, scope: Scope, **fields: Any) -> JobRow:
    """Insert a queued job."""
    row = JobRow(project_id=scope.project_id, status="queued", **fields)
    session.add(row)
    session.flush()
    add_event(session, row.id, "queued", {})
    return row


def list_page(
    session: Session,
    scope: Scope,
    filters: Mapping[str, str],
    labels: Sequence[tuple[str, str]],
    cursor: str | None,
    limit: int,
) -> Page[JobRow]:
    """Return jobs, newest first, where every one of `filters` (status, kind, model) and `labels` holds.

    Raises CursorError.
    """
    query = select(JobRow).where(JobRow.project_id == scope.project_id, JobRow.kind != UNLISTED_KIND)
    for name, value in filters.items():
        query = query.where(getattr(JobRow, name) == value)
    query = filter_by_labels(session, query, JobRow.labels, labels)
    if cursor is not None:
        created_at, job_id = decode_cursor(cursor, int, str)
        older = or_(JobRow.created_at < created_at, and_(JobRow.created_at == created_at, JobRow.id < job_id))
        query = query.where(older)
    query = query.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit + 1)
    rows = list(session.execute(query).scalars())
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(rows[:limit], encode_cursor(last.created_at, last.id) if last else None)


def count_active(session: Session, model_pk: int) -> int:
    """Return how many jobs of a model are queued or running."""
    query = select(func.count()).where(JobRow.model_pk == model_pk, JobRow.status.in_(ACTIVE))
    return session.execute(query).scalar_one()


def has_active(session: Session, model_pk: int, kind: str) -> bool:
    """Return whether a job of this kind for a model is queued or running."""
    query = select(JobRow.id).where(JobRow.model_pk == model_pk, JobRow.kind == kind, JobRow.status.in_(ACTIVE))
    return session.execute(query.limit(1)).scalar_one_or_none() is not None


def find_queued(session: Session, model_pk: int, kind: str) -> JobRow | None:
    """Return the job of this kind for a model that waits, the oldest of several."""
    query = select(JobRow).where(JobRow.model_pk == model_pk, JobRow.kind == kind, JobRow.status == "queued")
    return session.execute(query.order_by(JobRow.created_at, JobRow.id).limit(1)).scalar_one_or_none()


def find_newest(session: Session, model_pk: int, kind: str, status: str | None = None) -> JobRow | None:
    """Return the newest job of this kind for a model, of any status or of one."""
    query = select(JobRow).where(JobRow.model_pk == model_pk, JobRow.kind == kind)
    if status is not None:
        query = query.where(JobRow.status == status)
    newest = query.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(1)
    return session.execute(newest).scalar_one_or_none()


def find_active_training(session: Session, scope: Scope, name: str) -> JobRow | None:
    """Return a queued or running training of a model's name."""
    query = select(JobRow).where(JobRow.project_id == scope.project_id, JobRow.kind == "train", JobRow.model == name)
    return session.execute(query.where(JobRow.status.in_(ACTIVE)).limit(1)).scalar_one_or_none()


def is_training_idle(session: Session, model_pk: int, pause_us: int) -> bool:
    """Say whether a model has no active training, and none was requested within the last `pause_us` microseconds."""
    busy = or_(JobRow.status.in_(ACTIVE), JobRow.created_at > now_us() - pause_us)
    query = select(JobRow.id).where(JobRow.model_pk == model_pk, JobRow.kind == "train", busy)
    return session.execute(query.limit(1)).scalar_one_or_none() is None


def list_active(session: Session, scope: Scope) -> list[JobRow]:
    """Return the project's jobs that are queued or running."""
    query = select(JobRow).where(JobRow.project_id == scope.project_id, JobRow.status.in_(ACTIVE))
    return list(session.execute(query).scalars())


def list_ended(session: Session, scope: Scope, model: str | None, after: int, limit: int) -> list[JobRow]:
    """Return the project's jobs, or those of a model's name, that ended after a time, in the order of their ends."""
    query = select(JobRow).where(JobRow.project_id == scope.project_id, JobRow.finished_at > after)
    if model is not None:
        query = query.where(JobRow.model == model)
    query = query.where(JobRow.status.in_(ENDED)).order_by(JobRow.finished_at, JobRow.id).limit(limit)
    return list(session.execute(query).scalars())


def get_queue_positions(session: Session, job_ids: Collection[str]) -> dict[str, int]:
    """Return the position among its project's jobs in its queue, from 1, of each of these jobs that is queued."""
    position = func.row_number().over(
        partition_by=(JobRow.project_id, JobRow.queue),
        order_by=(JobRow.priority.desc(), JobRow.created_at, JobRow.id),
    )
    queued = select(JobRow.id, position.label("place")).where(JobRow.status == "queued").subquery()
    rows = session.execute(select(queued.c.id, queued.c.place).where(queued.c.id.in_(job_ids)))
    return {job_id: int(position) for job_id, position in rows}


def get_seconds_left(session: Session, job_id: str) -> float | None:
    """Return how many seconds a started job may still run; None without a limit."""
    row = session.get(JobRow, job_id)
    if row is None or row.timeout_s is None or row.started_at is None:
        return None
    return row.timeout_s - (now(session) - row.started_at) / 1_000_000


def get_statuses(session: Session, job_ids: Collection[str]) -> dict[str, str]:
    """Return the status of each of these jobs that exists."""
    statuses: dict[str, str] = {}
    ids = list(job_ids)
    for start in range(0, len(ids), CHUNK):
        query = select(JobRow.id, JobRow.status).where(JobRow.id.in_(ids[start : start + CHUNK]))
        statuses.update((row.id, row.status) for row in session.execute(query))
    return statuses


def store_result(session: Session, fence: Fence, document: dict[str, Any]) -> None:
    """Store the result of the job of a valid fence."""
    session.merge(JobResult(job_id=fence.job_id, document=document))


def get_result(session: Session, job_id: str) -> dict[str, Any] | None:
    """Return the result of a job; None where it has none."""
    row = session.get(JobResult, job_id)
    return row.document if row is not None else None


def claim(session: Session, job_id: str) -> Fence | None:
    """Begin the next attempt at a job, which invalidates every earlier one; None where the job has ended."""
    attempt = session.execute(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.status.in_(ACTIVE))
        .values(
            attempt=JobRow.attempt + 1,
            status="running",
            started_at=func.coalesce(JobRow.started_at, now_us()),
        )
        .returning(JobRow.attempt)
    ).scalar_one_or_none()
    if attempt is None:
        return None
    add_event(session, job_id, "running", {"attempt": attempt})
    return Fence(job_id, attempt)


def require_fenced(session: Session, fence: Fence, *, lock: bool = False) -> JobRow:
    """Return the job of a valid fence. Raises FenceLost."""
    query = select(JobRow).where(*_is_fenced(fence))
    row = session.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    if row is None:
        raise FenceLost
    return row


def get_unscoped(session: Session, job_id: str) -> JobRow | None:
    """Return a job of any project; None where it was deleted."""
    return session.get(JobRow, job_id)


def _is_fenced(fence: Fence) -> tuple[Any, ...]:
    return (JobRow.id == fence.job_id, JobRow.attempt == fence.attempt, JobRow.status == "running")


def write(session: Session, fence: Fence, **values: Any) -> bool:
    """Change the job of a valid fence; return whether its attempt was asked to stop. Raises FenceLost."""
    updated = session.execute(update(JobRow).where(*_is_fenced(fence)).values(**values).returning(JobRow.stopping))
    stopping = updated.scalar_one_or_none()
    if stopping is None:
        raise FenceLost
    return stopping


def finish(session: Session, fence: Fence, status: str, **values: Any) -> None:
    """End the job of a valid fence. Raises FenceLost."""
    write(session, fence, status=status, finished_at=now_us(), **values)
    add_event(session, fence.job_id, status, {"attempt": fence.attempt})
    alerts.wake_for_job(session, fence.job_id)


def request_stop(session: Session, scope: Scope, job_id: str) -> bool:
    """Ask a running training to end with its best network. False where the job is no such, or has no network yet."""
    updated = session.execute(
        update(JobRow)
        .where(
            JobRow.project_id == scope.project_id,
            JobRow.id == job_id,
            JobRow.status == "running",
            JobRow.kind == "train",
            JobRow.progress["phase"].as_string().in_(TRAINED),
        )
        .values(stopping=True)
        .returning(JobRow.id)
    )
    if updated.scalar_one_or_none() is None:
        return False
    add_event(session, job_id, "stopping", {})
    return True


def cancel(session: Session, scope: Scope, job_id: str) -> bool:
    """Cancel a job that has not ended; its attempt loses its fence. False where the job has ended."""
    updated = session.execute(
        update(JobRow)
        .where(JobRow.project_id == scope.project_id, JobRow.id == job_id, JobRow.status.in_(ACTIVE))
        .values(status="cancelled", finished_at=now_us())
        .returning(JobRow.id)
    )
    if updated.scalar_one_or_none() is None:
        return False
    add_event(session, job_id, "cancelled", {})
    alerts.wake_for_job(session, job_id)
    return True


def list_events(
    session: Session, job_id: str, kinds: Sequence[str], after: int = 0, limit: int | None = None
) -> list[JobEvent]:
    """Return a job's events of some kinds after the event number `after`, in order."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.kind.in_(kinds), JobEvent.seq > after)
    return list(session.execute(query.order_by(JobEvent.seq).limit(limit)).scalars())


def append_log(session: Session, fence: Fence, lines: Sequence[str] | None) -> None:
    """Append lines to the log of a job, whether or not the fence is still valid; None closes the attempt's log."""
    held = select(JobRow.id).where(JobRow.id == fence.job_id).with_for_update()
    if session.execute(held).scalar_one_or_none() is None:
        return
    if lines is None:
        add_event(session, fence.job_id, LOG_END, {"attempt": fence.attempt})
    else:
        add_event(session, fence.job_id, LOG, {"lines": list(lines)})


def add_event(session: Session, job_id: str, kind: str, data: dict[str, Any]) -> None:
    """Append an event to a job, whose row this transaction has locked."""
    last = select(func.coalesce(func.max(JobEvent.seq), 0)).where(JobEvent.job_id == job_id)
    seq = session.execute(last).scalar_one() + 1
    session.add(JobEvent(job_id=job_id, seq=seq, kind=kind, data=data))
    session.flush()
