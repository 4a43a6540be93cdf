"""The forecast service: forecasts of series from their newest committed observations, by the champion or a pinned
version.

A request of few series whose contexts are cached waits for the batcher's next turn, which confirms with one query
everything that such requests start from, and runs their windows together. Series that are not cached are loaded by
other threads first; a large request is made there too, piece by piece, and only its pieces take turns.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from app.config import Settings
from app.errors import ErrorCode, ServiceError, Unavailable
from app.formats.forms import Form
from app.services.access.keys import Caller
from app.services.access.rate_limits import RateLimiter
from app.services.forecasting.batched import BatchedPath
from app.services.forecasting.inputs.checks import check_request
from app.services.forecasting.inputs.context_cache import ContextCache, ResolvedSeries
from app.services.forecasting.inputs.loader import ContextLoader
from app.services.forecasting.inputs.replay_backlog import ReplayBacklog
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.pending import ForecastResponse, PendingRequest
from app.services.forecasting.questions.answers import AnswerPath
from app.services.forecasting.response_cache import ResponseCache
from app.services.forecasting.revalidation import Revalidator
from app.services.forecasting.streamed import StreamedPath
from app.services.registry.loader import VersionLoader
from app.serving.batcher import Batcher
from app.serving.explainer import Explainer
from app.serving.fairness import FairPool
from app.storage.engine import OUTAGE, Database
from app.storage.freshness import Freshness

LOADING_THREADS = 5
"""threads that load series that are not cached; a project has all but one at most"""
STREAMING_THREADS = 10
"""threads that make parts of large responses and answer questions"""
KEPT_STREAMING_THREADS = 2
"""of those, for other projects than the one that has all the others"""
MAX_BATCHED_ROWS = 64
"""series of a request that takes its turn whole"""
MAX_BATCHED_HISTORY = 5000
"""rows of histories that are read within a turn"""


class ForecastService:
    """What POST and GET /forecast mean."""

    def __init__(
        self,
        database: Database,
        versions: VersionLoader,
        explainer: Explainer,
        rates: RateLimiter,
        settings: Settings,
    ) -> None:
        self._settings = settings
        self._rates = rates
        self.contexts = ContextCache(versions, settings.context_cache_bytes, settings.stale_seconds)
        self._responses = ResponseCache(settings.rendered_cache_bytes)
        self._freshness = Freshness(database)
        self._revalidator = Revalidator(self.contexts, self._freshness, settings.stale_seconds)
        self._loader = ContextLoader(database, versions, self.contexts, settings)
        self._backlog = ReplayBacklog(self._loader)
        self._loading = FairPool(LOADING_THREADS, "reader")
        self._streaming = FairPool(STREAMING_THREADS, "maker", kept=KEPT_STREAMING_THREADS)
        self._arrivals: list[PendingRequest] = []
        self._waiting: Counter[int] = Counter()
        """requests that are under way, of each project"""
        self._loop: asyncio.AbstractEventLoop | None = None
        batched = BatchedPath(self._revalidator, self._loader, self._responses, self, settings)
        self._batcher = Batcher[PendingRequest](batched)
        self._streamed = StreamedPath(
            self._batcher, self._loader, self._responses, explainer, self._streaming, settings
        )
        self._answers = AnswerPath(self._batcher, self._loader, database, settings)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to serve on an event loop, and load the champions meanwhile."""
        self._loop = loop
        self._loader.warm()

    def close(self) -> None:
        """End all threads."""
        self._loading.close()
        self._streaming.close()
        self._batcher.close()
        self._backlog.close()
        self._loader.close()
        self._freshness.close()

    @property
    def waiting(self) -> int:
        """Requests that are under way."""
        return self._waiting.total()

    async def respond(
        self,
        caller: Caller,
        request: ForecastRequest,
        form: Form = Form.json,
        *,
        if_none_match: str | None = None,
        wants_etag: bool = False,
        deadline: float | None = None,
    ) -> ForecastResponse:
        """Forecast every series of the request; one that cannot be is an error beside the good results.

        `wants_etag`: the response has an ETag. `if_none_match` is the one that the client has: where it still holds,
        the response has no content. After `deadline` (of time.perf_counter) a request that has not run is refused, or
        answered by the baseline where it allows that.

        While the database is away, the response is made of what is cached, as `stale`. Raises NotFound for the model or
        version, Conflict `no_champion`, and Invalid for a horizon, quantiles, sizes, origin, covariates, histories or
        explanations that cannot be; TooManyRequests over the limits of the key; Unavailable `overloaded`, and where the
        deadline has passed or an explanation has to wait; OUTAGE where too little is cached.
        """
        project = caller.scope.project_id
        if self._waiting[project] >= self._settings.max_waiting_requests:
            waiting = self._waiting[project]
            detail = f"{waiting} forecasts are under way already; try again in a second, or run more processes"
            raise Unavailable(ErrorCode.overloaded, detail, headers={"Retry-After": "1"})
        if request.labels is None:
            check_request(request, request.ids, self._settings)
        assert self._loop is not None, "the service was started"
        future: asyncio.Future[ForecastResponse] = self._loop.create_future()
        pending = PendingRequest(caller, request, form, if_none_match, wants_etag, deadline, future, self._rates)
        if request.max_age is not None and not caller.scope.labels:
            pending.recent = self._responses.find_recent(pending)
        self._waiting[project] += 1
        try:
            self._begin(pending)
            return await future
        finally:
            self._waiting[project] -= 1

    def respond_from_thread(self, caller: Caller, request: ForecastRequest) -> ForecastResponse:
        """Do the same from another thread than the event loop's, in JSON."""
        assert self._loop is not None, "the service was started"
        return asyncio.run_coroutine_threadsafe(self.respond(caller, request), self._loop).result()

    def respond_to_each_from_thread(
        self, caller: Caller, requests: Sequence[ForecastRequest]
    ) -> list[ForecastResponse | ServiceError]:
        """Do the same for several requests, which are run together; a refusal of one is its response. Raises OUTAGE."""
        assert self._loop is not None, "the service was started"

        async def respond_to_each() -> list[ForecastResponse | BaseException]:
            return await asyncio.gather(*(self.respond(caller, r) for r in requests), return_exceptions=True)

        responses: list[ForecastResponse | ServiceError] = []
        for response in asyncio.run_coroutine_threadsafe(respond_to_each(), self._loop).result():
            if not isinstance(response, (ForecastResponse, ServiceError)):
                raise response
            responses.append(response)
        return responses

    def enqueue(self, pending: PendingRequest) -> None:
        """Let another thread load what a request starts from, and replay it."""
        self._loading.submit(pending.owner, self._load, pending)

    def _begin(self, pending: PendingRequest) -> None:
        if pending.recent is not None and pending.caller.scope.key is None:
            self._responses.finish_recent(pending)
            pending.deliver()
        elif pending.recent is not None or _is_batched(pending):
            if not self._arrivals:
                pending.future.get_loop().call_soon(self._submit_arrivals)
            self._arrivals.append(pending)
        else:
            self._loading.submit(pending.owner, self._confirm, pending)

    def _submit_arrivals(self) -> None:
        """Submit what has arrived since the event loop last looked: the batcher is woken once for all of it."""
        arrivals = self._arrivals
        self._arrivals = []
        self._batcher.submit(arrivals)

    # in the loading threads

    def _confirm(self, pending: PendingRequest) -> None:
        """Begin a request that does not take its turn whole."""
        try:
            pending.mark("queue", time.perf_counter())
            ready, to_load = self._revalidator.confirm([pending])
        except Exception as e:
            pending.fail(e)
            return
        if ready:
            self._continue(pending)
        elif to_load:
            self._load(pending)

    def _load(self, pending: PendingRequest) -> None:
        """Load what is not cached, and continue."""
        try:
            if pending.resolved is None:
                self._read(pending)
        except Exception as e:
            pending.fail(e)
        else:
            self._continue(pending)

    def _read(self, pending: PendingRequest) -> None:
        """Read what a request starts from; while the database is away, recall it. Raises what a forecast raises."""
        try:
            pending.resolved, pending.ids = self._loader.load(pending.caller.scope, pending.request)
            pending.caller.verified_at = time.monotonic()
        except OUTAGE as e:
            self._revalidator.note_outage(e)
            self._revalidator.recall_stale(pending)

    def _continue(self, pending: PendingRequest) -> None:
        """Replay the series of a request, and submit it to the batcher, or to a thread that makes large responses."""
        try:
            if pending.resolved is not None:
                self._complete(pending, pending.resolved)
        except Exception as e:
            pending.fail(e)
            return
        if pending.request.questions is not None:
            self._streaming.submit(pending.owner, self._make, self._answers, pending)
        elif pending.request.explain or pending.rows > MAX_BATCHED_ROWS:
            self._streaming.submit(pending.owner, self._make, self._streamed, pending)
        else:
            self._batcher.submit([pending])

    def _complete(self, pending: PendingRequest, resolved: ResolvedSeries) -> None:
        """Add the series that come with a request, and run the replays that are planned. Raises Invalid."""
        if not pending.has_histories:
            resolved = self._loader.add_histories(resolved, pending.request)
            pending.has_histories = True
        pending.mark("context", time.perf_counter())
        if resolved.replays:
            resolved = self._loader.replay(pending.caller.scope, resolved)
            pending.mark("replay", time.perf_counter())
        if resolved.awaiting:
            self._backlog.add(pending.caller.scope, pending.request, resolved.awaiting)
        pending.resolved = resolved

    # in the streaming threads

    def _make(self, path: StreamedPath | AnswerPath, pending: PendingRequest) -> None:
        try:
            path.respond(pending)
        except Exception as e:
            pending.fail(e)


def _is_batched(pending: PendingRequest) -> bool:
    """Whether a request takes its turn whole."""
    request = pending.request
    history_rows = sum(len(history.ds) for history in request.history.values()) if request.history else 0
    is_small = pending.rows <= MAX_BATCHED_ROWS and history_rows <= MAX_BATCHED_HISTORY
    is_plain = not request.explain and request.questions is None
    return request.is_cacheable and is_plain and is_small
