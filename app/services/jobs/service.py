"""Jobs as clients see them, and cancelling."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, NotFound
from app.jobs.queue import JobQueue
from app.logs import get_logger
from app.scope import Scope
from app.services.jobs import trials
from app.services.jobs.hints import hint
from app.services.series.service import readable_cursor
from app.storage import jobs, leases
from app.storage.artifacts import ArtifactStore, job_folder
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import JobRow
from models.calendar.timestamps import format_stamp

log = get_logger(__name__)

TOLD_HERE = ("forecast",)
"""kinds whose result is told with the job; those of others are large, and have routes of their own"""
NO_PROGRESS = {
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
"""what clients are told of progress"""


def found(session: Session, scope: Scope, job_id: str) -> JobRow:
    """Return a job that must exist. Raises NotFound."""
    row = jobs.get(session, scope, job_id) if job_id.isalnum() else None
    if row is None:
        raise NotFound(ErrorCode.job_not_found, "there is no such job; GET /jobs lists them")
    return row


def found_of(session: Session, scope: Scope, job_id: str, kind: str, code: ErrorCode, name: str) -> JobRow:
    """Return a job of a kind that must exist; `code` and `name` say what it is to its users. Raises NotFound."""
    row = jobs.get(session, scope, job_id) if job_id.isalnum() else None
    if row is None or row.kind != kind:
        raise NotFound(code, f"there is no such {name}; GET /jobs?kind={kind} lists them")
    return row


def view(row: JobRow, position: int | None = None, served: Collection[str] | None = None) -> dict[str, Any]:
    """Return a job as clients see it; `position` is its place in the queue while it waits, and `served` are the queues
    that living workers take jobs from."""
    stuck = row.status == "queued" and served is not None and row.queue not in served
    return {
        "id": row.id,
        "kind": row.kind,
        "status": row.status,
        "progress": {name: (row.progress or {}).get(name, value) for name, value in NO_PROGRESS.items()},
        "attempt": row.attempt,
        "model": row.model,
        "version": row.version,
        "result": None,
        "error": {**row.error, "hint": hint(row.error["code"])} if row.error is not None else None,
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


def seen(session: Session, row: JobRow) -> dict[str, Any]:
    """Return one job as clients see it: with what it waits for, and the result of kinds that have no other place."""
    if row.status != "queued":
        return view(row) | {"result": jobs.result(session, row.id) if row.kind in TOLD_HERE else None}
    return view(row, jobs.places(session, [row.id]).get(row.id), leases.served(session))


class JobService:
    """What the job routes mean."""

    def __init__(self, database: Database, queue: JobQueue, store: ArtifactStore) -> None:
        self._database, self._queue, self._store = database, queue, store

    def get(self, scope: Scope, job_id: str) -> dict[str, Any]:
        """Return one job. Raises NotFound."""
        with self._database.read() as session:
            row = found(session, scope, job_id)
            return seen(session, row)

    def trials(self, scope: Scope, job_id: str) -> dict[str, Any]:
        """Return the trials of a job's search, the running one included. Raises NotFound."""
        with self._database.read() as session:
            row = found(session, scope, job_id)
            running = (row.progress or {}).get("running") if row.status == "running" else None
            return trials.view(trials.told(session, row.id) or [], running)

    def page(
        self,
        scope: Scope,
        filters: Mapping[str, str],
        labels: Sequence[tuple[str, str]],
        cursor: str | None,
        limit: int,
    ) -> Page[dict[str, Any]]:
        """Return jobs, newest first. Raises Invalid for a cursor of another making."""
        with self._database.read() as session, readable_cursor():
            rows = jobs.page(session, scope, filters, labels, cursor, limit)
            queued = [row.id for row in rows.items if row.status == "queued"]
            places, served = (jobs.places(session, queued), leases.served(session)) if queued else ({}, None)
            return Page([view(row, places.get(row.id), served) for row in rows.items], rows.next_cursor)

    def cancel(self, scope: Scope, job_id: str, *, keep_best: bool = False) -> dict[str, Any]:
        """Cancel a job that has not ended. Its run loses the right to write at once and stops within two seconds.

        With `keep_best` a training that runs publishes its best network so far, which is not promoted, and ends as
        cancelled with that version; one that has none yet is cancelled at once.

        Raises NotFound, and Conflict where it has ended already in another way.
        """
        job = self.get(scope, job_id)
        with self._database.write() as session:
            if keep_best and jobs.ask_to_stop(session, scope, job["id"]):
                return view(found(session, scope, job["id"]))
            done = jobs.cancel(session, scope, job["id"])
        if done:
            try:
                self._queue.cancel(job["id"])
            except SQLAlchemyError as e:  # the run stops by its fence all the same
                log.warning("queue_cancel_failed", job_id=job["id"], detail=str(e).splitlines()[0])
            self._store.remove(job_folder(scope.project_id, job["id"]))  # a running one's worker removes the rest
        job = self.get(scope, job_id)
        if job["status"] != "cancelled":
            raise Conflict(ErrorCode.job_finished, f"the job has {job['status']} already and cannot be cancelled")
        return job
