"""What the job engine leaves to us: a lease a worker, and a reaper that frees the jobs of silent ones.

Every worker renews its lease three times in its length, and as often puts back into the queue the running jobs
whose worker has no living lease. Two reapers may free the same job: the fence lets only the newest run write.
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
    """A job that the engine believes to be run by a worker."""

    job_id: str
    executor_id: str | None


class LeaseKeeper:
    """Keeps one worker's lease alive, in a thread of its own, and reaps the jobs of the dead when it is told to."""

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
        """Live for another lease."""
        with self._database.write() as session:
            leases.renew(session, self._executor_id, socket.gethostname(), self._queues, self._seconds)

    def reap(self) -> list[str]:
        """Free the jobs of workers without a living lease; return their ids."""
        running = list(self._running())  # before the leases: whoever runs a job has had one since before
        with self._database.read() as session:
            living = leases.list_living(session)
        orphans = [r.job_id for r in running if r.executor_id not in living]
        for job_id in orphans:
            log.warning("job_freed", job_id=job_id, detail="its worker is silent; it goes back to the queue")
            self._free(job_id)
        return orphans

    def start(self) -> None:
        """Begin to keep the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lease up, so that others take over at once."""
        self._stop.set()
        self._thread.join(timeout=self._seconds)
        with self._database.write() as session:
            leases.release(session, self._executor_id)

    def _loop(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            try:
                self.renew()
            except Exception as e:  # this thread must outlive whatever the database or the engine may throw
                log.warning("lease_not_renewed", detail=str(e)[:200], retry_s=self._seconds / 3)
