"""How many requests callers make: a caller's in this minute, a project's in this month.

Minutes are this process's own. Months are added up in the database, once a minute at most.
"""

import contextlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from app.logs import get_logger
from app.scope import Scope
from app.storage import usage
from app.storage.engine import Database

log = get_logger(__name__)

MINUTE = 60


class RequestCounter:
    """Counts the requests of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._minute = _find_minute()
        self._by_caller: Counter[str] = Counter()
        """of this minute"""
        self._unsaved: Counter[int] = Counter()
        """of projects"""
        self._saving = ThreadPoolExecutor(1, "request-counts")

    def add(self, scope: Scope) -> None:
        """Count a request."""
        minute = _find_minute()
        with self._lock:
            is_over = minute != self._minute
            if is_over:
                self._minute = minute
                self._by_caller.clear()
            self._by_caller[scope.identity] += 1
            self._unsaved[scope.project_id] += 1
        if is_over:
            with contextlib.suppress(RuntimeError):  # the service is being stopped
                self._saving.submit(self._save)

    def count_minute(self, scope: Scope) -> int:
        """Return how many requests a caller has made of this process in this minute."""
        with self._lock:
            return self._by_caller[scope.identity] if self._minute == _find_minute() else 0

    def count_month(self, scope: Scope) -> int:
        """Return how many requests a project has made of all processes in this month; of the others those that they
        have saved, which they do with the first request of another minute, and when they end."""
        with self._database.read() as session:
            saved = usage.get_requests(session, scope, _find_month())
        with self._lock:
            return saved + self._unsaved[scope.project_id]

    def close(self) -> None:
        """Save what is counted, and count no more."""
        self._saving.shutdown()
        self._save()

    def _save(self) -> None:
        with self._lock:
            unsaved = self._unsaved
            self._unsaved = Counter()
        if not unsaved:
            return
        try:
            with self._database.write() as session:
                usage.add_requests(session, unsaved, _find_month())
        except Exception as e:  # the next minute may be better
            log.warning("request_counts_not_saved", detail=str(e)[:200])
            with self._lock:
                self._unsaved.update(unsaved)


def _find_minute() -> int:
    return int(time.time()) // MINUTE


def _find_month() -> int:
    """Return the month as a number such as 202603, UTC."""
    now = datetime.now(UTC)
    return 100 * now.year + now.month
