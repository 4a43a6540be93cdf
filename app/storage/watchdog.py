"""A watchdog over connections to PostgreSQL: a server that accepts them and never answers counts as away.

The kernel of a halted server goes on acknowledging what it is sent, so that no limit of TCP is ever reached; and the
server's own limits, such as `statement_timeout`, halt with it. What a statement may take is no sign either: an import
takes minutes. So whoever has waited for a while asks the server for another connection. While that is granted,
statements may take as long as they like. Where it is not, all connections are cut off, and no new one is tried before
the server answers again: callers fail at once, as they do while it is not there at all.
"""

import contextlib
import os
import socket
import threading
import time
import weakref
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event

from app.logs import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 0.25
"""between two looks at the connections"""
WAITING_SECONDS = 2.0
"""how long a statement is waited for before the server is asked whether it answers at all, and between two questions"""
ANSWER_SECONDS = 4
"""for the answer; a login takes milliseconds, even where a server has much to do"""


class Watchdog:
    """Watches the connections of an engine's pool, in a thread that lives while there are any."""

    def __init__(self, engine: Engine, options: dict[str, Any]) -> None:
        """Begin to watch.

        Args:
            engine: whose connections are watched, of PostgreSQL
            options: of its driver, with which it connects
        """
        arguments, keywords = engine.dialect.create_connect_args(engine.url)
        self._arguments = arguments
        self._keywords = {**keywords, **options, "connect_timeout": ANSWER_SECONDS}
        self._lock = threading.Lock()
        self._lines: weakref.WeakKeyDictionary[Any, _Line] = weakref.WeakKeyDictionary()
        """by the driver's connections"""
        self._thread: threading.Thread | None = None
        self._is_silent = False
        event.listen(engine, "connect", self._add)
        event.listen(engine, "close", self._remove)
        event.listen(engine, "do_connect", self._refuse)

    @property
    def is_silent(self) -> bool:
        """Whether the server accepts connections and does not answer."""
        return self._is_silent

    def _refuse(self, *_: Any) -> None:
        """Raise OperationalError instead of opening a connection while the server is silent."""
        if self._is_silent:
            raise psycopg.OperationalError("the server accepts connections and does not answer")

    def _add(self, connection: Any, _record: Any) -> None:
        with self._lock:
            self._lines[connection] = _Line(connection.pgconn.socket)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()

    def _remove(self, connection: Any, _record: Any) -> None:
        with self._lock:
            self._lines.pop(connection, None)

    # in the thread

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            with self._lock:
                if not self._lines and not self._is_silent:
                    self._thread = None
                    return
                longest = max((line.measure_wait(of) for of, line in self._lines.items()), default=0.0)
            if longest >= WAITING_SECONDS or self._is_silent:
                self._ask()

    def _ask(self) -> None:
        """Ask the server whether it answers; cut off everything where it does not."""
        was_silent = self._is_silent
        self._is_silent = not self._is_answered()
        with self._lock:
            for line in self._lines.values():
                if self._is_silent:
                    line.cut()
                line.busy_since = None
            count = len(self._lines)
        if self._is_silent and not was_silent:
            log.error("database_silent", connections_cut=count, detail="it accepts connections and does not answer")
        elif was_silent and not self._is_silent:
            log.info("database_answers")

    def _is_answered(self) -> bool:
        """Whether the server says anything; an error that it tells is an answer, and so is a refused connection."""
        try:
            psycopg.connect(*self._arguments, **self._keywords).close()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.Error:
            return True
        return True


class _Line:
    """The socket of a connection, under a descriptor of its own: the driver may close its own at any time, and another
    file get the number."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        self.busy_since: float | None = None
        """monotonic seconds since which a statement was under way at each look"""

    def __del__(self) -> None:
        os.close(self._descriptor)

    def measure_wait(self, connection: Any) -> float:
        """Look at the connection; return the seconds for which it has been waiting for the server."""
        moment = time.monotonic()
        if connection.pgconn.transaction_status != TransactionStatus.ACTIVE:
            self.busy_since = None
        elif self.busy_since is None:
            self.busy_since = moment
        return 0.0 if self.busy_since is None else moment - self.busy_since

    def cut(self) -> None:
        """End the connection: whoever waits for it gets an error at once."""
        shared = socket.socket(fileno=self._descriptor)
        try:
            with contextlib.suppress(OSError):  # it has ended by itself
                shared.shutdown(socket.SHUT_RDWR)
        finally:
            shared.detach()
