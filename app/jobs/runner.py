"""A worker's main loop: claim jobs from the queue and run each as a child process, until asked to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import uuid
from collections.abc import Sequence

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, error
from sqlalchemy.exc import InternalError, SQLAlchemyError

from app.config import Settings
from app.errors import ErrorCode
from app.jobs.duties import Duties, Duty
from app.jobs.forking import SERVER_LOST, Program
from app.jobs.lease import LeaseKeeper, RunningJob
from app.jobs.queue import (
    APPLICATION,
    APPLICATION_VERSION,
    QUEUES,
    WORKFLOW,
    adopt,
    engine_options,
    engine_url,
)
from app.jobs.supervisor import FENCE_LOST, HANDED_OVER, TRY_AGAIN, Children
from app.logs import get_logger
from app.storage import jobs
from app.storage.artifacts import ArtifactStore, job_folder
from app.storage.engine import OUTAGE, Database
from app.storage.jobs import Fence, FenceLost

log = get_logger(__name__)

CANCELLED = (error.DBOSWorkflowCancelledError, error.DBOSAwaitedWorkflowCancelledError)
POLL_SECONDS = 0.5
"""between two looks at a queue"""
MOST_ATTEMPTS = 25
"""attempts at one job, on all workers together"""
TIMED_OUT = 1 << 16
"""stands for an exit status, larger than any of them"""
AWAY = (*OUTAGE, InternalError)
"""errors while the database is away, or where it has become a read-only replica"""
SHORTEST_PAUSE = 1.0
"""seconds before the first retry at a database that is away; every further pause is twice as long"""
LONGEST_PAUSE = 30.0
"""seconds between two retries at most"""
PAUSES = (1.0, 5.0, 15.0, 60.0, None)
"""seconds after each attempt that met an outage; None: the last attempt"""


class JobRunner:
    """Runs one job of each of its queues at a time, and the worker's duties: each group of them in a thread."""

    def __init__(
        self,
        database: Database,
        store: ArtifactStore,
        settings: Settings,
        program: Program,
        duties: Sequence[Sequence[Duty]] = (),
    ) -> None:
        self.executor_id = uuid.uuid4().hex
        self._database = database
        self._store = store
        self._settings = settings
        self._children = Children(program)
        self._draining = threading.Event()
        self._waiting_in: dict[str, str] = {}
        """queue by job id, of the running jobs of all workers"""
        self._queues = [QUEUES[name] for name in settings.queues]
        self._lease = LeaseKeeper(
            database,
            self.executor_id,
            settings.queues,
            settings.lease_seconds,
            self._list_running,
            self._free,
        )
        # reaping and duties may take long or wait for the engine: they hold up neither the lease nor each other
        self._reaping = Duties([
            Duty(self._lease.reap, settings.lease_seconds / 3),
            Duty(self._adopt, settings.lease_seconds / 3),
        ])  # fmt: skip
        self._duties = [Duties(group) for group in duties]

    def run(self) -> None:
        """Work until SIGTERM or SIGINT. Running jobs save their state, and another worker continues them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._draining.set())
        self._lease.renew()  # before the first job: a worker without a lease would be reaped
        self._launch()
        self._lease.start()
        self._reaping.start()
        for group in self._duties:
            group.start()
        log.info("worker_started", executor_id=self.executor_id, pid=os.getpid())
        while not self._draining.wait(3600):
            pass
        log.info("worker_draining", executor_id=self.executor_id)
        self._reaping.stop()
        for group in self._duties:
            group.stop()
        self._children.drain(self._settings.drain_seconds)
        self._children.kill()
        with contextlib.suppress(*AWAY):  # then the lease runs out by itself
            self._lease.stop()
        self._children.kill()  # one more may have been started in between
        self._database.dispose()
        log.info("worker_stopped", executor_id=self.executor_id)
        logging.shutdown()
        # not through the engine's shutdown: it would wait for the steps that `_supervise` leaves unfinished
        os._exit(0)

    def _launch(self) -> None:
        config = DBOSConfig(
            name=APPLICATION,
            system_database_url=engine_url(self._database.engine.url),
            application_version=APPLICATION_VERSION,
            executor_id=self.executor_id,
            serializer=DBOSPortableJSONSerializer(),
            db_engine_kwargs=engine_options(self._database.engine.url),
            log_level="WARNING",
            run_migrations=False,
        )
        logging.getLogger("dbos").addFilter(_is_unexpected)
        DBOS(config=config)

        @DBOS.step(name="supervise", preemptible=True)
        async def supervise(job_id: str) -> None:
            await self._supervise(job_id)

        @DBOS.workflow(name=WORKFLOW)
        async def run_job(job_id: str) -> None:
            await supervise(job_id)

        DBOS.listen_queues(self._queues)
        DBOS.launch()
        for name in self._queues:
            # a limit for each partition makes the engine take one partition after the other, in random order
            DBOS.register_queue(
                name, worker_concurrency=1, partition_worker_concurrency=1, polling_interval_sec=POLL_SECONDS
            )

    async def _supervise(self, job_id: str) -> None:
        """Run a job until it has ended or another worker has it, however long the database is away meanwhile."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                return await self._run_attempts(job_id)
            except AWAY as e:
                log.warning("database_away", job_id=job_id, detail=str(e).splitlines()[0], retry_s=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _run_attempts(self, job_id: str) -> None:
        """Run attempts at a job until it has ended or another worker has it. Every failure ends in its row."""
        for pause in PAUSES:
            if self._draining.is_set():
                await asyncio.Event().wait()  # never: the job must stay unfinished for the next worker
            fence = await asyncio.to_thread(self._claim, job_id)
            if fence is None:
                return
            if not await self._run_attempt(fence, last=pause is None):
                return
            log.warning("job_postponed", job_id=job_id, attempt=fence.attempt, retry_s=pause)
            await asyncio.sleep(pause or 0)

    async def _run_attempt(self, fence: Fence, last: bool) -> bool:
        """Run one attempt; return whether another may succeed where this one met an outage."""
        log.info("job_started", job_id=fence.job_id, attempt=fence.attempt)
        seconds_left = await asyncio.to_thread(self._get_seconds_left, fence)
        try:
            status = await asyncio.wait_for(
                self._children.run(fence, lambda lines: self._log(fence, lines)),
                seconds_left if seconds_left is None else max(seconds_left, 0.0),
            )
        except TimeoutError:
            status = TIMED_OUT
        except asyncio.CancelledError:
            await asyncio.to_thread(self._remove_files, fence.job_id)
            await asyncio.to_thread(self._log, fence, None)
            raise
        except (OSError, EOFError) as e:  # no process could be started
            log.error("trainer_not_started", job_id=fence.job_id, detail=str(e))
            status = TRY_AGAIN
        if self._draining.is_set():
            await asyncio.Event().wait()
        await asyncio.to_thread(self._log, fence, None)
        if status in (TRY_AGAIN, HANDED_OVER, SERVER_LOST) and not last:
            return True
        await asyncio.to_thread(self._finish, fence, status)
        return False

    def _get_seconds_left(self, fence: Fence) -> float | None:
        with self._database.read() as session:
            return jobs.get_seconds_left(session, fence.job_id)

    def _log(self, fence: Fence, lines: Sequence[str] | None) -> bool:
        """Store lines that a child has written in its job's log; None closes the attempt's log.

        Returns False where they could not be stored now.
        """
        try:
            with self._database.write() as session:
                jobs.append_log(session, fence, lines)
        except SQLAlchemyError as e:
            log.warning("log_not_kept", job_id=fence.job_id, detail=str(e).splitlines()[0])
            return False
        return True

    def _claim(self, job_id: str) -> Fence | None:
        with self._database.write() as session:
            fence = jobs.claim(session, job_id)
            if fence is None or fence.attempt <= MOST_ATTEMPTS:
                return fence
            detail = f"{MOST_ATTEMPTS} attempts have ended without a result; the workers' logs say why"
            reason = {"code": ErrorCode.trainer_crashed, "detail": detail}
            jobs.finish(session, fence, "failed", error=reason)
        self._remove_files(job_id)
        return None

    def _finish(self, fence: Fence, status: int) -> None:
        """End the job of a child that could not do so itself, and remove its files."""
        log.info("job_ended", job_id=fence.job_id, attempt=fence.attempt, exit_status=status)
        if status not in (0, FENCE_LOST):
            try:
                with self._database.write() as session:
                    jobs.finish(session, fence, "failed", error=_describe_error(status))
            except FenceLost:
                pass  # cancelled or taken over in the meantime
        self._remove_files(fence.job_id)

    def _remove_files(self, job_id: str) -> None:
        """Remove the files that an ended job has left for a next attempt."""
        with self._database.read() as session:
            job = jobs.get_unscoped(session, job_id)
        if job is not None and job.status not in jobs.ACTIVE:
            self._store.remove(job_folder(job.project_id, job_id))

    def _list_running(self) -> list[RunningJob]:
        queues = list(QUEUES.values())  # including queues that only other workers serve: every worker reaps
        pending = DBOS.list_workflows(status="PENDING", queue_name=queues, load_input=False, load_output=False)
        self._waiting_in = {w.workflow_id: str(w.queue_name) for w in pending}
        return [RunningJob(w.workflow_id, w.executor_id) for w in pending]

    def _adopt(self) -> None:
        """Let jobs start that processes of an earlier release have enqueued."""
        with self._database.write() as session:
            adopted = adopt(session)
        if adopted:
            log.info("jobs_adopted", jobs=adopted)

    def _free(self, job_id: str) -> None:
        DBOS.resume_workflow(job_id, queue_name=self._waiting_in[job_id])


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Say whether a record of the engine is more than the traceback of a job that a user has cancelled."""
    return not (record.exc_info and isinstance(record.exc_info[1], CANCELLED))


def _describe_error(status: int) -> dict[str, str]:
    """Return the error of a job whose child could not report it."""
    if status == TRY_AGAIN:
        detail = "every attempt failed to reach the database or the artifact store; the job's log says which"
        return {"code": ErrorCode.artifact_unavailable, "detail": detail}
    if status == TIMED_OUT:
        return {"code": ErrorCode.job_timed_out, "detail": "the job ran for longer than its timeout_s and was stopped"}
    return {"code": ErrorCode.trainer_crashed, "detail": f"the job's process {_describe_end(status)}"}


def _describe_end(status: int) -> str:
    """Describe how a child failed: its exit status, or the signal that killed it."""
    if status > 0:
        return f"exited with status {status}; the worker's log of this job says why"
    text = f"was killed by signal {signal.Signals(-status).name}"
    if status == -signal.SIGKILL:
        text += "; it may have run out of memory: train on fewer series or a shorter context"
    return text
