"""Jobs as clients see them, and cancelling."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.errors import Conflict, ErrorCode
from app.jobs.queue import JobQueue
from app.logs import get_logger
from app.scope import Scope
from app.services.audit import record
from app.services.jobs import losses, trials
from app.services.jobs.views import describe_job, describe_job_in_full, require_job
from app.services.paging import convert_cursor_errors
from app.storage import jobs, leases
from app.storage.artifacts import ArtifactStore, job_folder
from app.storage.engine import Database
from app.storage.pages import Page

log = get_logger(__name__)


class JobService:
    """The operations behind the job routes."""

    def __init__(self, database: Database, queue: JobQueue, store: ArtifactStore) -> None:
        self._database = database
        self._queue = queue
        self._store = store

    def get(self, scope: Scope, job_id: str) -> dict[str, Any]:
        """Return one job. Raises NotFound."""
        with self._database.read() as session:
            row = require_job(session, scope, job_id)
            return describe_job_in_full(session, row)

    def list_trials(self, scope: Scope, job_id: str) -> dict[str, Any]:
        """Return the trials of a job's search, including the running one. Raises NotFound."""
        with self._database.read() as session:
            row = require_job(session, scope, job_id)
            running = (row.progress or {}).get("running") if row.status == "running" else None
            return trials.describe_trials(trials.load_trials(session, row.id) or [], running)

    def get_losses(self, scope: Scope, job_id: str) -> dict[str, Any]:
        """Return the losses of a training so far, epoch by epoch. Raises NotFound."""
        with self._database.read() as session:
            return losses.load_losses(session, require_job(session, scope, job_id).id)

    def list(
        self,
        scope: Scope,
        filters: Mapping[str, str],
        labels: Sequence[tuple[str, str]],
        cursor: str | None,
        limit: int,
    ) -> Page[dict[str, Any]]:
        """Return a page of jobs, newest first. Raises Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            rows = jobs.list_page(session, scope, filters, labels, cursor, limit)
            queued = [row.id for row in rows.items if row.status == "queued"]
            positions = jobs.get_queue_positions(session, queued) if queued else {}
            served = leases.list_served_queues(session) if queued else None
            return Page([describe_job(row, positions.get(row.id), served) for row in rows.items], rows.next_cursor)

    def cancel(self, scope: Scope, job_id: str, *, keep_best: bool = False) -> dict[str, Any]:
        """Cancel a job that has not ended. Its run loses the right to write at once and stops within two seconds.

        With `keep_best` a running training publishes its best network so far, without promoting it, and ends as
        cancelled with that version; a training that has no network yet is cancelled at once.

        Raises NotFound, and Conflict where the job has already ended in another way.
        """
        job = self.get(scope, job_id)
        with self._database.write() as session:
            before = {"status": job["status"], "keep_best": keep_best}
            if keep_best and jobs.request_stop(session, scope, job["id"]):
                record(session, scope, "job.cancel", job["id"], before=before)
                return describe_job(require_job(session, scope, job["id"]))
            cancelled = jobs.cancel(session, scope, job["id"])
            if cancelled:
                record(session, scope, "job.cancel", job["id"], before=before)
        if cancelled:
            try:
                self._queue.cancel(job["id"])
            except SQLAlchemyError as e:  # the fence stops the run all the same
                log.warning("queue_cancel_failed", job_id=job["id"], detail=str(e).splitlines()[0])
            self._store.remove(job_folder(scope.project_id, job["id"]))  # a worker that runs it removes the rest
        job = self.get(scope, job_id)
        if job["status"] != "cancelled":
            raise Conflict(ErrorCode.job_finished, f"the job has already {job['status']} and cannot be cancelled")
        return job
