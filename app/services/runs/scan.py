"""A scan for anomalies that takes too long to wait for."""

from app.errors import ErrorCode, JobRefused
from app.services.anomalies.plan import parse_scan, plan_tasks
from app.services.anomalies.scan import SeriesScan, load_histories, scan_tasks
from app.services.anomalies.service import describe_scan
from app.services.jobs.documents import parse_cleaning
from app.services.runs.attempt import Attempt
from app.storage import registry, revisions


def scan(attempt: Attempt) -> None:
    """Score the values of series, and end the job with the scores. Raises JobRefused."""
    model = attempt.get_model()
    number = attempt.job.request["version"]
    request = parse_scan(attempt.job.request)
    with attempt.database.read() as session:
        row = registry.get_version(session, model, number)
        if row is None:
            raise JobRefused(ErrorCode.version_not_found, f"{model.name}@{number} was deleted")
        revision = attempt.job.request.get("revision", row.revision)  # a job of an earlier release names none
        resolved = revisions.get_files(session, row, revision)
        if resolved is None:
            detail = f"revision {revision} of {model.name}@{number} is not kept any more; scan with another one"
            raise JobRefused(ErrorCode.version_not_found, detail)
        tasks = plan_tasks(session, attempt.scope, model, parse_cleaning(row.config), request)
    version = attempt.load_version(resolved)
    scans: list[SeriesScan] = []
    done = 0
    for task in tasks.tasks:
        with attempt.database.read() as session:
            histories = load_histories(session, attempt.scope, [task], version.config, request)
        scans += scan_tasks([task], histories, version, request)
        done += task.cost
        attempt.journal.tell({"phase": "scan", "fraction": done / max(1, tasks.cost)})
        attempt.leave_if_asked()
    attempt.succeed(describe_scan(model.name, resolved, request, tasks, scans))
