"""Connections of clients that are slow, silent or rude, on real sockets; the time that passes is told to the server."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from app.api.http.connections import (
    LONGEST_HEAD,
    MOST_HEADERS,
    MOST_PIPELINED,
    ConnectionBounds,
    PatientProtocol,
)
from app.api.http.patience import LEAST_RATE, set_options

SECONDS = 30.0
STEP = 5.0
"""seconds that pass at a time"""
HEAD = b"POST /whole HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
GET = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"
LARGE = 2_000_000


class Application:
    """Answers by path: `whole` when the body is, `never` not at all, `large` with more than anybody holds."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of no request."""
        self.gone = threading.Event()
        """a client was seen to leave"""
        self.begun = threading.Semaphore(0)
        """released when a request begins"""
        self.headers: list[tuple[bytes, bytes]] = []
        """of the last one"""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        self.begun.release()
        path = scope["path"].strip("/")
        size = 0
        while path != "early":
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            size += len(message["body"])
            if not message["more_body"] and path != "never":
                break
        self.headers = list(scope["headers"])
        body = b"x" * LARGE if path == "large" else b"%d" % size
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


class Listener:
    """A server in a thread, whose clients' time passes when a test says so."""

    def __init__(self, bounds: ConnectionBounds) -> None:
        self.bounds = bounds
        self.application = Application()
        http = cast(type[asyncio.Protocol], partial(PatientProtocol, bounds))
        config = uvicorn.Config(self.application, port=0, http=http, ws="none", lifespan="off", log_config=None)
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()))
        self._clients: list[socket.socket] = []

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve()

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
        (self._listener,) = self._server.servers[0].sockets
        set_options(self._listener, SECONDS)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()

    def hang_up(self) -> None:
        """Close all connections, and forget why some were cut off."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        while self.list_connections():
            self.let_pass(0)
        self.bounds.ended.clear()
        self.application.forget()

    def connect(self, sent: bytes = b"") -> socket.socket:
        connection = socket.socket()
        self._clients.append(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(self._listener.getsockname())
        connection.sendall(sent)
        return connection

    def run(self, call: Callable[[], Awaitable[Any]]) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)  # type: ignore[arg-type]

    def list_connections(self) -> list[PatientProtocol]:
        return [one for one in self._server.server_state.connections if isinstance(one, PatientProtocol)]

    def let_pass(self, seconds: float) -> None:
        async def check() -> None:
            for connection in self.list_connections():
                connection.check(seconds)

        self.run(check)

    def wait_out(self, connection: socket.socket, drip: bytes = b"", most: float = 10 * SECONDS) -> tuple[bytes, float]:
        """Let time pass until a connection is closed, or `most` of it; return what came, and the seconds."""
        came = b""
        passed = 0.0
        connection.settimeout(0.01)
        while passed < most:
            try:
                connection.sendall(drip)
                while data := connection.recv(65_536):
                    came += data
            except TimeoutError:
                self.let_pass(STEP)
                passed += STEP
            except ConnectionError:
                return came, passed
            else:
                return came, passed
        return came, passed


@contextmanager
def listening(connections: int) -> Iterator[Listener]:
    listener = Listener(ConnectionBounds(SECONDS, connections))
    listener.start()
    yield listener
    listener.hang_up()
    listener.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Listener]:
    with listening(100) as listener:
        yield listener


@pytest.fixture
def listener(server: Listener) -> Iterator[Listener]:
    yield server
    server.hang_up()


@pytest.fixture
def few(most: int) -> Iterator[Listener]:
    """A server that takes `most` connections."""
    with listening(most) as listener:
        yield listener


def problem_of(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json\r\n" in head + b"\r\n"
    assert b"connection: close" in head
    document = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % document["status"])
    return document


def test_who_says_nothing_is_cut_off(listener: Listener) -> None:
    assert listener.wait_out(listener.connect()) == (b"", SECONDS + STEP)
    assert listener.bounds.ended == {"slow": 1}


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_head_has_to_be_whole_in_time(listener: Listener, drip: bytes) -> None:
    came, passed = listener.wait_out(listener.connect(b"GET / HTTP/1.1\r\nhost: x"), drip)
    assert problem_of(came)["status"] == 408
    assert passed == pytest.approx(SECONDS, abs=2 * STEP)


@pytest.mark.parametrize("drip", [b"", b"x" * int(STEP * LEAST_RATE / 10)])
def test_a_body_that_does_not_come_is_given_up(listener: Listener, drip: bytes) -> None:
    came, passed = listener.wait_out(listener.connect(HEAD % 1_000_000 + b"x"), drip)
    document = problem_of(came)
    assert (document["status"], document["code"]) == (408, "bad_request")
    assert passed == pytest.approx(SECONDS, abs=3 * STEP)
    assert listener.application.gone.wait(5), "the application was told"


def test_a_body_that_comes_slowly_is_waited_for(listener: Listener) -> None:
    size = int(4 * SECONDS * LEAST_RATE)
    connection = listener.connect(HEAD % size)
    part = b"x" * int(STEP * LEAST_RATE * 2)
    for _ in range(0, size, len(part)):
        connection.sendall(part)
        listener.let_pass(STEP)
    came, _ = listener.wait_out(connection, most=STEP)
    assert came.endswith(b"\r\n\r\n%d" % size)


def test_who_waits_for_an_answer_is_not_slow(listener: Listener) -> None:
    connection = listener.connect(GET % b"never")
    assert listener.application.begun.acquire(timeout=5)
    assert listener.wait_out(connection, most=4 * SECONDS) == (b"", 4 * SECONDS)
    connection.close()
    assert listener.application.gone.wait(5)
    assert not listener.bounds.ended


def test_a_connection_may_be_kept_for_a_while_and_begins_anew_with_each_request(
    listener: Listener,
) -> None:
    connection = listener.connect()
    for _ in range(10):
        connection.sendall(GET % b"whole")
        came, _ = listener.wait_out(connection, most=STEP)
        assert came.endswith(b"\r\n\r\n0")
    connection.sendall(b"\r\n")  # is no request, and ends the server's own time for it
    came, passed = listener.wait_out(connection, b"\r\n", most=4 * SECONDS)
    assert came == b""
    assert passed == pytest.approx(SECONDS, abs=3 * STEP)


def test_an_answer_that_nobody_takes_is_given_up(listener: Listener) -> None:
    listener.connect(GET % b"large")
    assert listener.application.begun.acquire(timeout=5)
    passed = 0.0
    while listener.list_connections():
        listener.let_pass(STEP)
        passed += STEP
    assert passed == pytest.approx(SECONDS, abs=3 * STEP)
    assert listener.bounds.ended == {"unread": 1}


def test_an_answer_that_is_taken_slowly_is_sent_whole(listener: Listener) -> None:
    connection = listener.connect(GET % b"large")
    connection.settimeout(5)
    taken = 0
    while taken < LARGE:
        for _ in range(20):
            taken += len(connection.recv(65_536)) if taken < LARGE else 0
        listener.let_pass(STEP)
    assert not listener.bounds.ended


def test_a_body_that_nobody_reads_any_more_has_to_end(listener: Listener) -> None:
    connection = listener.connect(b"POST /early HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    came, passed = listener.wait_out(connection, b"2710\r\n" + b"x" * 10_000 + b"\r\n")
    assert came.startswith(b"HTTP/1.1 200 OK\r\n")
    assert passed == pytest.approx(SECONDS, abs=3 * STEP)


@pytest.mark.parametrize("most", [3])
def test_one_connection_too_many_takes_the_place_of_the_slowest(few: Listener) -> None:
    listener = few
    listener.connect(GET % b"never")
    assert listener.application.begun.acquire(timeout=5)
    slowest = listener.connect(b"GET / HTTP/1.1\r\n")
    assert listener.wait_out(slowest, most=STEP) == (b"", STEP)
    slow = listener.connect(HEAD % 10)
    assert listener.application.begun.acquire(timeout=5)
    assert listener.wait_out(slow, most=STEP) == (b"", STEP)
    welcome = listener.connect(GET % b"whole")
    assert listener.wait_out(welcome, most=STEP)[0].endswith(b"\r\n\r\n0")
    came, _ = listener.wait_out(slowest, most=STEP)
    document = problem_of(came)
    assert (document["status"], document["code"]) == (503, "overloaded")
    slow.sendall(b"x" * 10)
    assert listener.wait_out(slow, most=STEP)[0].endswith(b"\r\n\r\n10")
    assert listener.bounds.ended == {"crowded": 1}


@pytest.mark.parametrize("most", [2])
def test_where_all_have_their_answer_to_come_a_further_connection_is_refused(few: Listener) -> None:
    listener = few
    listening = [listener.connect(GET % b"never") for _ in range(2)]
    for _ in listening:
        assert listener.application.begun.acquire(timeout=5)
    listener.let_pass(STEP)
    came, _ = listener.wait_out(listener.connect(), most=STEP)
    assert problem_of(came)["status"] == 503
    for connection in listening:
        assert listener.wait_out(connection, most=STEP) == (b"", STEP)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"no request\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MOST_HEADERS + 1) + b"\r\n", 431),
        (b"GET /" + b"x" * LONGEST_HEAD + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"x" * LONGEST_HEAD + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"x" * 10 * LONGEST_HEAD, 431),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\na: " + b"x" * 10 * LONGEST_HEAD, None),
        (b"POST /never HTTP/1.1\r\ncontent-length: 0\r\n\r\n" + GET % b"whole" * (MOST_PIPELINED + 2), None),
    ],
)
def test_heads_are_bounded(listener: Listener, sent: bytes, status: int | None) -> None:
    connection = listener.connect()
    connection.settimeout(5)
    came = b""
    try:
        connection.sendall(sent)
        while data := connection.recv(65_536):
            came += data
    except ConnectionError:
        assert len(sent) > LONGEST_HEAD, "what was sent is read before the end"
    if status is not None and came:
        assert problem_of(came)["status"] == status
    assert listener.bounds.ended == {"malformed": 1}


def test_a_long_head_is_read_and_what_follows_a_body_is_no_header(listener: Listener) -> None:
    head = b"POST /whole HTTP/1.1\r\na: %s\r\ntransfer-encoding: chunked\r\n\r\n" % (b"x" * (LONGEST_HEAD - 200))
    came, _ = listener.wait_out(listener.connect(head + b"1\r\nx\r\n0\r\nauthorization: b\r\n\r\n"), most=STEP)
    assert came.endswith(b"\r\n\r\n1")
    assert [name for name, _ in listener.application.headers] == [b"a", b"transfer-encoding"]


def test_the_system_looks_after_connections_whose_other_end_is_gone(listener: Listener) -> None:
    listener.connect(GET % b"never")
    assert listener.application.begun.acquire(timeout=5)
    (accepted,) = listener.list_connections()
    found = accepted.transport.get_extra_info("socket")
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    told = [found.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names if hasattr(socket, name)]
    assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
    assert told == [30, 10, 3, 60_000][: len(told)]
