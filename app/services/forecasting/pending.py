"""A forecast request on its way through the threads, and its response."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.errors import ErrorCode, ServiceError, Unavailable
from app.formats.forms import Form
from app.logs import get_logger
from app.services.access.keys import Caller
from app.services.access.rate_limits import RateLimiter
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.inputs.served_version import ServedVersion
from app.storage.engine import OUTAGE
from app.storage.freshness import CommittedState

log = get_logger(__name__)


class Makers(Protocol):
    """Threads that make parts."""

    def submit(self, owner: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        """Let a thread call a function, which raises nothing, when it is the owner's turn."""


class Stream:
    """The parts of a streamed response. A thread makes the next one while one is sent, and then does other work: a
    client that takes nothing keeps none."""

    def __init__(self, first: bytes, others: Iterator[bytes], makers: Makers, owner: Hashable) -> None:
        self._first = first
        self._others = others
        self._makers = makers
        self._owner = owner

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """Yield the parts. Raises the exception that making one raised."""
        coming = self._begin()
        try:
            yield self._first
            while (part := await coming) is not None:
                coming = self._begin()
                yield part
        finally:
            coming.cancel()

    def _begin(self) -> "asyncio.Future[bytes | None]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes | None] = loop.create_future()
        self._makers.submit(self._owner, self._make, loop, future)
        return future

    def _make(self, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[bytes | None]") -> None:
        """Make the next part, in a thread; None behind the last."""
        part: bytes | Exception | None
        try:
            part = None if future.cancelled() else next(self._others, None)
        except Exception as e:
            log.exception("stream_failed")
            part = e
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, future, part)


def _settle(future: "asyncio.Future[bytes | None]", part: bytes | Exception | None) -> None:
    if future.done():  # the client has left
        return
    if isinstance(part, Exception):
        future.set_exception(part)
    else:
        future.set_result(part)


@dataclass(eq=False, slots=True)
class ForecastResponse:
    """The content of a response, or none where the client has it already, and what its headers need."""

    content: bytes | Stream | None
    version: ServedVersion
    etag: str | None = None
    max_age: int = 0
    """seconds that the client may keep it, where it asked for that"""
    age: int = 0
    """its age in seconds"""
    timing: dict[str, float] = field(default_factory=dict)
    """seconds that each phase took"""
    created_at: float = 0.0
    """seconds of the epoch, where it may be given again to clients that accept its age"""
    due_at: float = 0.0
    """seconds of the epoch at which the next observation of one of its series is due"""


@dataclass(eq=False, slots=True)
class PendingRequest:
    """A request on its way through the threads. One of them has it at a time."""

    caller: Caller
    request: ForecastRequest
    form: Form
    if_none_match: str | None
    """the ETag that the client has"""
    wants_etag: bool
    deadline: float | None
    """of time.perf_counter"""
    future: "asyncio.Future[ForecastResponse]"
    rates: RateLimiter
    """what the values of the forecasts count against"""
    resolved: ResolvedSeries | None = None
    """what it starts from, once that is known to be what is committed"""
    has_histories: bool = False
    """whether the series that come with the request are part of that"""
    recent: ForecastResponse | None = None
    """a response that is young enough for it"""
    cache_key: Hashable = None
    """the key of its response in the response cache, where it may be given again"""
    etag: str | None = None
    _is_charged: bool = False
    _ids: tuple[str, ...] | None = None
    _timing: dict[str, float] = field(default_factory=dict)
    _marked_at: float = field(default_factory=time.perf_counter)
    _outcome: ForecastResponse | Exception | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """Every series, in the order of the response."""
        return self.request.ids if self._ids is None else self._ids

    @ids.setter
    def ids(self, ids: tuple[str, ...]) -> None:
        self._ids = ids

    @property
    def rows(self) -> int:
        """The number of series."""
        return len(self.ids)

    @property
    def owner(self) -> int:
        """The project whose it is."""
        return self.caller.scope.project_id

    @property
    def is_finished(self) -> bool:
        """Whether it has a response or an error."""
        return self._outcome is not None

    def is_late(self) -> bool:
        """Whether the deadline has passed. Raises Unavailable where no baseline may answer then."""
        if self.deadline is None or time.perf_counter() <= self.deadline:
            return False
        if self.request.on_missing is None:
            detail = "the deadline had passed before the network could run; allow more, or say on_missing"
            raise Unavailable(ErrorCode.deadline_exceeded, detail, headers={"Retry-After": "1"})
        return True

    def charge(self, values: int) -> None:
        """Count so many values for the caller, once, before they are computed. Raises TooManyRequests, Invalid."""
        if self.rates.is_on and not self._is_charged:
            self._is_charged = True
            self.rates.charge(self.caller.scope, values)

    def mark(self, phase: str, now: float) -> None:
        """Count the time since the last mark for a phase."""
        self._timing[phase] = self._timing.get(phase, 0.0) + now - self._marked_at
        self._marked_at = now

    def is_allowed(self, state: CommittedState) -> bool:
        """Whether the caller's key is still good; note when that was."""
        key = self.caller.scope.key
        if key is not None and key not in state.keys:
            self.caller.verified_at = float("-inf")
            return False
        self.caller.verified_at = time.monotonic()
        return True

    def finish(self, response: ForecastResponse) -> None:
        """Set the response, to be delivered."""
        response.timing = self._timing
        self._outcome = response

    def fail(self, error: Exception) -> None:
        """Deliver an error, unless there is an outcome already; log one that is no answer to a client."""
        if not isinstance(error, (ServiceError, *OUTAGE)):
            log.exception("forecast_failed", exc_info=error)
        if not self.is_finished:
            self._outcome = error
            deliver_all([self])

    def deliver(self) -> None:
        """Wake the coroutine that waits for the outcome. To be called on the event loop."""
        outcome = self._outcome
        if self.future.done():  # the client has left
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        elif outcome is not None:
            self.future.set_result(outcome)


def deliver_all(finished: Sequence[PendingRequest]) -> None:
    """Deliver the outcomes of requests that have one, from any thread."""
    if finished:
        loop = finished[0].future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_deliver_each, finished)


def _deliver_each(finished: Sequence[PendingRequest]) -> None:
    for pending in finished:
        pending.deliver()
