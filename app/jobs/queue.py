"""The port to the job engine, for processes that enqueue. Workers use `app.jobs.runner`."""

import sqlite3
import time
from typing import Any

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, run_dbos_database_migrations
from sqlalchemy import String, cast, column, event, select, table, update
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from app.storage.engine import PATIENCE, Database
from app.storage.tables import JobRow

APPLICATION = "gatecast"
APPLICATION_VERSION = "1"
"""fixed, so that workers of another release go on with the jobs of this one"""
QUEUES = {"cpu": "training", "gpu": "training-gpu"}
"""the engine's names of the queues; jobs of earlier releases wait in the first"""
HIGHEST_PRIORITY = 9
WORKFLOW = "gatecast.run_job"

SUBSECONDS = (3, 42)
"""the first release of SQLite that has `unixepoch('subsec')`"""


def _now(*modifiers: str) -> float:
    """Return the seconds since 1970, as SQLite's `unixepoch` does from `SUBSECONDS` on."""
    if not {*modifiers} <= {"now", "subsec"}:
        raise ValueError(f"unixepoch accepts 'now' and 'subsec' here, not {modifiers}")
    return time.time()


def _teach_subseconds(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("unixepoch", -1, _now)


# from Python 3.12 on, the engine's tables get their times from this function, which an older SQLite does not have
if sqlite3.sqlite_version_info < SUBSECONDS:
    event.listen(Pool, "connect", _teach_subseconds)


def engine_url(url: URL) -> str:
    """Return the database's address as the job engine reads it."""
    return url.render_as_string(hide_password=False)


def engine_options(url: URL) -> dict[str, Any]:
    """Return the job engine's connection options: the same short timeouts as everywhere else."""
    return {} if url.get_backend_name() == "sqlite" else {"connect_args": PATIENCE}


def migrate(url: URL) -> None:
    """Create or upgrade the job engine's tables: schema `dbos` on PostgreSQL, the same file on SQLite."""
    run_dbos_database_migrations(engine_url(url))


def adopt(session: Session) -> int:
    """Give jobs that a release without turns has enqueued the place of their project; return how many there were.

    Without one they would never start. The engine has no call for that.
    """
    schema = None if session.get_bind().dialect.name == "sqlite" else "dbos"
    names = ("workflow_uuid", "queue_name", "queue_partition_key", "status")
    workflows = table("workflow_status", *[column(name) for name in names], schema=schema)
    project = select(cast(JobRow.project_id, String)).where(JobRow.id == workflows.c.workflow_uuid).scalar_subquery()
    waiting = (
        update(workflows)
        .where(workflows.c.queue_name.in_(QUEUES.values()), workflows.c.status.in_(("ENQUEUED", "PENDING", "DELAYED")))
        .where(workflows.c.queue_partition_key.is_(None))
        .where(workflows.c.workflow_uuid.in_(select(JobRow.id)))
        .values(queue_partition_key=project)
    )
    return session.execute(waiting).rowcount  # type: ignore[attr-defined, no-any-return]


class JobQueue:
    """Enqueues and cancels jobs; the job's id is the workflow's."""

    def __init__(self, database: Database) -> None:
        self._client = DBOSClient(
            system_database_engine=database.engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
            retry_connection_errors=False,
        )

    def enqueue(self, session: Session, job_id: str, project_id: int, queue: str, priority: int) -> None:
        """Enqueue a job in the caller's transaction: it runs if, and only if, that commits.

        Projects take turns. `priority` is 0 to 9, the highest first of its project.
        """
        options = EnqueueOptions(
            workflow_name=WORKFLOW,
            queue_name=QUEUES[queue],
            queue_partition_key=str(project_id),
            workflow_id=job_id,
            app_version=APPLICATION_VERSION,
            priority=1 + HIGHEST_PRIORITY - priority,  # the engine's lowest number is first
        )
        self._client.enqueue_in_transaction(session, options, job_id)

    def cancel(self, job_id: str) -> None:
        """Take a job from the queue, or make its worker stop the child."""
        self._client.cancel_workflow(job_id)

    def close(self) -> None:
        """Close the connections."""
        self._client.destroy()
