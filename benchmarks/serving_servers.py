"""The servers that benchmarks.serving compares, each on one core: Gatecast, the bare route and LitServe."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.accuracy import PEER_PYTHON

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
ANSWER_SECONDS = 600.0


class NotMeasured(Exception):
    """A row cannot be measured; the message says why."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it and its children for a while, so that one which polls takes nothing from another on its core."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, and the seconds from the request's first byte to the answer's last."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


@lru_cache  # a thread that is kept on one core sees no other
def cores() -> tuple[str, str]:
    """Return the core of the servers and that of the load. Raises SystemExit where there is only one."""
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        raise SystemExit("the server and the load each need a core of their own, and this machine lends only one")
    return str(found[0]), str(found[1])


@dataclass(frozen=True)
class Place:
    """A data directory with its key, and how servers are started on it."""

    folder: Path

    @property
    def key(self) -> str:
        """The key that every request brings."""
        file = self.folder / "key"
        if not file.exists():
            file.write_text(f"gk_{secrets.token_urlsafe(32)}")
        return file.read_text()

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    @property
    def environment(self) -> dict[str, str]:
        """Gatecast's settings, as they would be in earnest: keys on, JSON logs."""
        assert self.key
        return {
            "GATECAST_DATA_DIR": str(self.folder),
            "GATECAST_AUTH": "on",
            "GATECAST_BOOTSTRAP_KEY_FILE": str(self.folder / "key"),
            "GATECAST_LOG_FORMAT": "json",
        }

    @contextmanager
    def gatecast(self, *, core: str | None = None, **settings: str) -> Iterator[Server]:
        """Run `gatecast serve` on one core until the block ends."""
        command = [sys.executable, "-m", "app", "serve", "--port"]
        with running("gatecast", command, core or cores()[0], self.folder, self.environment | settings) as server:
            until(lambda: self.ask(server, "GET", "/readyz").status == 200, START_SECONDS, "Gatecast is ready")
            yield server

    @contextmanager
    def bare(self, answer: object) -> Iterator[Server]:
        """Run the bare route, with the event loop and the parser that uvicorn gives `gatecast serve`: the fastest."""
        options = ["--loop", "auto", "--http", "auto", "--no-access-log", "--no-server-header", "--port"]
        command = [sys.executable, "-m", "uvicorn", "benchmarks.bare:app", *options]
        with running("bare", command, cores()[0], self.folder, {"BARE_ANSWER": json.dumps(answer)}) as server:
            yield server

    @contextmanager
    def litserve(self) -> Iterator[Server]:
        """Run LitServe with the articles' LSTM. Raises NotMeasured where it is not installed."""
        if not PEER_PYTHON.exists() or subprocess.run([PEER_PYTHON, "-c", "import litserve"], check=False).returncode:
            raise NotMeasured("LitServe is not installed; make peers makes its environment")
        program = str(ROOT / "benchmarks" / "litserve_peer.py")
        with running("litserve", [str(PEER_PYTHON), program], cores()[0], self.folder, {}) as server:
            until(lambda: self.ask(server, "GET", "/health").status == 200, START_SECONDS, "LitServe is ready")
            yield server

    def ask(self, server: Server, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send one request on a connection of its own and return the answer, whatever its status."""
        connection = HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
        try:
            return timed(connection, method, path, body, {**self.headers, **headers})
        finally:
            connection.close()

    def call(self, server: Server, method: str, path: str, body: object = None) -> Any:
        """Send one request and return the decoded answer. Raises NotMeasured for an error."""
        answer = self.ask(server, method, path, body)
        if answer.status >= 400:
            raise NotMeasured(f"{method} {path}: {answer.status} {answer.body[:300].decode(errors='replace')}")
        return answer.json() if answer.body else None


def timed(connection: HTTPConnection, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
    """Send one request on an open connection."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body)
    began = time.perf_counter()
    connection.request(method, path, data, dict(headers))
    response = connection.getresponse()
    content = response.read()
    seconds = time.perf_counter() - began
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, content, seconds)


@contextmanager
def running(
    name: str, command: list[str], core: str, folder: Path, environment: Mapping[str, str], port: int | None = 0
) -> Iterator[Server]:
    """Run a server that takes its port as its last argument, on these cores; what it prints goes to {name}.log.

    `port`: 0 is a free one, None is for a process that listens on none.
    """
    port = port or (None if port is None else free_port())
    given = {k: v for k, v in os.environ.items() if not k.startswith("GATECAST_")}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", core, *command, *([] if port is None else [str(port)])],
            env={**given, **environment},
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(name, port or 0, process)
    try:
        until(lambda: port is None or listens(server), START_SECONDS, f"{name} listens")
        yield server
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def listens(server: Server) -> bool:
    """Say whether something answers on the port. Raises NotMeasured where the server has ended."""
    if server.process.poll() is not None:
        raise NotMeasured(f"{server.name} did not start; its log says why")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.port)) == 0


def until(found: Callable[[], object], seconds: float, what: str) -> None:
    """Ask again and again. Raises NotMeasured with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found():
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise NotMeasured(f"not within {seconds:g} s: {what}")
        time.sleep(0.005)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
