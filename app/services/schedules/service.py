"""Schedules of models: retraining, refreshing the champion, and archiving what it forecasts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.errors import ErrorCode, ServiceError, invalid
from app.logs import get_logger
from app.scope import Scope
from app.services.audit import record
from app.services.jobs.documents import parse_search, parse_warm_start
from app.services.jobs.submission import JobOptions, Submission
from app.services.registry.builtin import parse_builtin_name, refuse_reserved
from app.services.registry.lookup import require_model
from app.services.registry.service import describe_schedule
from app.services.schedules.cron import find_next_due
from app.services.series.ids import check_timezone
from app.storage import jobs, registry, schedules
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.keys import ALL_RIGHTS
from app.storage.schedules import SchedulePart
from app.storage.tables import JobRow, ModelRow, Schedule, VersionRow

log = get_logger(__name__)

BY_SCHEDULE = "schedule"
BY_DRIFT = "drift"


@dataclass(frozen=True)
class ScheduleRequest:
    """When a model is trained, refreshed, and when it forecasts for the archive: cron expressions in a timezone."""

    train: str | None
    forecast: str | None
    refresh: str | None
    timezone: str
    train_on_drift: bool


class ScheduleService:
    """The operations behind the schedule routes, and the start of jobs that are due."""

    def __init__(self, database: Database, submission: Submission) -> None:
        self._database = database
        self._submission = submission

    def put(self, scope: Scope, name: str, request: ScheduleRequest) -> dict[str, Any]:
        """Set a model's schedule. Raises NotFound, and Invalid for a bad cron expression or timezone."""
        timezone = check_timezone(request.timezone, "body.timezone")
        crons = {"train": request.train, "forecast": request.forecast, "refresh": request.refresh}
        if not any(cron is not None for cron in crons.values()):
            raise invalid(
                "body.train",
                ErrorCode.invalid_schedule,
                "name at least one of train, refresh and forecast; DELETE ends the schedule",
            )
        if request.train_on_drift and request.forecast is None:
            raise invalid(
                "body.train_on_drift",
                ErrorCode.invalid_schedule,
                "needs forecast: drift is measured on archived forecasts",
            )
        if parse_builtin_name(name) and (request.train or request.refresh or request.train_on_drift):
            raise refuse_reserved()
        with self._database.write() as session:
            model = require_model(session, scope, name, lock=True)
            moment = now(session)
            due = {
                f"{part}_at": find_next_due(cron, timezone, moment, part) if cron is not None else None
                for part, cron in crons.items()
            }
            row = schedules.put(
                session, model.pk, **crons, **due, timezone=timezone, train_on_drift=request.train_on_drift
            )
            view = describe_schedule(row)
            record(session, scope, "schedule.set", name, after=view)
        assert view is not None
        return view

    def delete(self, scope: Scope, name: str) -> None:
        """Delete a model's schedule, if it has one. Raises NotFound for the model."""
        with self._database.write() as session:
            model = require_model(session, scope, name, lock=True)
            before = describe_schedule(schedules.get(session, model.pk))
            schedules.remove(session, model.pk)
            if before is not None:
                record(session, scope, "schedule.delete", name, before=before)

    def start_due(self) -> None:
        """Start the jobs that are due, each once however many workers call this.

        A schedule that was due several times while no worker ran is started once.
        """
        with self._database.read() as session:
            due = schedules.list_due(session)
            moment = now(session)
        for row, model in due:
            try:
                self._start_parts(row, model, moment)
            except Exception as e:  # a schedule that cannot be started must not hold up the others
                log.warning("schedule_failed", model=model.name, detail=str(e)[:200])

    def _start_parts(self, row: Schedule, model: ModelRow, moment: int) -> None:
        parts: tuple[tuple[SchedulePart, str | None, int | None], ...] = (
            ("train", row.train, row.train_at),
            ("refresh", row.refresh, row.refresh_at),
            ("forecast", row.forecast, row.forecast_at),
        )
        for part, cron, due in parts:
            if cron is not None and due is not None and due <= moment:
                following = find_next_due(cron, row.timezone, moment, part)
                job_id = self._database.write_with_retry(partial(self._start, row, model, part, due, following))
                if job_id is not None:
                    log.info("schedule_started", model=model.name, part=part, job_id=job_id)

    def _start(
        self, row: Schedule, model: ModelRow, part: SchedulePart, due: int, following: int, session: Session
    ) -> str | None:
        """Move a due time on and queue its job, in one transaction; return the job's id, None where none was queued."""
        scope = Scope(model.project_id, ALL_RIGHTS, by=BY_SCHEDULE)
        registry.get_by_pk(session, scope, model.pk, lock=True)  # before the schedule's row, as `put` locks them
        if not schedules.reschedule(session, row.model_pk, part, due, following):
            return None  # another worker was faster, or the schedule was changed
        if jobs.has_active(session, model.pk, part):
            log.warning("schedule_skipped", model=model.name, part=part, detail="the previous job has not ended")
            return None
        try:
            job = STARTERS[part](session, self._submission, scope, model.pk)
        except ServiceError as e:
            log.warning("schedule_refused", model=model.name, part=part, detail=e.detail)
            return None
        if job is None:
            log.warning("schedule_idle", model=model.name, part=part, detail="the model has no version for it")
            return None
        return job.id


def retrain(session: Session, submission: Submission, scope: Scope, model_pk: int) -> JobRow | None:
    """Queue the training that made the champion, or else the newest version, again. None without a version."""
    model = registry.get_by_pk(session, scope, model_pk)
    row = registry.get_serving_version(session, model) if model is not None else None
    origin_job = jobs.get_unscoped(session, row.job_id) if row is not None else None
    if model is None or row is None or origin_job is None:
        return None
    queue: Literal["cpu", "gpu"] = "gpu" if origin_job.queue == "gpu" else "cpu"
    options = JobOptions(origin_job.labels, origin_job.priority, origin_job.timeout_s, queue)
    request = _repeat_request(origin_job.request, model, row)
    return submission.add(session, scope, "train", model, request, options, origin_job.estimate)


def _repeat_request(request: Mapping[str, Any], model: ModelRow, row: VersionRow) -> dict[str, Any]:
    """Return the request that repeats a training on the data of today.

    The result of a search is used without another search. A training that started from a version now starts from the
    version that it made, so a fine-tuned model goes on being fine-tuned.
    """
    repeated = {**request, "promote": "if_better"}
    if parse_search(request) is not None:
        result = {"network": row.config["network"], "training": row.config["training"], "search": None}
        return repeated | result
    if parse_warm_start(request) is not None:
        return repeated | {"warm_start": [model.name, row.number]}
    return repeated


def archive_forecasts(session: Session, submission: Submission, scope: Scope, model_pk: int) -> JobRow | None:
    """Queue the job that archives forecasts of the champion. None where no version is live."""
    model = registry.get_by_pk(session, scope, model_pk)
    if model is None or model.champion is None:
        return None
    return submission.add(session, scope, "forecast", model, {}, JobOptions())


def refresh_champion(session: Session, submission: Submission, scope: Scope, model_pk: int) -> JobRow | None:
    """Queue the job that refreshes the champion. None where no version is live."""
    model = registry.get_by_pk(session, scope, model_pk)
    if model is None or model.champion is None:
        return None
    return submission.add(session, scope, "refresh", model, {}, JobOptions())


STARTERS: Mapping[SchedulePart, Callable[[Session, Submission, Scope, int], JobRow | None]] = {
    "train": retrain,
    "refresh": refresh_champion,
    "forecast": archive_forecasts,
}
"""what queues the job of each part"""
