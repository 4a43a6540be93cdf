"""Job processes, forked from a process of the worker that has already imported what jobs need.

Importing torch and its dependencies takes seconds; a fork takes milliseconds and shares the memory. The parent is the
standard library's fork server: it runs one thread, opens no database, touches no GPU, and ends with its worker.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from app.storage.jobs import Fence

SERVER_LOST = 255
"""exit status of a process whose fork server was killed, so that its own status is unknown"""

Program = Callable[[Fence], int]
"""a module-level function that runs one attempt and returns the exit status"""


def prepare(modules: Sequence[str]) -> None:
    """Start the fork server, which imports these modules while this process goes on."""
    multiprocessing.set_forkserver_preload(list(modules))
    forkserver.ensure_running()


def start(program: Program, fence: Fence, output: int) -> ForkServerProcess:
    """Fork a process that runs an attempt and writes to the file descriptor `output`.

    The process leads a new session, so that Ctrl-C in a terminal reaches only the worker, which decides. Waits until
    the fork server has imported its modules. Raises OSError and EOFError where no process could be started.
    """
    context: ForkServerContext = multiprocessing.get_context("forkserver")
    process = context.Process(target=_run, args=(program, fence, _Descriptor(output)))
    process.start()
    return process


async def wait_for_end(process: ForkServerProcess) -> int:
    """Wait for a process and return its exit status; negative is a signal."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    status = process.exitcode
    assert status is not None
    process.close()
    return status


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a job's process."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill(pid: int) -> None:
    """Kill a job's process and the processes that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    send_signal(pid, signal.SIGKILL)  # it may not lead its session yet


def is_worker_gone(server: int, seconds: float) -> bool:
    """Wait at most so many seconds for the end of this process's worker or fork server; say whether one has ended.

    Args:
        server: process id of the fork server: `os.getppid()` when this process began
        seconds: longest wait
    """
    worker = multiprocessing.parent_process()
    assert worker is not None
    return bool(multiprocessing.connection.wait([worker.sentinel], seconds)) or os.getppid() != server


class _Descriptor:
    """A file descriptor that the new process receives."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive, (DupFd(self.number),)


def _receive(handed: Any) -> int:
    number: int = handed.detach()
    return number


def _run(program: Program, fence: Fence, output: int) -> None:
    """Run the program in the forked process, and exit with its status."""
    os.setsid()
    gc.freeze()  # so that collections do not copy memory that is shared with the fork server
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(output, number)
    os.close(output)
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("gatecast-job")  # what `top` and `ps` show of it
    raise SystemExit(program(fence))
