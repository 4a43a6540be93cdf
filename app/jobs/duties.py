"""Duties: periodic work of every worker, in a separate thread so that it never holds up the lease."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True)
class Duty:
    """Periodic work. Several workers may do it at the same moment, so it must tolerate that."""

    do: Callable[[], object]
    seconds: float
    """from the end of one run to the start of the next"""


class Duties:
    """A thread that does duties one after another until it is stopped."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = duties
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="duties", daemon=True)

    def start(self) -> None:
        """Start the thread; every duty is due at once."""
        self._thread.start()

    def stop(self) -> None:
        """Start no further duty."""
        self._stop.set()

    def _loop(self) -> None:
        due = [time.monotonic()] * len(self._duties)
        while due and not self._stop.wait(max(0.0, min(due) - time.monotonic())):
            for number, duty in enumerate(self._duties):
                if due[number] <= time.monotonic() and not self._stop.is_set():
                    _do(duty.do)
                    due[number] = time.monotonic() + duty.seconds


def _do(duty: Callable[[], object]) -> None:
    try:
        duty()
    except Exception as e:  # the next time may be better: the database comes back, the store too
        log.warning("duty_failed", duty=getattr(duty, "__qualname__", repr(duty)), detail=str(e)[:200])
