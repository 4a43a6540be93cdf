"""One child process a job: its own GPU context, killable, at a lower CPU priority than serving."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Sequence

from app.storage.jobs import Fence

FENCE_LOST = 75
"""the child's exit status where its job was cancelled or taken over (EX_TEMPFAIL)"""
TRY_AGAIN = 69
"""the child's exit status where database or store were away (EX_UNAVAILABLE)"""
GRACE_SECONDS = 10.0

LINES_KEPT = 5000
"""of one attempt's output; what is beyond is in the worker's log alone"""
LONGEST_LINE = 2000
LOG_SECONDS = 0.5

ChildCommand = Callable[[Fence], Sequence[str]]
Keep = Callable[[Sequence[str]], None]
"""stores lines of a child's output"""


class Children:
    """The child processes of one worker."""

    def __init__(self, command: ChildCommand) -> None:
        self._command = command
        self._pids: set[int] = set()

    async def run(self, fence: Fence, keep: Keep) -> int:
        """Run the child of one attempt to its end and return its exit status; negative is a signal.

        What it writes goes to this process's stderr, and to `keep` twice a second. Where the caller is cancelled the
        child is stopped: SIGTERM, and SIGKILL after a grace.
        """
        # a session of its own: Ctrl-C in a terminal reaches the worker, which decides
        process = await asyncio.create_subprocess_exec(
            *self._command(fence), start_new_session=True, stdout=PIPE, stderr=STDOUT
        )
        assert process.stdout is not None
        self._pids.add(process.pid)
        output = asyncio.create_task(_passed_on(process.stdout, keep))
        try:
            status = await process.wait()
            # a process that the child has left behind may hold the pipe
            await asyncio.wait([output], timeout=GRACE_SECONDS)
            return status
        except asyncio.CancelledError:
            await _stop(process)
            raise
        finally:
            output.cancel()
            self._pids.discard(process.pid)

    def kill(self) -> None:
        """End all children at once; their jobs go on elsewhere from their last checkpoints."""
        for pid in tuple(self._pids):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


async def _passed_on(stream: asyncio.StreamReader, keep: Keep) -> None:
    """Pass a child's output on, whole lines of it twice a second."""
    kept, rest, lines = 0, b"", list[str]()
    ended = False
    while not ended:
        try:
            async with asyncio.timeout(LOG_SECONDS):
                while chunk := await stream.read(65_536):
                    sys.stderr.buffer.write(chunk)
                    sys.stderr.buffer.flush()
                    *whole, rest = (rest + chunk).split(b"\n")
                    rest = rest[:LONGEST_LINE]
                    lines += [line[:LONGEST_LINE].decode(errors="replace").replace("\0", "") for line in whole]
            ended = True
            lines += [rest.decode(errors="replace").replace("\0", "")] if rest else []
        except TimeoutError:
            pass
        room = LINES_KEPT - kept
        if lines and room > 0:
            kept += len(lines)
            told = lines[:room] + (["… the rest is in the worker's log"] if len(lines) >= room else [])
            await asyncio.to_thread(keep, told)
        lines = []


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
