"""Replays that were too many for a request, and are run behind it, a few series at a time."""

import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from app.logs import get_logger
from app.scope import Scope
from app.services.forecasting.inputs.loader import ContextLoader
from app.services.forecasting.inputs.request import ForecastRequest

log = get_logger(__name__)

SERIES_AT_ONCE = 16


class WaitingSeries(NamedTuple):
    """A stored series whose replay waits."""

    project_id: int
    model: str
    series_id: str


class ReplayBacklog:
    """Replays series of large requests in a thread of its own, which leaves as much time to others as it takes."""

    def __init__(self, loader: ContextLoader) -> None:
        self._loader = loader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="replayer")
        self._lock = threading.Lock()
        self._waiting: set[WaitingSeries] = set()
        self._closing = threading.Event()

    def close(self) -> None:
        """Replay nothing more, and wait for what is under way."""
        self._closing.set()
        self._thread.shutdown(cancel_futures=True)

    def add(self, scope: Scope, request: ForecastRequest, ids: Collection[str]) -> None:
        """Replay those of a request's series that are stored; at other origins than the newest nothing is kept."""
        if request.origin is not None:
            return
        with self._lock:
            asked = [WaitingSeries(scope.project_id, request.model, i) for i in ids if i not in request.history]
            new = [one for one in asked if one not in self._waiting]
            self._waiting.update(new)
        for start in range(0, len(new), SERIES_AT_ONCE):
            self._thread.submit(self._replay, scope, new[start : start + SERIES_AT_ONCE])

    def _replay(self, scope: Scope, waiting: list[WaitingSeries]) -> None:
        started_at = time.monotonic()
        request = ForecastRequest(waiting[0].model, tuple(one.series_id for one in waiting))
        try:
            resolved, _ = self._loader.load(scope, request)
            self._loader.replay(scope, resolved)
            left: Collection[str] = resolved.awaiting
        except Exception as e:  # the next request for them gets the error
            log.warning("not_replayed", model=waiting[0].model, detail=str(e))
            left = ()
        with self._lock:
            self._waiting.difference_update(waiting)
        self._closing.wait(time.monotonic() - started_at)
        if left and not self._closing.is_set():
            self.add(scope, request, left)
