"""`gatecast copy`: a whole database to another one."""

from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from app.config import parse_database_url
from app.jobs.queue import JobQueue
from app.jobs.queue import migrate as migrate_queue
from app.storage import migrate
from app.storage.copying import copy_database
from app.storage.engine import Database
from app.storage.tables import JobRow


def copy_databases(source: str, target: str, console: Console) -> None:
    """Copy a database to an empty one, which is migrated first. Raises ValueError, with what to do instead."""
    source_url, target_url = parse_database_url(source), parse_database_url(target)
    _check_addresses(source_url, target_url)
    reading, writing = Database(source_url), Database(target_url)
    try:
        prepare_target(writing, target_url)
        counts = copy_with_progress(reading, writing, console)
    finally:
        reading.dispose()
        writing.dispose()
    console.print(
        f"copied {counts['series']} series with {counts['observations']} observations, {counts['models']} models, "
        f"{counts['jobs']} jobs and all else\n"
        "Start the service with the new address as GATECAST_DATABASE_URL. Artifacts stay where they are: keep "
        "GATECAST_DATA_DIR, or GATECAST_ARTIFACTS_URL where it is set."
    )


def _check_addresses(source: URL, target: URL) -> None:
    if source == target:
        raise ValueError("--from and --to are the same database")
    if source.get_backend_name() == "sqlite" and not (source.database and Path(source.database).is_file()):
        raise ValueError(f"--from: there is no file {source.database}")


def prepare_target(target: Database, url: URL) -> None:
    """Make the tables of an empty database. Raises ValueError for one of another release."""
    current, head = migrate.current(target.engine), migrate.head()
    if current not in (None, head):
        raise ValueError(f"the target holds a Gatecast of another release ({current}); name an empty database")
    migrate.upgrade(target.engine)
    migrate_queue(url)


def copy_with_progress(
    reading: Database, writing: Database, console: Console, *, is_backup: bool = False
) -> dict[str, int]:
    """Copy, and show how far it is. Raises what `copy_database` raises.

    `is_backup`: nothing will run on the copy, so that no jobs are enqueued, and workers may run on the source.
    """
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress, closing(JobQueue(writing)) as queue:
        tasks: dict[str, TaskID] = {}

        def show(table: str, copied: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = progress.add_task(table, total=total)
            progress.update(tasks[table], completed=copied)

        def enqueue(session: Session, job: JobRow) -> None:
            if not is_backup:
                queue.enqueue(session, job.id, job.project_id, job.queue, job.priority)

        return copy_database(reading, writing, enqueue, show, needs_idle=not is_backup)
