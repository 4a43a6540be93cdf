"""A request for a forecast on its way, and its answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.errors import ErrorCode, ServiceError, Unavailable
from app.logs import get_logger
from app.services.access.keys import Caller
from app.services.forecasting.inputs.context_cache import Known, Served
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.outputs.writers import Form
from app.storage.engine import OUTAGE
from app.storage.freshness import Found

PARTS = 2
"""that wait to be sent"""
PATIENCE_SECONDS = 60.0
"""with a client that takes nothing"""

log = get_logger(__name__)

R = TypeVar("R")


class Gone(Exception):
    """The client has left."""


class Stream:
    """Parts of an answer. The thread that makes them waits for the client to take them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parts: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(PARTS)
        self._gone = False

    def put(self, part: bytes | Exception | None) -> None:
        """Add a part, from a thread; None is the end, an exception a broken one. Raises Gone."""
        if self._gone:
            raise Gone
        waiting = asyncio.run_coroutine_threadsafe(self._parts.put(part), self._loop)
        try:
            waiting.result(PATIENCE_SECONDS)
        except TimeoutError as e:
            waiting.cancel()
            raise Gone from e

    def leave(self) -> None:
        """Take nothing more; whoever waits to add a part is let go."""
        self._gone = True
        while not self._parts.empty():
            self._parts.get_nowait()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts. Raises what broke the answer."""
        try:
            while (part := await self._parts.get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.leave()


@dataclass(eq=False, slots=True)
class Answer:
    """What is sent: content, or where the client has it already, none."""

    content: bytes | Stream | None
    served: Served
    etag: str | None = None
    max_age: int = 0
    """seconds that the client may keep it, where it asked for that"""
    age: int = 0
    """seconds that it is old"""
    timing: dict[str, float] = field(default_factory=dict)
    """where its time went, in seconds"""


@dataclass(eq=False, slots=True)
class Ask:
    """A request on its way through the threads. One of them has it at a time."""

    caller: Caller
    request: ForecastRequest
    form: Form
    match: str | None
    """the ETag that the client has"""
    tagged: bool
    """whether the answer is to have one"""
    deadline: float | None
    future: "asyncio.Future[Answer]"
    known: Known | None = None
    """what it starts from, once that is known to be what is committed"""
    has_histories: bool = False
    """whether the series that it brings along are part of that"""
    recent: Answer | None = None
    """an answer that is young enough for it"""
    key: Hashable = None
    """what its answer is remembered by, where that may be given again"""
    etag: str | None = None
    _ids: tuple[str, ...] | None = None
    _marks: dict[str, float] = field(default_factory=dict)
    _marked: float = field(default_factory=time.perf_counter)
    _outcome: Answer | Exception | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """Every series, in the order of the answer."""
        return self.request.ids if self._ids is None else self._ids

    @ids.setter
    def ids(self, ids: tuple[str, ...]) -> None:
        self._ids = ids

    @property
    def rows(self) -> int:
        """The number of series."""
        return len(self.ids)

    @property
    def ended(self) -> bool:
        """Whether there is an answer or an error."""
        return self._outcome is not None

    def is_late(self) -> bool:
        """Whether the deadline has passed. Raises Unavailable where the floor may not answer then."""
        if self.deadline is None or time.perf_counter() <= self.deadline:
            return False
        if self.request.on_missing is None:
            detail = "the deadline had passed before the network could run; allow more, or say on_missing"
            raise Unavailable(ErrorCode.deadline_exceeded, detail, headers={"Retry-After": "1"})
        return True

    def mark(self, phase: str, now: float) -> None:
        """Count the time since the last mark for a phase."""
        self._marks[phase] = self._marks.get(phase, 0.0) + now - self._marked
        self._marked = now

    def is_allowed(self, found: Found) -> bool:
        """Whether the caller's key lives."""
        key = self.caller.scope.key
        if key is not None and key not in found.keys:
            self.caller.verified_at = float("-inf")
            return False
        self.caller.verified_at = time.monotonic()
        return True

    def answer(self, answer: Answer) -> None:
        """Note the answer."""
        answer.timing = self._marks
        self._outcome = answer

    def fail(self, error: Exception) -> None:
        """Note what went wrong."""
        self._outcome = error

    def settle(self) -> None:
        """Wake whoever waits for the answer. To be called on the event loop."""
        if self.future.done():  # the client has left
            if isinstance(self._outcome, Answer) and isinstance(self._outcome.content, Stream):
                self._outcome.content.leave()
        elif isinstance(self._outcome, Exception):
            self.future.set_exception(self._outcome)
        elif self._outcome is not None:
            self.future.set_result(self._outcome)


def wake(asks: Sequence[Ask]) -> None:
    """Wake whoever waits for answers that are there, from any thread."""
    if asks:
        loop = asks[0].future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, asks)


def _settle(asks: Sequence[Ask]) -> None:
    for ask in asks:
        ask.settle()


def guarded(ask: Ask, step: Callable[..., R], *given: Any) -> R | None:
    """Do a step of a request; what it raises is the request's answer."""
    try:
        return step(ask, *given)
    except Exception as e:
        if not isinstance(e, (ServiceError, *OUTAGE)):
            log.exception("forecast_failed")
        if not ask.ended:
            ask.fail(e)
            wake([ask])
        return None
