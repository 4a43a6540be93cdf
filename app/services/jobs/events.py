"""Events of a job for listeners: its progress, its losses, its log and its end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.jobs.losses import EPOCHS
from app.services.jobs.views import describe_job, require_job
from app.storage import jobs
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.tables import JobRow

END_WAIT_US = 3_000_000
"""microseconds after which a job's end is sent although its log was never closed: its worker may have died"""
MOST_EVENTS = 200
"""events that are read at a time"""


@dataclass(frozen=True)
class EventCursor:
    """A listener's position: the last stored event and the last progress that it was sent."""

    seq: int = 0
    """number of the event"""
    tick: str = ""
    """name of the progress, as `_tick` makes it"""

    @staticmethod
    def parse(text: str | None) -> "EventCursor":
        """Parse a `Last-Event-ID`; one that this service did not send starts from the beginning."""
        seq, _, tick = (text or "").partition("-")
        if not (seq.isascii() and seq.isdigit() and len(seq) < 10):
            return EventCursor()
        return EventCursor(int(seq), tick)

    def __str__(self) -> str:
        return f"{self.seq}-{self.tick}" if self.tick else str(self.seq)


@dataclass(frozen=True)
class Event:
    """An event that a listener is sent."""

    cursor: EventCursor
    kind: str
    """`progress`, `losses`, `log` or `end`"""
    data: dict[str, Any]


class EventService:
    """The operations behind GET /jobs/{id}/events and /jobs/{id}/log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_after(self, scope: Scope, job_id: str, cursor: EventCursor) -> list[Event]:
        """Return the events after a cursor; the last one of an ended job is its `end`. Raises NotFound."""
        with self._database.read() as session:
            row = require_job(session, scope, job_id)
            stored = jobs.list_events(session, row.id, (jobs.LOG, EPOCHS), after=cursor.seq, limit=MOST_EVENTS)
            job = describe_job(row)
            tick = _tick(row)
            is_over = _is_over(session, row)
        events = []
        for event in stored:
            cursor = EventCursor(event.seq, cursor.tick)
            events.append(Event(cursor, event.kind, event.data))
        if len(stored) == MOST_EVENTS:
            return events  # there are more, and the progress comes after them
        if is_over:
            events.append(Event(EventCursor(cursor.seq, tick), "end", job))
        elif row.status in jobs.ACTIVE and tick != cursor.tick:
            events.append(Event(EventCursor(cursor.seq, tick), "progress", job))
        return events

    def read_log(self, scope: Scope, job_id: str) -> Iterator[str]:
        """Yield the lines of a job's log, all attempts one after another. Raises NotFound at once."""
        with self._database.read() as session:
            row = require_job(session, scope, job_id)
        return self._lines(row.id)

    def _lines(self, job_id: str) -> Iterator[str]:
        seq = 0
        while True:
            with self._database.read() as session:
                events = jobs.list_events(session, job_id, (jobs.LOG,), after=seq, limit=MOST_EVENTS)
            for event in events:
                seq = event.seq
                yield from event.data["lines"]
            if len(events) < MOST_EVENTS:
                return


def _is_over(session: Session, row: JobRow) -> bool:
    """Say whether a job has ended and nothing will be added to its log."""
    if row.status in jobs.ACTIVE or row.finished_at is None:
        return False
    is_log_whole = any(
        event.data["attempt"] == row.attempt for event in jobs.list_events(session, row.id, (jobs.LOG_END,))
    )
    return is_log_whole or row.attempt == 0 or now(session) - row.finished_at > END_WAIT_US


def _tick(row: JobRow) -> str:
    """Return a name for the state of a job, which differs whenever a listener has to be sent the state again."""
    return f"{row.status}.{row.attempt}.{(row.progress or {}).get('tick', 0)}"
