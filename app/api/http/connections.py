"""Connections, below ASGI: how long a client may take, how long a head may be, and how many may be open.

uvicorn waits for as long as a client likes. Here whoever keeps the process waiting is looked at now and then. A client
that owes the rest of its request is answered 408 and cut off, one that takes nothing of its answer is cut off, and a
new connection beyond the bound takes the place of the one that has kept the process waiting the longest.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.api.http.patience import Wait, count_taken
from app.api.http.problems import MEDIA_TYPE, document
from app.api.http.security import ALWAYS, NOTHING
from app.errors import ErrorCode, ServiceError

LONGEST_HEAD = 64 * 1024
"""bytes of a request before its body, and of what stands between the parts of a chunked one"""
MOST_HEADERS = 100
MOST_PIPELINED = 100
"""requests of a connection that wait for the answer to one before them"""
ENDS = ("slow", "unread", "crowded", "malformed")
"""why connections are cut off"""


@dataclass(frozen=True)
class ConnectionBounds:
    """What holds for the connections of one process."""

    seconds: float
    """for which a client may keep the process waiting"""
    connections: int
    """that may be open"""
    ended: Counter[str] = field(default_factory=Counter)
    """connections that were cut off, by one of ENDS"""


class Refusal(ServiceError):
    """A request that is refused before it is whole."""

    def __init__(self, status: int, title: str, code: ErrorCode, detail: str) -> None:
        super().__init__(code, detail)
        self.status = status
        self.title = title


class PatientProtocol(HttpToolsProtocol):
    """A connection whose client is waited for, and not for ever."""

    def __init__(
        self,
        bounds: ConnectionBounds,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.opened_at = time.monotonic()
        self._bounds = bounds
        self._phase = 0
        """of a request: it begins, has its head; a number of its own each time"""
        self._in_head = False
        self._received = 0
        self._chunk = 0
        """how many of them came last"""
        self._begun = 0
        """bytes received when the request began, or somewhat fewer"""
        self._used = 0
        """bytes received when something came of them, or somewhat more"""
        self._refusal: Refusal | None = None
        self._is_ended = False
        self._seen = 0
        """the phase that was looked at last"""
        self._sending = Wait()
        """for the client to send"""
        self._taking = Wait()
        """for it to take the answer"""

    # what the transport and the parser call

    def connection_made(self, transport: Any) -> None:
        """Take the connection, or refuse it where there are too many and none of them is waited for."""
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections:
            others = [one for one in self.connections if isinstance(one, PatientProtocol) and one.may_go]
            slowest = max(others, key=lambda one: (one.silent, -one.opened_at), default=self)
            detail = f"this process has {self._bounds.connections} connections, the most; try again in a second"
            slowest._end(Refusal(503, "Unavailable", ErrorCode.overloaded, detail), "crowded")

    def data_received(self, data: bytes) -> None:
        """Read on, while what comes can be used."""
        self._chunk = len(data)
        self._received += self._chunk
        super().data_received(data)
        if self._received - self._used > LONGEST_HEAD:
            self._end(_refuse_head(), "malformed")

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        super().on_message_begin()
        self._phase += 1
        self._in_head = True
        self._begun = self._received - self._chunk
        self._used = self._received

    def on_headers_complete(self) -> None:
        """Begin with a request, unless its head is too long: the parser tells `send_400_response`."""
        if self._received - self._begun > LONGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._check_head()
        if len(self.pipeline) >= MOST_PIPELINED:
            detail = f"more than {MOST_PIPELINED} requests wait on this connection; wait for answers"
            self._refuse(Refusal(400, "Bad request", ErrorCode.bad_request, detail))
        super().on_headers_complete()
        self.headers = []  # what comes behind the body is dropped, and not put among the headers that were looked at
        self._phase += 1
        self._in_head = False
        self._used = self._received

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        super().on_body(body)
        self._used = self._received

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or was refused while it was read."""
        self._end(self._refusal or Refusal(400, "Bad request", ErrorCode.bad_request, msg), "malformed")

    @property
    def _last_cycle(self) -> RequestResponseCycle | None:
        """The request that came last, with its answer; None before the first."""
        return self.cycle

    # what the server calls now and then

    @property
    def silent(self) -> float:
        """Seconds for which the client has neither sent nor taken what it is to."""
        return max(self._sending.silent, self._taking.silent)

    @property
    def may_go(self) -> bool:
        """Whether the connection may give its place to another: its client was silent, or has no request under way."""
        if self._is_ended or self.silent:
            return not self._is_ended
        return self._has_to_send and not self._in_body and not self.transport.get_write_buffer_size()

    @property
    def _has_to_send(self) -> bool:
        """Whether it is the client's turn: it owes a request, or the rest of one."""
        if self._has_answer:
            return True
        return (self._in_head or self._in_body) and not self.flow.read_paused

    @property
    def _in_body(self) -> bool:
        """Whether the body of the last request has not come whole, and is read."""
        cycle = self._last_cycle
        return not self._in_head and cycle is not None and cycle.more_body and not cycle.response_complete

    @property
    def _has_answer(self) -> bool:
        """Whether there was no request yet, or the last one is answered."""
        cycle = self._last_cycle
        return cycle is None or cycle.response_complete

    def check(self, seconds: float) -> None:
        """Count the seconds since the last check for what the client owes, and end what takes too long."""
        if self._is_ended:
            self.transport.abort()  # the answer that told of it was not taken
            return
        if self._phase != self._seen:
            self._seen = self._phase
            self._sending = Wait(self._received)
        if backlog := self.transport.get_write_buffer_size():
            self._taking.add(seconds, count_taken(self.transport.get_extra_info("socket"), backlog))
            self._sending.silent = 0.0
        else:
            self._taking = Wait()
            if self._has_to_send:
                # a head has to be whole in time, and so has a body that nobody reads any more
                self._sending.add(seconds, self._received if self._in_body else 0)
            else:
                self._sending.silent = 0.0
        if self._taking.is_over(self._bounds.seconds):
            self._end(None, "unread")
        elif self._sending.is_over(self._bounds.seconds):
            self._end(_refuse_slow(self._bounds.seconds), "slow")

    # refusals

    def _check_head(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > LONGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._refuse(_refuse_head())

    def _refuse(self, refusal: Refusal) -> None:
        """Stop the parser, which then calls `send_400_response`. Raises ValueError."""
        self._refusal = refusal
        raise ValueError(refusal.detail)

    def _end(self, refusal: Refusal | None, why: str) -> None:
        """Cut the connection off, with an answer where a request has begun that has none."""
        if self._is_ended:
            return
        self._bounds.ended[why] += 1
        self._is_ended = True
        cycle = self._last_cycle
        is_free = self._has_answer or (self._in_body and cycle is not None and not cycle.response_started)
        is_idle = why == "slow" and not (self._in_head or self._in_body)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        is_stuck = self.transport.is_closing() or self.transport.get_write_buffer_size()
        if refusal is None or self.pipeline or not is_free or is_stuck:
            self.transport.abort()
            return
        if not is_idle:
            self.transport.write(_write_answer(refusal))
        self.transport.close()


def _refuse_head() -> Refusal:
    detail = f"a request's head has at most {LONGEST_HEAD} bytes and {MOST_HEADERS} headers; send less before the body"
    return Refusal(431, "Request header fields too large", ErrorCode.bad_request, detail)


def _refuse_slow(seconds: float) -> Refusal:
    detail = f"the rest of the request has not come within {seconds:g} seconds; send it in one go"
    return Refusal(408, "Request timeout", ErrorCode.bad_request, detail)


def _write_answer(refusal: Refusal) -> bytes:
    """Return the bytes of the last answer of a connection."""
    content = orjson.dumps(document(refusal))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(content)), NOTHING, *ALWAYS]
    lines = [b"%s: %s\r\n" % pair for pair in (*headers, (b"connection", b"close"))]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", content])
