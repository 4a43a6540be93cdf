"""`gatecast up`: the API and a worker as child processes, restarted when they end, stopped together.

Where `up` is killed and can stop nobody, they stop by themselves: each has the reading end of a pipe that only `up` can
write to, and reads its end when `up` is gone, however that came about. That needs nothing of the system but pipes, and
unlike a look at the parent's process id it cannot come too late.
"""

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
    lifeline: int
    """file descriptor that it gets too"""
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start the process in a new session: the terminal's Ctrl-C reaches only `up`, which stops the process."""
        self.starts = [*(t for t in self.starts if time.monotonic() - t < WITHIN_SECONDS), time.monotonic()]
        self.process = subprocess.Popen(self.command, start_new_session=True, pass_fds=(self.lifeline,))

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
    lifeline, _held = os.pipe()  # open for as long as this process lives; no other process gets the writing end
    option = ("--lifeline", str(lifeline))
    parts = [ServiceProcess(a[0], [sys.executable, "-m", "app", *a, *option], lifeline) for a in arguments]
    try:
        for part in parts:
            part.start()
        return _watch(parts, stop)
    finally:
        _stop(parts, stop_seconds)


def stop_without_parent(lifeline: int, stop_seconds: float) -> None:
    """Let this process stop as at SIGTERM when the one that has started it is gone, and kill it `stop_seconds` later.

    `lifeline` is the reading end of the parent's pipe. This process leads its group.
    """
    threading.Thread(target=_follow, args=(lifeline, stop_seconds), name="lifeline", daemon=True).start()


def _follow(lifeline: int, stop_seconds: float) -> None:
    os.read(lifeline, 1)  # nobody writes anything: it returns at the pipe's end
    log.warning("up_is_gone", detail="'gatecast up' has ended without stopping this process, which stops by itself")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(stop_seconds)
    os.killpg(os.getpid(), signal.SIGKILL)


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
