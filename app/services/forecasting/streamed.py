"""The streamed path: requests of many series, and explained ones, made piece by piece in other threads while they are
sent."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from app.config import Settings
from app.logs import get_logger
from app.services.forecasting.batched import parse_known_future, resolve
from app.services.forecasting.inputs.checks import check_explained
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.loader import ContextLoader
from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.outputs import explanations, writers
from app.services.forecasting.outputs.results import Result, to_document
from app.services.forecasting.pending import ForecastResponse, Makers, PendingRequest, Stream, deliver_all
from app.services.forecasting.preparation import PreparedBatch, prepare_pieces
from app.services.forecasting.response_cache import ResponseCache
from app.serving.batcher import Batcher, Quantiles
from app.serving.explainer import Explainer

log = get_logger(__name__)


class StreamedPath:
    """Makes large responses, whose pieces take turns with the small requests."""

    def __init__(
        self,
        batcher: Batcher[PendingRequest],
        loader: ContextLoader,
        responses: ResponseCache,
        explainer: Explainer,
        makers: Makers,
        settings: Settings,
    ) -> None:
        self._batcher = batcher
        self._loader = loader
        self._responses = responses
        self._explainer = explainer
        self._makers = makers
        self._settings = settings

    def respond(self, pending: PendingRequest) -> None:
        """Respond to a confirmed request. Raises what a forecast raises."""
        resolved, shape = resolve(pending, self._loader, self._settings)
        version = resolved.version
        if pending.request.explain:
            check_explained(len(pending.ids), shape, version.config, self._settings.max_explained_values)
        if self._responses.finish(pending, resolved, shape):
            deliver_all([pending])
            return
        pending.charge(shape.count_values(len(pending.ids)))
        is_late = pending.is_late()
        future = parse_known_future(pending, resolved, shape)
        prepared: list[PreparedBatch] = []
        inputs = prepare_pieces(pending.request, pending.ids, resolved, shape, future, prepared, is_late=is_late)
        quantiles = self._batcher.run(resolved.loaded, inputs)
        if pending.request.explain:
            self._explain(pending, resolved, shape, prepared, list(quantiles))
        else:
            parts = (prepared.pop(0).build_results(piece) for piece in quantiles)
            self._stream(pending, resolved, shape, parts, None if is_late else pending.etag)

    def _stream(
        self,
        pending: PendingRequest,
        resolved: ResolvedSeries,
        shape: ForecastShape,
        parts: Iterator[Sequence[Result]],
        etag: str | None,
    ) -> None:
        """Send parts as they are made. What fails before the first is the outcome; later it breaks the connection."""
        writer = writers.choose_writer(pending.form, resolved.version, shape)
        first = writer.begin() + writer.write(next(parts))
        stream = Stream(first, _write(writer, parts), self._makers, pending.owner)
        pending.mark("model", time.perf_counter())
        pending.finish(ForecastResponse(stream, resolved.version, etag))
        deliver_all([pending])

    def _explain(
        self,
        pending: PendingRequest,
        resolved: ResolvedSeries,
        shape: ForecastShape,
        prepared: Sequence[PreparedBatch],
        quantiles: Sequence[Quantiles | None],
    ) -> None:
        pending.mark("model", time.perf_counter())
        documents: dict[str, dict[str, Any]] = {}
        for batch, piece in zip(prepared, quantiles, strict=True):
            for result in batch.build_results(piece):
                documents[result.series_id] = to_document(result, shape)
        series = [context.series for batch in prepared for context in batch.contexts]
        explanations.explain(self._explainer, resolved, series, documents, shape)
        pending.mark("explain", time.perf_counter())
        content = writers.write_json(resolved.version, [documents[i] for i in pending.ids])
        pending.finish(ForecastResponse(content, resolved.version))
        deliver_all([pending])


def _write(writer: writers.Writer, parts: Iterator[Sequence[Result]]) -> Iterator[bytes]:
    for part in parts:
        yield writer.write(part)
    yield writer.end()
