"""Jobs as clients see them: look-up and description."""

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from app.errors import ErrorCode, NotFound
from app.scope import Scope
from app.services.jobs.hints import get_hint
from app.storage import jobs, leases
from app.storage.tables import JobRow
from models.calendar.timestamps import format_stamp

KINDS_WITH_INLINE_RESULT = ("forecast", "refresh")
"""kinds whose result is part of the job's description; other results are large and have their own routes"""

EMPTY_PROGRESS = {
    "phase": None,
    "fraction": 0.0,
    "epoch": None,
    "epochs": None,
    "train_loss": None,
    "val_loss": None,
    "eta_s": None,
    "trial": None,
    "trials": None,
}
"""the fields of a job's progress that clients see, as they are before it starts"""


def require_job(session: Session, scope: Scope, job_id: str) -> JobRow:
    """Return a job that must exist. Raises NotFound."""
    row = jobs.get(session, scope, job_id) if job_id.isalnum() else None
    if row is None:
        raise NotFound(ErrorCode.job_not_found, "there is no such job; GET /jobs lists them")
    return row


def require_job_of_kind(session: Session, scope: Scope, job_id: str, kind: str, code: ErrorCode, name: str) -> JobRow:
    """Return a job of a kind that must exist. Raises NotFound with `code`; its text calls the job `name`."""
    row = jobs.get(session, scope, job_id) if job_id.isalnum() else None
    if row is None or row.kind != kind:
        raise NotFound(code, f"there is no such {name}; GET /jobs?kind={kind} lists them")
    return row


def describe_job(row: JobRow, position: int | None = None, served: Collection[str] | None = None) -> dict[str, Any]:
    """Return a job as clients see it, without its result.

    Args:
        position: position among its project's jobs in the queue while the job waits, from 1
        served: queues that living workers take jobs from; None: not looked up
    """
    stuck = row.status == "queued" and served is not None and row.queue not in served
    return {
        "id": row.id,
        "kind": row.kind,
        "status": row.status,
        "progress": {name: (row.progress or {}).get(name, value) for name, value in EMPTY_PROGRESS.items()},
        "attempt": row.attempt,
        "model": row.model,
        "version": row.version,
        "result": None,
        "error": {**row.error, "hint": get_hint(row.error["code"])} if row.error is not None else None,
        "labels": row.labels,
        "priority": row.priority,
        "queue": row.queue,
        "position": position if row.status == "queued" else None,
        "waiting_for": f"a worker that takes jobs from the queue {row.queue!r}: none is alive" if stuck else None,
        "stopping": row.stopping and row.status == "running",
        "timeout_s": row.timeout_s,
        "estimate": row.estimate,
        "started_by": row.started_by,
        "created_at": format_stamp(row.created_at, "UTC"),
        "started_at": format_stamp(row.started_at, "UTC"),
        "finished_at": format_stamp(row.finished_at, "UTC"),
    }


def describe_job_in_full(session: Session, row: JobRow) -> dict[str, Any]:
    """Return a job as clients see it, with its position in the queue or its result."""
    if row.status != "queued":
        result = jobs.get_result(session, row.id) if row.kind in KINDS_WITH_INLINE_RESULT else None
        return describe_job(row) | {"result": result}
    return describe_job(
        row, jobs.get_queue_positions(session, [row.id]).get(row.id), leases.list_served_queues(session)
    )
