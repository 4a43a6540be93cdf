"""Anomalies of stored series, found while the caller waits, or by a job where that would take long."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import ErrorCode, Forbidden, Unavailable, invalid
from app.scope import Right, Scope
from app.services.anomalies.builtin_scan import join_tasks, load_parts, plan_parts, scan_parts
from app.services.anomalies.plan import Scan, Tasks, parse_scan, plan_tasks
from app.services.anomalies.scan import SeriesScan, compare_with_labels, load_histories, scan_tasks
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.jobs import views as job_views
from app.services.jobs.documents import parse_cleaning
from app.services.jobs.submission import JobOptions, Submission, respond_accepted
from app.services.registry.builtin import BUILTIN, MOST_STEPS, parse_builtin_name
from app.services.registry.loader import VersionLoader
from app.services.registry.lookup import is_builtin, parse_reference, require_builtin_version, resolve_version
from app.storage import jobs
from app.storage.engine import Database
from app.storage.revisions import VersionRevision

BUILTIN_COST = 8
"""times that a forecast of the built-in model costs one of a trained model; both measured"""
SCANS_AT_ONCE = 4
"""callers whose series are scored at the same time; forecasts need the other threads"""


@dataclass(frozen=True)
class AnomalyRequest:
    """A scan and the model that makes it."""

    model: str
    """`name`, or `name@version`"""
    scan: Scan
    in_background: bool
    """queue a job, however small the scan is"""


class AnomalyService:
    """The operations behind POST /anomalies and GET /anomalies/{id}."""

    def __init__(self, database: Database, submission: Submission, versions: VersionLoader, settings: Settings) -> None:
        self._database = database
        self._submission = submission
        self._versions = versions
        self._settings = settings
        self._turns = threading.BoundedSemaphore(SCANS_AT_ONCE)

    def scan(
        self, scope: Scope, request: AnomalyRequest, options: JobOptions, key: Idempotency | None
    ) -> ServiceResponse:
        """Score the values of series; a long scan, or one that the caller does not wait for, becomes a job.

        Raises NotFound for model or version, Conflict `no_champion`, Unavailable for files that cannot be read and
        while too many others wait, Forbidden where a job is needed and the key may not start one, and Invalid for
        impossible times, labels and sizes.
        """
        self._check_series(len(request.scan.series))
        name, pin = parse_reference(request.model)
        with self._database.read() as session:
            is_builtin_model = parse_builtin_name(name) is not None or is_builtin(session, scope, name)
            if is_builtin_model:
                require_builtin_version(pin)
        if is_builtin_model:
            return self._scan_builtin(scope, request, name)
        with self._database.read() as session:
            model, resolved = resolve_version(session, scope, name, pin)
            self._check_ahead(request.scan.ahead, model.horizon)
            tasks = plan_tasks(session, scope, model, parse_cleaning(resolved.row.config), request.scan)
            self._check_cost(tasks.cost)
            at_once = not request.in_background and tasks.cost <= self._settings.max_anomaly_points
            if at_once:
                version = self._versions.get(scope, resolved)
                histories = load_histories(session, scope, tasks.tasks, version.config, request.scan)
        if not at_once:
            return self._queue(scope, request, tasks.cost, options, key)
        with self._turn():
            scans = scan_tasks(tasks.tasks, histories, version, request.scan)
        return ServiceResponse(200, describe_scan(model.name, resolved, request.scan, tasks, scans))

    def _scan_builtin(self, scope: Scope, request: AnomalyRequest, name: str) -> ServiceResponse:
        """Score the values of series by the built-in model, which makes no jobs. Raises Invalid where that would take
        long."""
        scan = request.scan
        self._check_ahead(scan.ahead, MOST_STEPS)
        with self._database.read() as session:
            parts = plan_parts(session, scope, scan, parse_builtin_name(name))
            tasks = join_tasks(parts)
            limit = self._settings.max_anomaly_points // BUILTIN_COST
            if request.in_background or tasks.cost > limit:
                detail = (
                    f"{BUILTIN!r} scans up to {limit} values while you wait, and makes no jobs; this would forecast "
                    f"{tasks.cost}: request a shorter span or fewer series, or train a model"
                )
                raise invalid("body.series", ErrorCode.too_many_values, detail)
            histories = load_parts(session, scope, parts)
        with self._turn():
            scans = scan_parts(self._versions, scope, parts, histories)
        return ServiceResponse(200, describe_scan(name, parts[0].version, scan, tasks, scans))

    def _queue(
        self, scope: Scope, request: AnomalyRequest, cost: int, options: JobOptions, key: Idempotency | None
    ) -> ServiceResponse:
        """Queue a job for a scan. Raises Forbidden where the key may not start one."""
        if Right.train not in scope.rights:
            detail = "this scan needs a job, and this key lacks the scope 'train'; request a shorter span"
            raise Forbidden(ErrorCode.scope_missing, detail)
        name, pin = parse_reference(request.model)

        def make(session: Session) -> ServiceResponse:
            model, resolved = resolve_version(session, scope, name, pin)
            document = {"version": resolved.number, "revision": resolved.revision, **request.scan.document()}
            job = self._submission.add(session, scope, "anomaly_scan", model, document, options, {"rows": cost})
            return respond_accepted(session, job)

        return respond_once(self._database, scope, key, make)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let only SCANS_AT_ONCE callers score at the same time. Raises Unavailable."""
        if not self._turns.acquire(blocking=False):
            detail = "other scans are under way; try again, or send Prefer: respond-async to make it a job"
            raise Unavailable(ErrorCode.scans_busy, detail, headers={"Retry-After": "2"})
        try:
            yield
        finally:
            self._turns.release()

    def get(self, scope: Scope, job_id: str) -> dict[str, Any]:
        """Return the result of a scan's job, null until it has succeeded. Raises NotFound."""
        with self._database.read() as session:
            row = job_views.require_job_of_kind(
                session, scope, job_id, "anomaly_scan", ErrorCode.scan_not_found, "scan"
            )
            job = job_views.describe_job(row)
            result = jobs.get_result(session, row.id) or {}
        summary = {name: job[name] for name in ("id", "status", "progress", "model", "error")}
        request = {name: row.request[name] for name in ("version", "level", "ahead")}
        request["revision"] = row.request.get("revision", 0)  # older ones have none
        request["alarms_per_week"] = parse_scan(row.request).alarms_per_week
        return summary | request | {name: result.get(name) for name in ("series", "metrics")}

    def _check_series(self, count: int) -> None:
        limit = self._settings.max_forecast_series
        if not 1 <= count <= limit:
            raise invalid("body.series", ErrorCode.too_many_series, f"name 1 to {limit} series, not {count}")

    def _check_cost(self, points: int) -> None:
        limit = self._settings.max_scanned_points
        if points > limit:
            detail = (
                f"this would forecast {points} values, and the limit is {limit}; request fewer series or a shorter span"
            )
            raise invalid("body.series", ErrorCode.too_many_values, detail)

    def _check_ahead(self, ahead: int, horizon: int) -> None:
        if ahead > horizon:
            detail = f"the model forecasts {horizon} steps, and ahead is {ahead}"
            raise invalid("body.ahead", ErrorCode.horizon_too_long, detail)


def describe_scan(
    model: str, version: VersionRevision, scan: Scan, tasks: Tasks, scans: Sequence[SeriesScan]
) -> dict[str, Any]:
    """Return a scan as clients see it, with the series in the order of the request."""
    views = {series_scan.view["series_id"]: series_scan.view for series_scan in scans}
    views |= {i: {"series_id": i, "status": "error", "error": error} for i, error in tasks.errors.items()}
    return {
        "model": model,
        "version": version.number,
        "revision": version.revision,
        "level": scan.level,
        "ahead": scan.ahead,
        "alarms_per_week": scan.alarms_per_week,
        "series": [views[i] for i in dict.fromkeys(scan.series)],
        "metrics": compare_with_labels(scans, scan.level),
    }
