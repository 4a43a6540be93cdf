"""What runs in a job's process: one attempt at one job."""

import os
import signal
import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import logs
from app.config import Settings
from app.jobs.forking import is_worker_gone
from app.jobs.supervisor import FENCE_LOST, HANDED_OVER, TRY_AGAIN
from app.storage import jobs
from app.storage.artifacts import ArtifactError, ArtifactStore
from app.storage.engine import OUTAGE, Database
from app.storage.jobs import Fence, FenceLost

log = logs.get_logger(__name__)

WATCH_SECONDS = 0.5


def main(fence: Fence) -> int:
    """Run the attempt; the exit status is FENCE_LOST where the job was cancelled or taken over, HANDED_OVER
    where the worker is to stop, TRY_AGAIN where database or artifact store were away."""
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    structlog.contextvars.bind_contextvars(job_id=fence.job_id, attempt=fence.attempt)
    database = Database(settings.database)
    try:
        threading.Thread(target=_watch, args=(database, fence, os.getppid()), daemon=True).start()
        # only now: what a job needs may take seconds to import, and the watch must not wait for it
        from app.services.runs.attempt import Attempt, HandedOver
        from app.services.runs.dispatch import run

        try:
            run(Attempt(settings, database, ArtifactStore(settings.artifacts), fence, leaving))
        except HandedOver:
            log.info("job_handed_over")
            return HANDED_OVER
    except FenceLost:
        return FENCE_LOST
    except (*OUTAGE, ArtifactError) as e:
        log.warning("job_interrupted", detail=str(e).splitlines()[0])
        return TRY_AGAIN
    return 0


def _watch(database: Database, fence: Fence, server: int) -> None:
    """End this process when its worker is gone or its job is no longer its own."""
    while not is_worker_gone(server, WATCH_SECONDS):
        try:
            with database.read() as session:
                job = jobs.get_unscoped(session, fence.job_id)
            if job is None or job.attempt != fence.attempt or (job.status == "cancelled" and job.version is None):
                os._exit(FENCE_LOST)
            if job.status != "running":
                return  # the run itself has just ended the job
        except SQLAlchemyError:
            pass  # the database is away; the run's next write will say so
    os._exit(FENCE_LOST)
