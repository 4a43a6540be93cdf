"""Leases of workers, and the reaper that frees the jobs of silent ones, which the job engine does not offer.

Every worker renews its lease three times within the lease's length. As often it puts running jobs whose worker has no
valid lease back into the queue. Two reapers may free the same job: the fence lets only the newest attempt write.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.logs import get_logger
from app.storage import leases
from app.storage.engine import Database

log = get_logger(__name__)


@dataclass(frozen=True)
class RunningJob:
    """A job that a worker runs, according to the engine."""

    job_id: str
    executor_id: str | None


class LeaseKeeper:
    """Keeps one worker's lease valid, in a separate thread, and reaps jobs when `reap` is called.

    `running` lists the running jobs of all workers; `free` puts one of them back into its queue.
    """

    def __init__(
        self,
        database: Database,
        executor_id: str,
        queues: Sequence[str],
        seconds: float,
        running: Callable[[], Iterable[RunningJob]],
        free: Callable[[str], None],
    ) -> None:
        self._database = database
        self._executor_id = executor_id
        self._queues = queues
        self._seconds = seconds
        self._running = running
        self._free = free
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lease", daemon=True)

    def renew(self) -> None:
        """Extend the lease by its full length from now."""
        with self._database.write() as session:
            leases.renew(session, self._executor_id, socket.gethostname(), self._queues, self._seconds)

    def reap(self) -> list[str]:
        """Free the jobs of workers without a valid lease; return their ids."""
        running = list(self._running())  # read before the leases: a worker has its lease before its first job
        with self._database.read() as session:
            living = leases.list_living(session)
        orphans = [r.job_id for r in running if r.executor_id not in living]
        for job_id in orphans:
            log.warning("job_freed", job_id=job_id, detail="its worker is silent; it goes back to the queue")
            self._free(job_id)
        return orphans

    def start(self) -> None:
        """Start the thread that renews the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lease up, so that other workers take over at once."""
        self._stop.set()
        self._thread.join(timeout=self._seconds)
        with self._database.write() as session:
            leases.release(session, self._executor_id)

    def _loop(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            try:
                self.renew()
            except Exception as e:  # this thread must survive whatever the database raises
                log.warning("lease_not_renewed", detail=str(e)[:200], retry_s=self._seconds / 3)
