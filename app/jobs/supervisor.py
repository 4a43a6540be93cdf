"""One child process a job: its own GPU context, killable, at a lower CPU priority than serving."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence

from app.storage.jobs import Fence

FENCE_LOST = 75
"""the child's exit status where its job was cancelled or taken over (EX_TEMPFAIL)"""
TRY_AGAIN = 69
"""the child's exit status where database or store were away (EX_UNAVAILABLE)"""
GRACE_SECONDS = 10.0

ChildCommand = Callable[[Fence], Sequence[str]]


class Children:
    """The child processes of one worker."""

    def __init__(self, command: ChildCommand) -> None:
        self._command = command
        self._pids: set[int] = set()

    async def run(self, fence: Fence) -> int:
        """Run the child of one attempt to its end and return its exit status; negative is a signal.

        Where the caller is cancelled the child is stopped: SIGTERM, and SIGKILL after a grace.
        """
        # a session of its own: Ctrl-C in a terminal reaches the worker, which decides
        process = await asyncio.create_subprocess_exec(*self._command(fence), start_new_session=True)
        self._pids.add(process.pid)
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await _stop(process)
            raise
        finally:
            self._pids.discard(process.pid)

    def kill(self) -> None:
        """End all children at once; their jobs go on elsewhere from their last checkpoints."""
        for pid in tuple(self._pids):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
