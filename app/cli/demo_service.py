"""The demo's service: `gatecast up` as a child process, in a data directory that begins empty."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from gatecast_client.client import Client
from gatecast_client.errors import ClientError

PROGRAM = (sys.executable, "-m", "app")
HOST = "127.0.0.1"
USUAL_PORT = 8000
START_SECONDS = 60
STOP_SECONDS = 20
SAME_EACH_TIME = {"GATECAST_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
"""on more threads, or on a GPU, sums of floats come out otherwise in their last digits, and trainings in their first"""
SHOWN_LINES = 20
"""of the log, where the demo fails"""


class DemoService:
    """A service that runs from `with` to its end; whatever happens in between, its processes are gone afterwards.

    Raises ClientError where it does not become ready.
    """

    def __init__(self, folder: Path, program: Sequence[str] = PROGRAM) -> None:
        self.program = program
        self.folder = folder.resolve()
        self.log = self.folder / "service.log"
        self.port = find_free_port()
        self.client = Client(f"http://{HOST}:{self.port}")

    def __enter__(self) -> Self:
        _begin_empty(self.folder, self.log)
        self._on_terminate = signal.signal(signal.SIGTERM, _exit)
        self._process = self._start()
        self._stopped = False
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self) -> int:
        """Wait until the service ends by itself, and return its exit status."""
        return self._process.wait()

    def log_tail(self) -> str:
        """Return the last lines that the service has logged."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-SHOWN_LINES:])

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self.program, "up", "--host", HOST, "--port", str(self.port)],
                env=build_environment(os.environ, self.folder, self.port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C comes to the demo alone, which then stops the service in order
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not self.client.ready():
            status = self._process.poll()
            if status is not None or time.monotonic() > until:
                why = f"not ready after {START_SECONDS} s" if status is None else f"it ended with status {status}"
                raise ClientError("The service did not start", why, "not_started", f"its log is {self.log}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End every process of the service, once."""
        if self._stopped:
            return
        self._stopped = True
        # a second Ctrl-C must not leave the service behind
        on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        # it stops its children; if it died before it could, they are still in its session
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        signal.signal(signal.SIGINT, on_interrupt)
        signal.signal(signal.SIGTERM, self._on_terminate)
        self.client.close()


def build_environment(variables: Mapping[str, str], folder: Path, port: int) -> dict[str, str]:
    """Return the environment with the demo's settings and without those of a real deployment, such as its database."""
    environment = {name: value for name, value in variables.items() if not name.startswith("GATECAST_")}
    address = {"GATECAST_DATA_DIR": str(folder), "GATECAST_PORT": str(port), "GATECAST_HOST": HOST}
    return environment | SAME_EACH_TIME | address


def find_free_port() -> int:
    """Return the usual port, or one that the system chooses where that is taken."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ClientError("No port is free", f"on {HOST}", "not_started", "end a program that listens there")


def _begin_empty(folder: Path, log: Path) -> None:
    if folder.exists() and not log.exists():
        hint = "move it away, or run the demo in another folder"
        raise ClientError("Not a folder of the demo", str(folder), "not_started", hint)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log.touch()


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)
