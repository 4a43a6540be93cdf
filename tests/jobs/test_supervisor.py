"""What a child writes is passed on and kept, and never holds it up."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial

import pytest

from app.jobs.forking import SERVER_LOST
from app.jobs.supervisor import LINES_KEPT, LONGEST_LINE, ChildOutput, Children
from app.storage.jobs import Fence
from tests.e2e.processes import until

pytestmark = pytest.mark.process

FENCE = Fence("j", 1)


def run(script: str, kept: list[str]) -> int:
    """Run a shell script as a child; keep its lines."""

    def keep(lines: Sequence[str]) -> bool:
        kept.extend(lines)
        return True

    return asyncio.run(Children(partial(shell, script)).run(FENCE, keep))


def shell(script: str, fence: Fence) -> int:
    """Become a shell, in which a pipe that nobody reads ends its writer."""
    assert fence == FENCE
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execlp("sh", "sh", "-c", script)


def lose_the_server(fence: Fence) -> int:
    os.kill(os.getppid(), signal.SIGKILL)
    return 3


def test_output_and_status() -> None:
    kept: list[str] = []
    assert run("echo one; echo two >&2; printf three; exit 3", kept) == 3
    assert kept == ["one", "two", "three"]


def test_a_signal_is_told_as_such() -> None:
    assert run("kill -KILL $$", []) == -signal.SIGKILL


def test_a_child_leads_a_session_of_its_own() -> None:
    kept: list[str] = []
    assert run("ps -o pid=,sid= -p $$", kept) == 0
    pid, session = kept[0].split()
    assert pid == session != str(os.getsid(0))


def test_a_fork_server_that_is_killed_is_replaced() -> None:
    assert asyncio.run(Children(lose_the_server).run(FENCE, lambda _: True)) == SERVER_LOST

    def again() -> int:
        try:
            return run("exit 4", [])
        except (OSError, EOFError):  # it is not quite dead: the worker tries again a second later
            return 0

    assert until(again, 60, "a process is forked") == 4


def test_a_cancelled_caller_ends_its_child() -> None:
    async def cancel() -> None:
        kept: list[str] = []

        def keep(lines: Sequence[str]) -> bool:
            kept.extend(lines)
            ready.set()
            return True

        ready = threading.Event()
        task = asyncio.create_task(Children(partial(shell, "echo $$; sleep 600")).run(FENCE, keep))
        await asyncio.to_thread(ready.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ProcessLookupError):
            os.kill(int(kept[0]), 0)

    asyncio.run(cancel())


def test_what_a_child_leaves_behind_does_not_hold_its_end() -> None:
    began, kept = time.monotonic(), list[str]()
    assert run("sleep 60 & echo done", kept) == 0
    assert time.monotonic() - began < 30
    assert kept == ["done"]


def test_much_output_is_cut() -> None:
    kept: list[str] = []
    assert run(f"yes | head -n {LINES_KEPT + 1000}", kept) == 0
    assert kept == ["y"] * LINES_KEPT + ["… the rest is in the worker's log"]


def test_lines_that_cannot_be_kept_are_offered_again() -> None:
    offered: list[list[str]] = []

    def keep(lines: Sequence[str]) -> bool:
        offered.append(list(lines))
        return len(offered) > 1

    with ChildOutput(keep) as output:
        output.file.write(b"first\n")
        output.file.flush()
        output.pass_on()
        output.file.write(b"x" * (LONGEST_LINE + 9) + b"\nbad \xff\0 byte\nunfinished")
        output.file.flush()
        output.pass_on()
        output.pass_on(last=True)
    assert offered == [["first"], ["first", "x" * LONGEST_LINE, "bad \ufffd byte"], ["unfinished"]]


def test_a_worker_without_a_stderr_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: bytes) -> None:
            raise BrokenPipeError

    class Stderr:
        buffer = Gone()

    kept: list[str] = []
    monkeypatch.setattr("sys.stderr", Stderr())
    assert run("yes | head -c 400000; echo end", kept) == 0
    assert len(kept) == LINES_KEPT + 1
