"""What a run writes about its job while it runs; every write carries its fence."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.logs import get_logger
from app.storage import jobs
from app.storage.engine import OUTAGE, Database
from app.storage.jobs import Fence

log = get_logger(__name__)

PROGRESS_SECONDS = 0.4
"""least time between two writes of the progress"""


@dataclass
class Journal:
    """The job's row and its events, for one attempt."""

    database: Database
    fence: Fence
    stopping: bool = field(init=False, default=False)
    """whether the last write has found that the run was asked to end with what it has"""
    _told: float = field(init=False, default=float("-inf"))
    _tick: int = field(init=False, default=0)

    def write(self, **values: Any) -> None:
        """Change the job. Raises FenceLost, and OUTAGE where the database is away."""
        with self.database.write() as session:
            self.stopping = jobs.write(session, self.fence, **values)

    def record(self, kind: str, data: dict[str, Any], **values: Any) -> None:
        """Append an event, and change the job with it. Raises FenceLost, and OUTAGE."""
        if "progress" in values:
            values["progress"] = self._marked(values["progress"])
        with self.database.write() as session:
            jobs.held(session, self.fence, lock=True)
            if values:
                jobs.write(session, self.fence, **values)
            jobs.event(session, self.fence.job_id, kind, data)

    def tell(self, progress: Mapping[str, Any]) -> None:
        """Write the progress unless it was written just now. Raises FenceLost; outages are logged, no more."""
        now = time.monotonic()
        if now - self._told < PROGRESS_SECONDS:
            return
        self._told = now
        try:
            self.write(progress=self._marked(progress))
        except OUTAGE as e:  # the database is away for a moment: the run need not stop for that
            log.warning("progress_not_written", detail=str(e).splitlines()[0])

    def _marked(self, progress: Mapping[str, Any]) -> dict[str, Any]:
        """Return progress with a number of its own, by which listeners tell states apart."""
        self._tick += 1
        return {**progress, "tick": self._tick}
