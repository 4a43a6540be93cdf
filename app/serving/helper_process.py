"""A helper process for work that the API process must not do: it needs heavy packages, or holds the interpreter long.

The process starts with the first question, answers one after another at low priority, and ends after a while without
questions, or with the server. Questions and answers are bytes: nothing is unpickled.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeAlias

START_SECONDS = 60.0
"""longest time that a process may take to become ready"""
IDLE_SECONDS = 300.0
"""time without questions after which the process ends"""
NICENESS = 10
ANSWERED = b"+"
"""first byte of an answer"""
REFUSED = b"-"
"""first byte of the reason why there is no answer"""

Answerer: TypeAlias = Callable[[bytes], bytes]
"""answers a question, or raises Refused"""


class NotAnswered(Exception):
    """The question could not be answered now; the message says why and what to do."""


class TookTooLong(NotAnswered):
    """The question took longer than is allowed, and may do so again."""


class Refused(Exception):
    """A question has no answer; raised in the helper process. NotAnswered carries the same message."""


@dataclass(frozen=True)
class HelperTask:
    """The task of a helper process."""

    name: str
    """name of the process"""
    products: str
    """plural of the things that it makes: `charts`"""
    prepare: Callable[..., Answerer]
    """module-level function that imports what is needed, in the process, and returns the answerer"""
    arguments: tuple[Any, ...] = ()
    """arguments of `prepare`"""


class HelperProcess:
    """Starts the process, sends it questions, and ends it."""

    def __init__(self, task: HelperTask, seconds: float, slots: int, idle_seconds: float = IDLE_SECONDS) -> None:
        """`seconds`: what a question may take, and may wait for others; `slots`: questions at a time, the one that is
        being answered included, since each holds a thread of the server."""
        self._task = task
        self._seconds = seconds
        self._count = slots
        self._idle_seconds = idle_seconds
        self.slots = threading.BoundedSemaphore(slots)
        self._lock = threading.Lock()
        self.child: Child | None = None
        self._idle: threading.Timer | None = None
        self._closing = False

    def ask(self, question: bytes) -> bytes:
        """Return the answer. Raises NotAnswered, TookTooLong."""
        many = self._task.products
        if not self.slots.acquire(blocking=False):
            raise NotAnswered(f"{self._count} {many} are under way already; try again in a few seconds")
        try:
            if not self._lock.acquire(timeout=self._seconds):
                raise NotAnswered(f"other {many} take long; try again in a few seconds")
            try:
                return self._ask_locked(question)
            finally:
                self._lock.release()
        finally:
            self.slots.release()

    def close(self) -> None:
        """Kill the process, even while it works on a question; one that was about to be asked is not answered."""
        self._closing = True
        child = self.child
        if child is not None:
            with contextlib.suppress(ValueError):  # another thread has just stopped it
                child.process.kill()  # a thread that waits for an answer fails at once, and releases the lock
        with self._lock:
            self._stop()
            self._closing = False

    def _ask_locked(self, question: bytes) -> bytes:
        if self._idle is not None:
            self._idle.cancel()
        try:
            answer = self._answer(question)
        except (EOFError, OSError) as e:
            self._stop()
            raise NotAnswered(f"the {self._task.name} process ended; the server's log says why, try again") from e
        self._idle = threading.Timer(self._idle_seconds, self._stop_if_idle)
        self._idle.daemon = True
        self._idle.start()
        if answer[:1] == REFUSED:
            raise NotAnswered(answer[1:].decode())
        return answer[1:]

    def _answer(self, question: bytes) -> bytes:
        """Ask the process. Raises TookTooLong, EOFError and OSError."""
        pipe = self._ensure_started()
        pipe.send_bytes(question)
        if not pipe.poll(self._seconds):
            self._stop()  # there is no other way to interrupt it
            raise TookTooLong(f"it took more than {self._seconds:g} seconds")
        return pipe.recv_bytes()

    def _ensure_started(self) -> Connection:
        """Return the pipe to a process that is ready. Raises EOFError and OSError."""
        if self.child is None or not self.child.process.is_alive():
            self._stop()
            if self._closing:
                raise OSError("it is being closed")
            self.child = Child.start(self._task)
            if not self.child.pipe.poll(START_SECONDS):
                raise OSError("it did not start")
            self.child.pipe.recv_bytes()
        return self.child.pipe

    def _stop_if_idle(self) -> None:
        """End the process, unless a question is under way."""
        if self._lock.acquire(blocking=False):
            try:
                self._stop()
            finally:
                self._lock.release()

    def _stop(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self.child is not None:
            self.child.stop()
        self.child = None


@dataclass(frozen=True)
class Child:
    """The helper process, and this end of the pipe to it."""

    process: SpawnProcess
    pipe: Connection

    @staticmethod
    def start(task: HelperTask) -> "Child":
        """Start a process, which sends one message when it is ready. Raises OSError."""
        context = multiprocessing.get_context("spawn")  # a fork would copy locks that the server's threads hold
        ours, theirs = context.Pipe()
        try:
            process = context.Process(
                target=serve, args=(theirs, task.prepare, task.arguments), daemon=True, name=task.name
            )
            process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Child(process, ours)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()


def serve(pipe: Connection, prepare: Callable[..., Answerer], arguments: tuple[Any, ...]) -> None:
    """Answer questions until the other end is closed. Runs in the helper process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which then closes the pipe
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    answer = prepare(*arguments)
    pipe.send_bytes(b"ready")
    while True:
        try:
            question = pipe.recv_bytes()
        except EOFError:
            return
        try:
            reply = ANSWERED + answer(question)
        except Refused as e:
            reply = REFUSED + str(e).encode()
        pipe.send_bytes(reply)


def _end_with_parent() -> None:
    """End this process when the server has died, even while it works on a question."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(0)
