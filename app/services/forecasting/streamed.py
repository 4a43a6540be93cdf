"""Requests of many series, and explained ones: made piece by piece in threads of their own, while they are sent."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from app.config import Settings
from app.logs import get_logger
from app.services.forecasting.batched import started
from app.services.forecasting.inputs.context_cache import Known
from app.services.forecasting.inputs.covariates import read_future
from app.services.forecasting.inputs.loader import Reader
from app.services.forecasting.inputs.request import Steps
from app.services.forecasting.outputs import explanations, writers
from app.services.forecasting.outputs.results import Result, document
from app.services.forecasting.pending import Answer, Ask, Gone, Stream, wake
from app.services.forecasting.preparation import Prepared, prepare
from app.services.forecasting.response_cache import Rendered
from app.serving.batcher import PIECE_ROWS, Batcher, Inputs, Quantiles
from app.serving.explainer import Explainer

log = get_logger(__name__)


class LargeAnswers:
    """Makes large answers, whose pieces take turns with the small requests."""

    def __init__(
        self, batcher: Batcher[Ask], reader: Reader, rendered: Rendered, explainer: Explainer, settings: Settings
    ) -> None:
        self._batcher, self._reader, self._rendered = batcher, reader, rendered
        self._explainer, self._settings = explainer, settings

    def make(self, ask: Ask) -> None:
        """Answer a confirmed request. Raises what a forecast raises."""
        known, steps = started(ask, self._reader, self._settings)
        if ask.request.explain:
            explanations.check(len(ask.ids), steps, known.loaded, self._settings.max_explained_values)
        if self._rendered.answer(ask, known, steps):
            wake([ask])
            return
        late = ask.is_late()
        future = read_future(ask.request.future, ask.ids, known.served.config, steps.horizon)
        prepared: list[Prepared] = []

        def inputs() -> Iterator[Inputs | None]:
            for at in range(0, len(ask.ids), PIECE_ROWS):
                ids = ask.ids[at : at + PIECE_ROWS]
                prepared.append(prepare(ask.request, ids, known, steps, future, late=late))
                yield prepared[-1].inputs

        told = self._batcher.run(known.loaded, inputs())
        if ask.request.explain:
            self._explain(ask, known, steps, prepared, list(told))
        else:
            etag = None if late else ask.etag
            self._stream(ask, known, steps, (prepared.pop(0).results(one) for one in told), etag)

    def _stream(
        self, ask: Ask, known: Known, steps: Steps, parts: Iterator[Sequence[Result]], etag: str | None
    ) -> None:
        """Send parts as they are made. What fails before the first is the answer; later it breaks the connection."""
        writer = writers.writer(ask.form, known.served, steps)
        first = writer.begin() + writer.part(next(parts))
        stream = Stream(ask.future.get_loop())
        ask.mark("model", time.perf_counter())
        ask.answer(Answer(stream, known.served, etag))
        wake([ask])
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

    def _explain(
        self, ask: Ask, known: Known, steps: Steps, prepared: Sequence[Prepared], told: Sequence[Quantiles | None]
    ) -> None:
        ask.mark("model", time.perf_counter())
        results = [one for piece, said in zip(prepared, told, strict=True) for one in piece.results(said)]
        documents: dict[str, dict[str, Any]] = {one.series_id: document(one, steps) for one in results}
        series = [one.series for piece in prepared for one in piece.ready]
        explanations.add(self._explainer, known.served.version, series, documents, known.loaded, steps)
        ask.mark("explain", time.perf_counter())
        ask.answer(Answer(writers.told(known.served, [documents[i] for i in ask.ids]), known.served))
        wake([ask])
