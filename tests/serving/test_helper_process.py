"""A process that helps the server: it answers bytes, is turned away from, stopped, replaced, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.serving.helper_process import Answerer, HelperProcess, HelperTask, NotAnswered, Refused, TookTooLong

pytestmark = pytest.mark.process

DEADLINE = 30.0


def prepare(prefix: str) -> Answerer:
    """Return what these tests ask: `pid`, `die`, `refuse`, `hang FIFO`, or anything to be echoed."""

    def answer(question: bytes) -> bytes:
        match question.split():
            case [b"pid"]:
                return str(os.getpid()).encode()
            case [b"die"]:
                os._exit(3)
            case [b"refuse"]:
                raise Refused("there is no such thing; make one")
            case [b"hang", fifo]:
                with open(fifo, "rb") as never:  # opens when somebody writes, which nobody does
                    never.read()
        return prefix.encode() + question

    return answer


def until(held: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not held():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def helper(seconds: float = DEADLINE, places: int = 2, idle_seconds: float = 300.0) -> HelperProcess:
    return HelperProcess(HelperTask("echoing", "echoes", prepare, ("> ",)), seconds, places, idle_seconds)


@pytest.fixture
def echo() -> Iterator[HelperProcess]:
    process = helper()
    yield process
    process.close()


@pytest.fixture
def fifo(tmp_path: Path) -> bytes:
    os.mkfifo(tmp_path / "never")
    return b"hang " + bytes(tmp_path / "never")


def test_it_starts_with_the_first_question_and_answers_bytes(echo: HelperProcess) -> None:
    assert echo.child is None
    assert echo.ask(b"\x00one") == b"> \x00one"
    pid = int(echo.ask(b"pid"))
    assert pid not in (os.getpid(), 0)
    assert int(echo.ask(b"pid")) == pid
    assert psutil.Process(pid).nice() > psutil.Process().nice()


def test_a_refusal_says_why_and_the_process_lives(echo: HelperProcess) -> None:
    pid = echo.ask(b"pid")
    with pytest.raises(NotAnswered, match="there is no such thing; make one"):
        echo.ask(b"refuse")
    assert echo.ask(b"pid") == pid


def test_one_that_died_is_replaced(echo: HelperProcess) -> None:
    pid = int(echo.ask(b"pid"))
    with pytest.raises(NotAnswered, match="the echoing process ended"):
        echo.ask(b"die")
    other = int(echo.ask(b"pid"))
    assert echo.child is not None
    ended = echo.child.process
    os.kill(other, signal.SIGKILL)
    until(lambda: not ended.is_alive())  # a process reads as a zombie before the last of its threads has let it go
    assert int(echo.ask(b"pid")) not in (pid, other)


def test_what_takes_too_long_is_given_up(fifo: bytes) -> None:
    process = helper(seconds=1.0)
    try:
        pid = int(process.ask(b"pid"))
        with pytest.raises(TookTooLong, match="more than 1 seconds"):
            process.ask(fifo)
        assert not psutil.pid_exists(pid)
        assert process.ask(b"again") == b"> again"
    finally:
        process.close()


def test_a_crowd_is_turned_away_and_closing_tells_who_waits(echo: HelperProcess, fifo: bytes) -> None:
    errors: list[str] = []

    def asks() -> None:
        try:
            echo.ask(fifo)
        except NotAnswered as e:
            errors.append(str(e))

    echo.ask(b"warm")
    waiting = threading.Thread(target=asks)
    waiting.start()
    until(lambda: echo._lock.locked())
    assert echo.slots.acquire(blocking=False)
    with pytest.raises(NotAnswered, match="2 echoes are under way already; try again"):
        echo.ask(b"third")
    echo.slots.release()
    echo.close()
    waiting.join(DEADLINE)
    assert errors == ["the echoing process ended; the server's log says why, try again"]


def test_it_ends_after_a_while_without_questions() -> None:
    process = helper(idle_seconds=0.2)
    try:
        pid = int(process.ask(b"pid"))
        until(lambda: not psutil.pid_exists(pid))
        assert int(process.ask(b"pid")) != pid
    finally:
        process.close()


PROGRAM = """
import sys
from tests.serving.test_helper_process import helper
if __name__ == "__main__":
    process = helper()
    print(process.ask(b"pid").decode(), flush=True)
    process.ask(sys.argv[1].encode())
"""


def test_it_ends_with_the_server_even_in_mid_question(fifo: bytes) -> None:
    root = Path(__file__).parents[2]
    server = subprocess.Popen([sys.executable, "-c", PROGRAM, fifo.decode()], stdout=subprocess.PIPE, cwd=root)
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    assert psutil.pid_exists(pid)
    server.kill()
    server.wait()
    server.stdout.close()
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
