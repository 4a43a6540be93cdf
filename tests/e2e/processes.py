"""Real processes of the service, for tests that kill them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from app.config import Settings
from tests.kept import KEPT

T = TypeVar("T")
Signalled = subprocess.Popen[bytes] | psutil.Process
TABLES = ("jobs", "job_events", "worker_leases", "models", "versions")
POLL = 0.05
PATIENCE = 300.0
"""seconds that a test waits for what a loaded machine does late: jobs yield to all else, ten to one"""
ONE_JOB = {"GATECAST_PRELOAD": "false"}
"""settings of a service that runs one job or none: it imports what it needs by itself"""
JOB = "gatecast-job"
"""what a job's process is called"""


def until(found: Callable[[], T | None], seconds: float, what: str) -> T:
    """Ask again and again until there is an answer; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(POLL)


class Service:
    """API processes and workers on one database, with their logs."""

    program: Sequence[str] = (sys.executable, "-m", "app")
    """the `gatecast` command"""

    def __init__(self, folder: Path, database_url: str, **environment: str) -> None:
        self.folder = folder
        self.url = ""
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GATECAST_")},
            "GATECAST_DATA_DIR": str(folder / "data"),
            "GATECAST_DATABASE_URL": database_url,
            "GATECAST_LEASE_SECONDS": "2",
            "GATECAST_CHECKPOINT_SECONDS": "0",
            "GATECAST_CACHE_DIR": str(KEPT),
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self._named: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `gatecast` with arguments and settings of its own; its log is {name}.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.program, *arguments],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        self._named[name] = process
        return process

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """Return a process that was started."""
        return self._named[name]

    def serve(self, name: str = "api") -> str:
        """Start an API process on a free port and return its address once it is ready."""
        port = free_port()
        process = self.start(name, "serve", "--port", str(port))
        url = f"http://127.0.0.1:{port}"
        self.url = self.url or url

        def ready() -> bool:
            assert process.poll() is None, self.log(name)
            return answers(url + "/readyz")

        until(ready, PATIENCE, f"{name} is ready")
        return url

    def worker(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker and wait until it takes jobs."""
        process = self.start(name, "worker", **environment)
        until(lambda: "worker_started" in self.log(name), PATIENCE, f"{name} has started")
        return process

    def log(self, name: str) -> str:
        """Return what a process has logged."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def call(self, method: str, path: str, body: object = None, url: str | None = None) -> Any:
        """Call the API and return the decoded answer; a status of 400 or more fails."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request((url or self.url) + path, data, method=method)
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                raw = response.read()
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{method} {path}: {e.code} {e.read()[:500]!r}") from e
        return json.loads(raw) if raw else None

    def writable(self) -> bool:
        """Say whether nobody holds a lock in the database that others would wait for."""
        engine = create_engine(Settings(database_url=self.environment["GATECAST_DATABASE_URL"]).database)
        sqlite = engine.dialect.name == "sqlite"
        locks = (
            ["PRAGMA busy_timeout = 500", "BEGIN IMMEDIATE"] if sqlite else [f"LOCK TABLE {t} NOWAIT" for t in TABLES]
        )
        try:
            with engine.connect() as connection:
                for statement in locks:
                    connection.exec_driver_sql(statement)
                connection.rollback()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True

    def hang(self, process: Signalled) -> None:
        """Stop a process between two of its transactions: within one it would keep its locks, on SQLite all of them."""

        def between() -> bool:
            process.send_signal(signal.SIGSTOP)
            if self.writable():
                return True
            process.send_signal(signal.SIGCONT)
            return False

        until(between, PATIENCE, "it hangs outside of a transaction")

    @contextmanager
    def frozen(self, process: Signalled) -> Iterator[None]:
        """Stop a process (not its children) for a while, as a machine that hangs does."""
        self.hang(process)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End everything, stopped processes too."""
        for process in self._processes:
            for part in family(process.pid):
                part.kill()
        for process in self._processes:
            process.wait(10)


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants, as far as they live."""
    try:
        process = psutil.Process(pid)
        return [p for p in [process, *process.children(recursive=True)] if lives(p)]
    except psutil.NoSuchProcess:
        return []


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the living training processes of a worker."""
    return [p for p in family(process.pid)[1:] if p.name() == JOB]


def lives(process: psutil.Process) -> bool:
    """Say whether a process still runs; a dead one that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answers(url: str) -> bool:
    """Say whether a GET is answered with a success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """Return a port that nothing listens on."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
