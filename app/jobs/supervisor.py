"""Child processes, one for each running job: killable, each with its GPU context, at a lower priority than serving."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess

from app.jobs import forking
from app.jobs.forking import Program
from app.storage.jobs import Fence

FENCE_LOST = 75
"""the child's exit status where its job was cancelled or taken over (EX_TEMPFAIL)"""
HANDED_OVER = 76
"""the child's exit status where it has saved its state because the worker is to stop"""
TRY_AGAIN = 69
"""the child's exit status where database or store were away (EX_UNAVAILABLE)"""
GRACE_SECONDS = 10.0
"""from SIGTERM to SIGKILL"""
LOOK_SECONDS = 0.05

LINES_KEPT = 5000
"""lines of one attempt's output that are stored; the rest is in the worker's log alone"""
LONGEST_LINE = 2000
"""bytes"""
LOG_SECONDS = 0.5
"""between two looks at a child's output"""
CHUNK = 1 << 16
"""bytes of a child's output that are read at once"""

StoreLines = Callable[[Sequence[str]], bool]
"""stores lines of a child's output; returns False where that is impossible now"""


class Children:
    """The job processes of one worker."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._pids: set[int] = set()

    async def run(self, fence: Fence, keep: StoreLines) -> int:
        """Run the process of one attempt to its end and return its exit status; negative is a signal.

        Its output goes to this process's stderr, and to `keep` twice a second. If the caller is cancelled, the process
        is stopped: SIGTERM, and SIGKILL after GRACE_SECONDS. Raises OSError and EOFError where none was started.
        """
        with ChildOutput(keep) as output:
            started = asyncio.create_task(asyncio.to_thread(forking.start, self._program, fence, output.file.fileno()))
            cancelled = await _wait_even_if_cancelled(started)
            process = started.result()
            pid = process.pid
            assert pid is not None
            self._pids.add(pid)
            passing = asyncio.create_task(_pass_on_regularly(output))
            ended = asyncio.create_task(forking.wait_for_end(process))
            try:
                if cancelled:
                    raise asyncio.CancelledError
                return await asyncio.shield(ended)
            except asyncio.CancelledError:
                await _stop(pid, ended)
                raise
            finally:
                passing.cancel()
                self._pids.discard(pid)
                await asyncio.to_thread(output.pass_on, last=True)

    def drain(self, seconds: float) -> None:
        """Ask all processes to save their state and end, and wait for that at most so many seconds."""
        for pid in tuple(self._pids):
            forking.send_signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self._pids and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def kill(self) -> None:
        """Kill all processes; their jobs continue elsewhere from their last checkpoints."""
        for pid in tuple(self._pids):
            forking.kill(pid)


class ChildOutput:
    """A child's output, in a nameless file: unlike with a pipe, the child never waits for a reader."""

    def __init__(self, keep: StoreLines) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._keep = keep
        self._lock = threading.Lock()
        self._at = self._kept = 0
        self._rest = b""
        self._lines: list[str] = []

    def __enter__(self) -> "ChildOutput":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def pass_on(self, *, last: bool = False) -> None:
        """Pass on the output since the last call; lines that cannot be stored now are stored the next time.

        `last`: the child has ended, so its last bytes are a line even without a newline.
        """
        with self._lock:
            while chunk := os.pread(self.file.fileno(), CHUNK, self._at):
                self._at += len(chunk)
                with contextlib.suppress(OSError, ValueError):  # this process's stderr may be closed or full
                    sys.stderr.buffer.write(chunk)
                    sys.stderr.buffer.flush()
                *whole, rest = (self._rest + chunk).split(b"\n")
                self._rest = rest[:LONGEST_LINE]
                self._add(whole)
            if last and self._rest:
                self._add([self._rest])
            if self._lines and self._keep(self._lines):
                self._lines = []

    def _add(self, whole: list[bytes]) -> None:
        room = LINES_KEPT - self._kept
        self._kept += len(whole)
        self._lines += [
            line[:LONGEST_LINE].decode(errors="replace").replace("\0", "") for line in whole[: max(room, 0)]
        ]
        if 0 < room <= len(whole):
            self._lines.append("… the rest is in the worker's log")


async def _pass_on_regularly(output: ChildOutput) -> None:
    while True:
        await asyncio.sleep(LOG_SECONDS)
        await asyncio.to_thread(output.pass_on)


async def _wait_even_if_cancelled(task: asyncio.Task[ForkServerProcess]) -> bool:
    """Wait for a task that cannot be stopped; return whether the caller was cancelled meanwhile."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


async def _stop(pid: int, ended: asyncio.Task[int]) -> None:
    forking.send_signal(pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(asyncio.shield(ended), GRACE_SECONDS)
    except TimeoutError:
        forking.kill(pid)
        await ended
