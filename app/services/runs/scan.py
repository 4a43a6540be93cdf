"""A scan for anomalies that takes too long to wait for."""

from app.errors import ErrorCode
from app.services.anomalies.plan import parse_scan, plan_tasks
from app.services.anomalies.scan import SeriesScan, load_histories, scan_tasks
from app.services.anomalies.service import describe_scan
from app.services.runs.attempt import Attempt, BadJob
from app.storage import registry


def scan(attempt: Attempt) -> None:
    """Score the values of series, and end the job with what is told of them. Raises BadJob."""
    model, number = attempt.model(), attempt.job.request["version"]
    asked = parse_scan(attempt.job.request)
    with attempt.database.read() as session:
        row = registry.get_version(session, model, number)
        tasks = plan_tasks(session, attempt.scope, model, asked)
    if row is None:
        raise BadJob(ErrorCode.version_not_found, f"{model.name}@{number} was deleted")
    version = attempt.loaded(row)
    found: list[SeriesScan] = []
    done = 0
    for task in tasks.tasks:
        with attempt.database.read() as session:
            read = load_histories(session, attempt.scope, [task], version.config, asked)
        found += scan_tasks([task], read, version, asked)
        done += task.cost
        attempt.journal.tell({"phase": "scan", "fraction": done / max(1, tasks.cost)})
        attempt.leave()
    attempt.succeed(describe_scan(model.name, row.number, asked, tasks, found))
