"""What a run writes about its job while it runs; every write carries its fence."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.logs import get_logger
from app.services.jobs.losses import EPOCHS, LossRecorder
from app.storage import jobs
from app.storage.engine import OUTAGE, Database
from app.storage.jobs import Fence, FenceLost

log = get_logger(__name__)

PROGRESS_SECONDS = 0.4
"""least time between two writes of the progress"""
LAST_WRITE_SECONDS = 5.0
"""longest wait for a write of the progress when the run has ended: the database may be away"""
SILENT_SECONDS = 0.5
"""after which progress is written again, with less time left: a step, a scoring or an export may take longer"""


@dataclass
class Journal:
    """The job's row and its events, for one attempt."""

    database: Database
    fence: Fence
    stopping: bool = field(init=False, default=False)
    """whether the last write has found that the run was asked to end with what it has"""
    _losses: LossRecorder = field(init=False, default_factory=LossRecorder)
    """epochs that are stored with the next progress"""
    _written_at: float = field(init=False, default=float("-inf"))
    _tick: int = field(init=False, default=0)
    _last: Mapping[str, Any] = field(init=False, default_factory=dict)
    _lock: threading.RLock = field(init=False, default_factory=threading.RLock)
    _over: threading.Event = field(init=False, default_factory=threading.Event)
    _thread: threading.Thread | None = field(init=False, default=None)

    def write(self, **values: Any) -> None:
        """Change the job. Raises FenceLost, and OUTAGE where the database is away."""
        with self._lock, self.database.write() as session:
            self.stopping = jobs.write(session, self.fence, **values)

    def record(self, kind: str, data: dict[str, Any], **values: Any) -> None:
        """Append an event, and change the job with it. Raises FenceLost, and OUTAGE."""
        with self._lock:
            if "progress" in values:
                values["progress"] = self._number(values["progress"])
            with self.database.write() as session:
                jobs.require_fenced(session, self.fence, lock=True)
                if values:
                    self.stopping = jobs.write(session, self.fence, **values)
                jobs.add_event(session, self.fence.job_id, kind, data)

    def tell(self, progress: Mapping[str, Any]) -> None:
        """Write the progress unless it was written just now, and again while nothing else is told.

        Raises FenceLost; outages are logged, no more.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._repeat, name="progress", daemon=True)
            self._thread.start()
        with self._lock:
            now = time.monotonic()
            if now - self._written_at < PROGRESS_SECONDS:
                self._last = progress  # told later, where nothing newer comes
                return
            self._written_at = now
            try:
                self._write_progress(progress)
            except OUTAGE as e:  # the database is away for a moment: the run need not stop for that
                log.warning("progress_not_written", detail=str(e).splitlines()[0])

    def add_losses(self, before: int, phase: str, train: Sequence[float], val: Sequence[float]) -> None:
        """Take a phase's losses so far, which the next progress takes along; `before` counts the epochs before it."""
        with self._lock:
            self._losses.add(before, phase, train, val)

    def tell_losses(self) -> None:
        """Write the epochs that the last progress did not take along. Raises FenceLost; outages are logged."""
        with self._lock:
            if not self._losses.list_unstored():
                return
            try:
                self._write_progress(self._last)
            except OUTAGE as e:
                log.warning("losses_not_written", detail=str(e).splitlines()[0])

    def close(self) -> None:
        """Write no more progress: what is being written now is waited for, so that no connection outlives the run."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(LAST_WRITE_SECONDS)

    def _repeat(self) -> None:
        """Tell the last progress again where it is old."""
        while not self._over.wait(SILENT_SECONDS / 4):
            with self._lock:
                silent = time.monotonic() - self._written_at
                if silent < SILENT_SECONDS or self._over.is_set():
                    continue
                eta = self._last.get("eta_s")
                try:
                    self.tell({**self._last, "eta_s": None if eta is None else max(0.0, eta - silent)})
                except FenceLost:  # the run itself will meet it, if it has not ended the job
                    return

    def _write_progress(self, progress: Mapping[str, Any]) -> None:
        epochs = self._losses.list_unstored()
        if not epochs:
            self.write(progress=self._number(progress))
            return
        self.record(EPOCHS, epochs, progress=progress)
        self._losses.note_stored()

    def _number(self, progress: Mapping[str, Any]) -> dict[str, Any]:
        """Return progress with a number of its own, by which listeners tell states apart."""
        self._tick += 1
        self._last = progress
        return {**progress, "tick": self._tick}
