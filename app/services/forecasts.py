"""Forecasts of series from their newest committed observations, by the champion or a pinned version.

A request of few series that are in memory waits for the batcher's next turn, which confirms with one statement all that
such requests start from, and runs their windows together. What is not in memory is read by other threads first; a large
request is made there too, piece by piece, and only its pieces take turns.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.config import Settings
from app.errors import ErrorCode, ServiceError, Unavailable
from app.logs import get_logger
from app.services.forecasting import encoding, explanations
from app.services.forecasting import request as asked
from app.services.forecasting.answers import document
from app.services.forecasting.ask import Answer, Ask
from app.services.forecasting.covariates import read_future
from app.services.forecasting.encoding import Form
from app.services.forecasting.memory import Known, Memory, ask_for, confirmed
from app.services.forecasting.prepared import Prepared, prepare
from app.services.forecasting.reading import Reader
from app.services.forecasting.rendered import Rendered
from app.services.forecasting.request import ForecastRequest, Steps
from app.services.forecasting.stream import Gone, Stream
from app.services.keys import Caller, unknown_key
from app.services.versions import VersionLoader
from app.serving.batcher import PIECE_ROWS, Batcher, Inputs, Quantiles, Work
from app.serving.explainer import Explainer
from app.storage.engine import OUTAGE, Database
from app.storage.freshness import Asked, Found, Freshness

log = get_logger(__name__)

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
        self._settings, self._explainer = settings, explainer
        self.memory = Memory(versions, settings.context_cache_bytes, settings.stale_seconds)
        self._rendered = Rendered(settings.rendered_cache_bytes)
        self._freshness = Freshness(database)
        self._reader = Reader(database, versions, self.memory, settings)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._makers = ThreadPoolExecutor(MAKERS, thread_name_prefix="maker")
        self._arrived: list[Ask] = []
        self._finished: list[Ask] = []
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batcher = Batcher[Ask](self._works, self._settle)

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
        no content. After `deadline`
        (of time.perf_counter) a request that has not run is refused, or answered by the floor where it allows that.

        While the database is away, what it said last is answered, as `stale`. Raises NotFound for the model or
        version, Conflict `no_champion`, and Invalid for a horizon, quantiles, sizes, origin, covariates, histories or
        explanations that cannot be; Unavailable `overloaded`, and where the deadline has passed or an explanation has
        to wait; OUTAGE where too little is known.
        """
        if self._waiting >= self._settings.max_waiting_requests:
            detail = f"{self._waiting} forecasts are under way already; try again in a second, or run more processes"
            raise Unavailable(ErrorCode.overloaded, detail, headers={"Retry-After": "1"})
        assert request.name  # read once, here, where it may be refused
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
            self._readers.submit(self._guarded, ask, self._apart)

    def _submit(self) -> None:
        """Hand over what has arrived since the event loop last looked: the batcher is woken once for all of it."""
        arrived, self._arrived = self._arrived, []
        self._batcher.submit(arrived)

    def _takes_turns(self, ask: Ask) -> bool:
        request = ask.request
        sent = sum(len(one.ds) for one in request.history.values()) if request.history else 0
        return request.remembered and not request.explain and ask.rows <= SMALL_ROWS and sent <= SMALL_HISTORY

    # in the batcher's thread

    def _works(self, asks: Sequence[Ask]) -> Iterator[Work]:
        """Yield the work of a turn's requests."""
        now = time.perf_counter()
        for ask in asks:
            ask.mark("queue", now)
        try:
            known = self._confirmed(asks)
        except Exception as e:  # a bug that no single request is to blame for
            for ask in asks:
                self._guarded(ask, _raise, e)
            return
        for ask in known:
            work = self._guarded(ask, self._work)
            if work is not None:
                yield work

    def _confirmed(self, asks: Sequence[Ask]) -> list[Ask]:
        """Return the requests of which all is known, and let the others be read."""
        known = [ask for ask in asks if ask.known is not None]
        hot: list[tuple[Ask, Known | None]] = []
        question = Asked()
        for ask in asks:
            if ask.known is not None:
                continue
            held = None if ask.recent is not None else self.memory.recall(ask.caller.scope, ask.request)
            if held is None and ask.recent is None:
                self._readers.submit(self._guarded, ask, self._read)
                continue
            hot.append((ask, held))
            ask_for(ask.caller.scope, held, question)
        if hot:
            known += self._checked(hot, question)
        return known

    def _checked(self, hot: Sequence[tuple[Ask, Known | None]], question: Asked) -> list[Ask]:
        """Return the requests that the database confirms; the others are read anew."""
        found = self._found(question)
        now = time.perf_counter()
        checked = []
        for ask, held in hot:
            ask.mark("context", now)
            if found is None:
                self._guarded(ask, self._recall)
            elif not ask.is_allowed(found):
                ask.fail(unknown_key())
                self._finished.append(ask)
            elif held is None or confirmed(held, found):
                ask.known = held
            else:
                self._readers.submit(self._guarded, ask, self._read)
                continue
            if not ask.ended:
                checked.append(ask)
        return checked

    def _found(self, question: Asked) -> Found | None:
        """Return what is committed; None while the database is away."""
        if self.memory.away:
            return None
        try:
            return self._freshness.ask(question)
        except OUTAGE as e:
            log.warning("database_away", detail=str(e).splitlines()[0])
            self._note_outage(e)
            return None

    def _note_outage(self, error: Exception) -> None:
        if not isinstance(error, PoolTimeout):  # busy is not away
            self.memory.note_outage()

    def _recall(self, ask: Ask) -> None:
        """Start from what is remembered, while the database is away. Raises Unavailable."""
        readable = ask.caller.scope.key is None or ask.caller.reader(self._settings.stale_seconds) is not None
        ask.known = self.memory.stale(ask.caller.scope, ask.request) if readable else None
        ask.recent = ask.recent if readable else None
        if ask.known is None and ask.recent is None:
            detail = "the database does not answer; try again in a few seconds"
            raise Unavailable(ErrorCode.database_unavailable, detail, headers={"Retry-After": "2"})

    def _work(self, ask: Ask) -> Work | None:
        """Return what the network has to run for a request; None where its answer is there already."""
        if ask.recent is not None:
            self._rendered.answer_recent(ask)
            self._finished.append(ask)
            return None
        known, steps = self._start(ask)
        if self._rendered.answer(ask, known, steps):
            self._finished.append(ask)
            return None
        future = read_future(ask.request.future, ask.ids, known.served.config, steps.horizon)
        prepared = prepare(ask.request, ask.ids, known, steps, future, late=self._is_late(ask))
        inputs = prepared.inputs
        ask.mark("context", time.perf_counter())
        if inputs is None:
            self._finish(ask, prepared, None)
            return None
        done = partial(self._guarded, ask, self._finish, prepared)
        return Work(known.loaded, inputs, done, partial(self._guarded, ask, _raise))

    def _start(self, ask: Ask) -> tuple[Known, Steps]:
        assert ask.known is not None, "the request is confirmed"
        known = ask.known if ask.has_histories else self._reader.sent(ask.known, ask.request)
        return known, asked.steps_of(ask.request, len(ask.ids), known.served.model, self._settings)

    def _is_late(self, ask: Ask) -> bool:
        """Whether a request's deadline has passed. Raises Unavailable where the floor may not answer it."""
        if ask.deadline is None or time.perf_counter() <= ask.deadline:
            return False
        if ask.request.on_missing is None:
            detail = "the deadline had passed before the network could run; allow more, or say on_missing"
            raise Unavailable(ErrorCode.deadline_exceeded, detail, headers={"Retry-After": "1"})
        return True

    def _finish(self, ask: Ask, prepared: Prepared, values: Quantiles | None) -> None:
        """Write a request's answer."""
        ask.mark("model", time.perf_counter())
        results = prepared.results(values)
        content = encoding.whole(ask.form, prepared.known.served, prepared.steps, results)
        ask.mark("encode", time.perf_counter())
        answer = Answer(content, prepared.known.served)
        ask.answer(answer)
        if not prepared.late:
            self._rendered.keep(ask, prepared.known, answer)
        self._finished.append(ask)

    def _settle(self) -> None:
        """Hand over what is finished."""
        finished, self._finished = self._finished, []
        if finished and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, finished)

    # in the readers' threads

    def _read(self, ask: Ask) -> None:
        """Read what is not in memory, and go on."""
        try:
            ask.known, ask.ids = self._reader.read(ask.caller.scope, ask.request)
            ask.caller.checked = time.monotonic()
        except OUTAGE as e:
            self._note_outage(e)
            self._recall(ask)
        self._go_on(ask)

    def _go_on(self, ask: Ask) -> None:
        """Let a request of which all is known wait for a turn, or be made here."""
        if ask.known is not None:
            ask.known, ask.has_histories = self._reader.sent(ask.known, ask.request), True
        ask.mark("context", time.perf_counter())
        if ask.request.explain or ask.rows > SMALL_ROWS:
            self._makers.submit(self._guarded, ask, self._large)
        else:
            self._batcher.submit([ask])

    def _apart(self, ask: Ask) -> None:
        """Serve a large request, or one that memory knows nothing of."""
        ask.mark("queue", time.perf_counter())
        scope, request = ask.caller.scope, ask.request
        held = self.memory.recall(scope, request)
        if held is not None:
            question = Asked()
            ask_for(scope, held, question)
            found = self._found(question)
            if found is None:
                self._recall(ask)
            elif not ask.is_allowed(found):
                raise unknown_key()
            elif confirmed(held, found):
                ask.known = held
        if ask.known is None:
            self._read(ask)
        else:
            self._go_on(ask)

    def _large(self, ask: Ask) -> None:
        """Make a large answer piece by piece, while its beginning is being sent."""
        known, steps = self._start(ask)
        if ask.request.explain:
            explanations.check(len(ask.ids), steps, known.loaded, self._settings.max_explained_values)
        if self._rendered.answer(ask, known, steps):
            self._hand_over(ask)
            return
        late = self._is_late(ask)
        future = read_future(ask.request.future, ask.ids, known.served.config, steps.horizon)
        pieces = [ask.ids[at : at + PIECE_ROWS] for at in range(0, len(ask.ids), PIECE_ROWS)]
        prepared: list[Prepared] = []

        def inputs() -> Iterator[Inputs | None]:
            for ids in pieces:
                prepared.append(prepare(ask.request, ids, known, steps, future, late=late))
                yield prepared[-1].inputs

        values = self._batcher.run(known.loaded, inputs())
        if ask.request.explain:
            self._explain(ask, prepared, list(values))
        else:
            self._stream(ask, known, steps, (prepared.pop(0).results(one) for one in values), late=late)

    def _stream(self, ask: Ask, known: Known, steps: Steps, parts: Iterator[list[Any]], *, late: bool) -> None:
        writer = encoding.writer(ask.form, known.served, steps)
        assert self._loop is not None, "the service was started"
        first = writer.begin() + writer.part(next(parts))
        stream = Stream(self._loop)
        ask.mark("model", time.perf_counter())
        ask.answer(Answer(stream, known.served, None if late else ask.etag))
        self._hand_over(ask)
        try:
            stream.put(first)
            for part in parts:
                stream.put(writer.part(part))
            stream.put(writer.end())
            stream.put(None)
        except Gone:
            return
        except Exception as e:
            log.exception("stream_failed")
            stream.put(e)

    def _explain(self, ask: Ask, prepared: Sequence[Prepared], values: Sequence[Quantiles | None]) -> None:
        ask.mark("model", time.perf_counter())
        known, steps = prepared[0].known, prepared[0].steps
        results = [one for piece, found in zip(prepared, values, strict=True) for one in piece.results(found)]
        told = {one.series_id: document(one, steps) for one in results}
        series = [one.series for piece in prepared for one in piece.ready]
        explanations.add(self._explainer, known.served.version, series, told, known.loaded, steps)
        ask.mark("explain", time.perf_counter())
        ask.answer(Answer(encoding.told(known.served, [told[i] for i in ask.ids]), known.served))
        self._hand_over(ask)

    def _hand_over(self, ask: Ask) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, [ask])

    def _guarded(self, ask: Ask, step: Callable[..., Any], *given: Any) -> Any:
        """Do a step of a request; what it raises is the request's answer."""
        try:
            return step(ask, *given)
        except Exception as e:
            if not isinstance(e, (ServiceError, *OUTAGE)):
                log.exception("forecast_failed")
            if not ask.ended:
                ask.fail(e)
                self._hand_over(ask)
            return None


def _settle(finished: Sequence[Ask]) -> None:
    for ask in finished:
        ask.settle()


def _raise(_ask: Ask, error: Exception) -> None:
    raise error
