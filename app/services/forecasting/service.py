"""Forecasts of series from their newest committed observations, by the champion or a pinned version.

A request of few series that are in memory waits for the batcher's next turn, which confirms with one statement all that
such requests start from, and runs their windows together. What is not in memory is read by other threads first; a large
request is made there too, piece by piece, and only its pieces take turns.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from app.config import Settings
from app.errors import ErrorCode, Unavailable
from app.services.access.keys import Caller
from app.services.forecasting.batched import Turns
from app.services.forecasting.inputs import request as asked
from app.services.forecasting.inputs.context_cache import Memory
from app.services.forecasting.inputs.loader import Reader
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.outputs.writers import Form
from app.services.forecasting.pending import Answer, Ask, guarded
from app.services.forecasting.response_cache import Rendered
from app.services.forecasting.revalidation import Confirmer
from app.services.forecasting.streamed import LargeAnswers
from app.services.registry.loader import VersionLoader
from app.serving.explainer import Explainer
from app.storage.engine import OUTAGE, Database
from app.storage.freshness import Freshness

READERS = 4
"""threads that read what is not in memory"""
MAKERS = 8
"""threads that make large answers, and wait for clients to take them"""
SMALL_ROWS = 64
"""series of a request that takes its turn whole"""
SMALL_HISTORY = 5000
"""rows of sent histories that are read within a turn"""


class ForecastService:
    """What POST and GET /forecast mean."""

    def __init__(self, database: Database, versions: VersionLoader, explainer: Explainer, settings: Settings) -> None:
        self._settings = settings
        self.memory = Memory(versions, settings.context_cache_bytes, settings.stale_seconds)
        self._rendered, self._freshness = Rendered(settings.rendered_cache_bytes), Freshness(database)
        self._confirmer = Confirmer(self.memory, self._freshness, settings.stale_seconds)
        self._reader = Reader(database, versions, self.memory, settings)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._makers = ThreadPoolExecutor(MAKERS, thread_name_prefix="maker")
        self._arrived: list[Ask] = []
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batcher = Turns(self._confirmer, self._reader, self._rendered, settings, self._unknown).batcher
        self._large = LargeAnswers(self._batcher, self._reader, self._rendered, explainer, settings)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to serve on an event loop, and load the champions meanwhile."""
        self._loop = loop
        self._reader.warm()

    def close(self) -> None:
        """End all threads."""
        for threads in (self._readers, self._makers):
            threads.shutdown(cancel_futures=True)
        self._batcher.close()
        self._reader.close()
        self._freshness.close()

    @property
    def waiting(self) -> int:
        """Requests that are under way."""
        return self._waiting

    async def answer(
        self,
        caller: Caller,
        request: ForecastRequest,
        form: Form = Form.json,
        *,
        match: str | None = None,
        tagged: bool = False,
        deadline: float | None = None,
    ) -> Answer:
        """Forecast every series of the request; one that cannot be is an error beside the good results.

        `tagged`: the answer has an ETag. `match` is the one that the client has: where it still holds, the answer has
        no content. After `deadline` (of time.perf_counter) a request that has not run is refused, or answered by the
        floor where it allows that.

        While the database is away, what it said last is answered, as `stale`. Raises NotFound for the model or
        version, Conflict `no_champion`, and Invalid for a horizon, quantiles, sizes, origin, covariates, histories or
        explanations that cannot be; Unavailable `overloaded`, and where the deadline has passed or an explanation has
        to wait; OUTAGE where too little is known.
        """
        if self._waiting >= self._settings.max_waiting_requests:
            detail = f"{self._waiting} forecasts are under way already; try again in a second, or run more processes"
            raise Unavailable(ErrorCode.overloaded, detail, headers={"Retry-After": "1"})
        if request.labels is None:
            asked.check(request, request.ids, self._settings)
        assert self._loop is not None, "the service was started"
        ask = Ask(caller, request, form, match, tagged, deadline, self._loop.create_future())
        if request.max_age is not None:
            ask.recent = self._rendered.recent(ask)
        self._waiting += 1
        try:
            self._begin(ask)
            return await ask.future
        finally:
            self._waiting -= 1

    def forecast(self, caller: Caller, request: ForecastRequest) -> Answer:
        """Do the same from another thread than the event loop's, in JSON."""
        assert self._loop is not None, "the service was started"
        return asyncio.run_coroutine_threadsafe(self.answer(caller, request), self._loop).result()

    def _begin(self, ask: Ask) -> None:
        if ask.recent is not None and ask.caller.scope.key is None:
            self._rendered.answer_recent(ask)
            ask.settle()
        elif ask.recent is not None or self._takes_turns(ask):
            if not self._arrived:
                ask.future.get_loop().call_soon(self._submit)
            self._arrived.append(ask)
        else:
            self._readers.submit(guarded, ask, self._apart)

    def _submit(self) -> None:
        """Hand over what has arrived since the event loop last looked: the batcher is woken once for all of it."""
        arrived, self._arrived = self._arrived, []
        self._batcher.submit(arrived)

    def _takes_turns(self, ask: Ask) -> bool:
        request = ask.request
        sent = sum(len(one.ds) for one in request.history.values()) if request.history else 0
        return request.remembered and not request.explain and ask.rows <= SMALL_ROWS and sent <= SMALL_HISTORY

    def _unknown(self, ask: Ask) -> None:
        """Let a request be read that memory knows too little of."""
        self._readers.submit(guarded, ask, self._read)

    # in the readers' threads

    def _apart(self, ask: Ask) -> None:
        """Begin a request that does not take its turn whole."""
        ask.mark("queue", time.perf_counter())
        known, unknown = self._confirmer.confirm([ask])
        if known:
            self._go_on(ask)
        elif unknown:
            self._read(ask)

    def _read(self, ask: Ask) -> None:
        """Read what is not in memory, and go on."""
        try:
            ask.known, ask.ids = self._reader.read(ask.caller.scope, ask.request)
            ask.caller.verified_at = time.monotonic()
        except OUTAGE as e:
            self._confirmer.note_outage(e)
            self._confirmer.recall(ask)
        self._go_on(ask)

    def _go_on(self, ask: Ask) -> None:
        """Let a request of which all is known wait for a turn, or for a thread that makes large answers."""
        if ask.known is not None:
            ask.known, ask.has_histories = self._reader.sent(ask.known, ask.request), True
        ask.mark("context", time.perf_counter())
        if ask.request.explain or ask.rows > SMALL_ROWS:
            self._makers.submit(guarded, ask, self._large.make)
        else:
            self._batcher.submit([ask])
