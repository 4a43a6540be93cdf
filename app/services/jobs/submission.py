"""Submission of a job of any kind to its queue."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import ErrorCode, Invalid
from app.jobs.queue import JobQueue
from app.scope import Scope
from app.services.audit import record
from app.services.idempotency import ServiceResponse
from app.services.jobs.views import describe_job_in_full
from app.services.quotas import reserve_quota
from app.storage import jobs
from app.storage.tables import JobRow, ModelRow

JobKind = Literal["train", "backtest", "anomaly_scan", "forecast", "refresh"]
DEFAULT_PRIORITY = 5
"""the middle of 0 to 9"""


@dataclass(frozen=True)
class JobOptions:
    """Options of a job of any kind."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """to list the job by"""
    priority: int = DEFAULT_PRIORITY
    """0 to 9, the highest first"""
    timeout_s: float | None = None
    """seconds after its first start when it fails"""
    queue: Literal["cpu", "gpu"] | None = None
    """None: the default queue of its kind"""


class Submission:
    """Adds jobs, and enqueues each in the same transaction."""

    def __init__(self, queue: JobQueue, settings: Settings) -> None:
        self._queue = queue
        self._settings = settings

    def add(
        self,
        session: Session,
        scope: Scope,
        kind: JobKind,
        model: ModelRow,
        request: Mapping[str, Any],
        options: JobOptions,
        estimate: Mapping[str, int] | None = None,
    ) -> JobRow:
        """Queue a job in the caller's transaction.

        Raises Invalid `job_too_large` for more memory than is allowed, and Forbidden beyond the project's quotas.
        """
        self.check_size(estimate or {})
        reserve_quota(session, scope, *(("jobs", "trainings_per_day") if kind == "train" else ("jobs",)))
        default_queue = self._settings.training_queue if kind == "train" else "cpu"
        queue = options.queue or default_queue
        job = jobs.add(
            session,
            scope,
            id=uuid.uuid4().hex,
            kind=kind,
            model_pk=model.pk,
            model=model.name,
            request=dict(request),
            labels=dict(options.labels),
            priority=options.priority,
            timeout_s=options.timeout_s,
            queue=queue,
            estimate=dict(estimate) if estimate is not None else None,
            started_by=scope.by,
        )
        self._queue.enqueue(session, job.id, scope.project_id, queue, options.priority)
        record(session, scope, f"{kind}.start", job.id, after={"kind": kind, "model": model.name})
        session.refresh(job)
        return job

    def check_size(self, estimate: Mapping[str, int]) -> None:
        """Raise Invalid `job_too_large` for more memory than is allowed."""
        needed = estimate.get("memory_bytes", 0)
        limit = self._settings.max_job_memory_bytes
        if needed > limit:
            detail = (
                f"the job would need about {needed / 1e9:.1f} GB of memory, and the limit is {limit / 1e9:.1f} GB "
                "(GATECAST_MAX_JOB_MEMORY_BYTES); select fewer series, a shorter context or smaller batches"
            )
            raise Invalid(ErrorCode.job_too_large, detail)


def respond_accepted(session: Session, job: JobRow) -> ServiceResponse:
    """Return the response to a call that has queued a job."""
    return ServiceResponse(202, describe_job_in_full(session, job), f"/jobs/{job.id}")
