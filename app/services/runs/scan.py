"""A scan for anomalies that takes too long to wait for."""

from app.errors import ErrorCode, JobFailure
from app.services.anomalies.scan import Scanned, histories, scan_of, scanned, tasks_of
from app.services.anomalies.service import view
from app.services.runs.attempt import Attempt
from app.storage import registry


def scan(attempt: Attempt) -> None:
    """Score the values of series, and end the job with what is told of them. Raises JobFailure."""
    model, number = attempt.get_model(), attempt.job.request["version"]
    asked = scan_of(attempt.job.request)
    with attempt.database.read() as session:
        row = registry.get_version(session, model, number)
        tasks = plan_tasks(session, attempt.scope, model, asked)
    if row is None:
        raise JobFailure(ErrorCode.version_not_found, f"{model.name}@{number} was deleted")
    version = attempt.load_version(row)
    found: list[Scanned] = []
    done = 0
    for task in tasks.tasks:
        with attempt.database.read() as session:
            read = load_histories(session, attempt.scope, [task], version.config, asked)
        found += scan_tasks([task], read, version, asked)
        done += task.cost
        attempt.journal.tell({"phase": "scan", "fraction": done / max(1, tasks.cost)})
        attempt.leave_if_asked()
    attempt.succeed(view(model.name, row.number, asked, tasks, found))
