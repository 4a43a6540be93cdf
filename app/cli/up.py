"""`gatecast up`: the API and a worker as child processes, restarted when they end, stopped together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.logs import get_logger

log = get_logger(__name__)

STOP_SECONDS = 15.0
"""from SIGTERM to SIGKILL"""
RESTARTS = 5
"""starts of one process within WITHIN_SECONDS, before `up` gives up"""
WITHIN_SECONDS = 60.0
LOOK_SECONDS = 0.25
"""between two looks at the processes"""


@dataclass
class ServiceProcess:
    """One process of the service."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start the process in a new session: the terminal's Ctrl-C reaches only `up`, which stops the process."""
        self.starts = [*(t for t in self.starts if time.monotonic() - t < WITHIN_SECONDS), time.monotonic()]
        self.process = subprocess.Popen(self.command, start_new_session=True)

    @property
    def exhausted(self) -> bool:
        """Whether it has ended too often to be started again."""
        return len(self.starts) > RESTARTS


def run(arguments: Sequence[Sequence[str]], stop_seconds: float = STOP_SECONDS) -> int:
    """Run `gatecast` with each of `arguments` until SIGINT, SIGTERM or SIGHUP; return the exit status.

    `stop_seconds`: time for all processes to stop before they are killed.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    parts = [ServiceProcess(a[0], [sys.executable, "-m", "app", *a]) for a in arguments]
    try:
        for part in parts:
            part.start()
        return _watch(parts, stop)
    finally:
        _stop(parts, stop_seconds)


def _watch(parts: Sequence[ServiceProcess], stop: threading.Event) -> int:
    while not stop.wait(LOOK_SECONDS):
        for part in parts:
            status = part.process.poll() if part.process else None
            if status is None:
                continue
            if part.exhausted:
                log.error(
                    "part_keeps_falling",
                    part=part.name,
                    exit_status=status,
                    detail="giving up; its log is above",
                )
                return 1
            log.warning("part_restarted", part=part.name, exit_status=status)
            part.start()
    return 0


def _stop(parts: Sequence[ServiceProcess], seconds: float) -> None:
    """Ask all processes to stop, wait, and kill those that do not."""
    living = [p.process for p in parts if p.process is not None and p.process.poll() is None]
    for process in living:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in living:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
