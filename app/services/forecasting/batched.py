"""The batched path: requests of few series, confirmed, run and written together, in the batcher's thread."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.config import Settings
from app.services.forecasting.inputs.checks import parse_future, resolve_shape
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.loader import ContextLoader
from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.outputs import writers
from app.services.forecasting.pending import ForecastResponse, PendingRequest, deliver_all
from app.services.forecasting.preparation import KnownFuture, PreparedBatch, prepare_batch
from app.services.forecasting.response_cache import ResponseCache
from app.services.forecasting.revalidation import Revalidator
from app.serving.batcher import Inputs, PendingWindows, Quantiles
from app.serving.runtime import LoadedVersion


class LoadQueue(Protocol):
    """Takes the requests whose series are not cached, or have to be replayed: `ForecastService`."""

    def enqueue(self, pending: PendingRequest) -> None:
        """Let another thread load what a request starts from, and replay it."""


class BatchedPath:
    """The turns of the batcher: prepares requests, and finishes them with their quantiles."""

    def __init__(
        self,
        revalidator: Revalidator,
        loader: ContextLoader,
        responses: ResponseCache,
        loads: LoadQueue,
        settings: Settings,
    ) -> None:
        self._revalidator = revalidator
        self._loader = loader
        self._responses = responses
        self._loads = loads
        self._settings = settings
        self._finished: list[PendingRequest] = []

    def prepare(self, requests: Sequence[PendingRequest]) -> Iterator[PendingWindows]:
        """Yield the windows of those requests of a turn that need a network."""
        now = time.perf_counter()
        for pending in requests:
            pending.mark("queue", now)
        try:
            ready, to_load = self._revalidator.confirm(requests)
        except Exception as e:  # a bug that no single request is to blame for
            for pending in requests:
                pending.fail(e)
            return
        for pending in to_load:
            self._loads.enqueue(pending)
        for pending in ready:
            try:
                windows = self._prepare_one(pending)
            except Exception as e:
                pending.fail(e)
                continue
            if windows is not None:
                yield windows

    def flush(self) -> None:
        """Deliver the responses that are finished."""
        finished = self._finished
        self._finished = []
        deliver_all(finished)

    def finish(self, pending: PendingRequest, prepared: PreparedBatch, quantiles: Quantiles | None) -> None:
        """Write a request's response."""
        pending.mark("model", time.perf_counter())
        version = prepared.resolved.version
        results = prepared.build_results(quantiles)
        content = writers.write_all(pending.form, version, prepared.shape, results)
        pending.mark("encode", time.perf_counter())
        response = ForecastResponse(content, version)
        pending.finish(response)
        if not prepared.is_late:
            self._responses.keep(pending, prepared.resolved, response)
        self._finished.append(pending)

    def _prepare_one(self, pending: PendingRequest) -> "BatchedRequest | None":
        """Return what the network has to run for a request; None where it has its response already."""
        if pending.recent is not None:
            self._responses.finish_recent(pending)
            self._finished.append(pending)
            return None
        resolved, shape = resolve(pending, self._loader, self._settings)
        if resolved.replays:
            self._loads.enqueue(pending)
            return None
        if self._responses.finish(pending, resolved, shape):
            self._finished.append(pending)
            return None
        pending.charge(shape.count_values(len(pending.ids)))
        request = pending.request
        future = parse_known_future(pending, resolved, shape)
        prepared = prepare_batch(request, pending.ids, resolved, shape, future, is_late=pending.is_late())
        inputs = prepared.build_inputs()
        pending.mark("context", time.perf_counter())
        if inputs is None:
            self.finish(pending, prepared, None)
            return None
        assert resolved.loaded is not None, "a floor has no inputs"
        return BatchedRequest(self, pending, prepared, resolved.loaded, inputs)


@dataclass(eq=False, slots=True)
class BatchedRequest:
    """The windows of a request, which the batcher runs and hands back."""

    path: BatchedPath
    pending: PendingRequest
    prepared: PreparedBatch
    version: LoadedVersion
    inputs: Inputs

    def finish(self, quantiles: Quantiles) -> None:
        """Write the response; an error in that is the request's outcome."""
        try:
            self.path.finish(self.pending, self.prepared, quantiles)
        except Exception as e:
            self.pending.fail(e)

    def fail(self, error: Exception) -> None:
        """Deliver the error that the network raised."""
        self.pending.fail(error)


def resolve(pending: PendingRequest, loader: ContextLoader, settings: Settings) -> tuple[ResolvedSeries, ForecastShape]:
    """Return what a confirmed request starts from, with the series that come with it, and the shape of its forecasts.
    Raises Invalid."""
    resolved = pending.resolved
    assert resolved is not None, "the request is confirmed"
    if not pending.has_histories:
        resolved = loader.add_histories(resolved, pending.request)
        pending.resolved = resolved
        pending.has_histories = True
    shape = resolve_shape(pending.request, len(pending.ids), resolved.version.stored.trained, settings)
    return resolved, shape


def parse_known_future(pending: PendingRequest, resolved: ResolvedSeries, shape: ForecastShape) -> KnownFuture:
    """Return the known-future covariates that come with a request; floors read none. Raises Invalid."""
    if resolved.loaded is None:
        return {}
    return parse_future(pending.request.future, pending.ids, resolved.version.config, shape.horizon)
