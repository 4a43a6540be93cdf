"""Requests of few series: confirmed, run and written together, in the batcher's thread."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from app.config import Settings
from app.services.forecasting.inputs import request
from app.services.forecasting.inputs.context_cache import Known
from app.services.forecasting.inputs.covariates import read_future
from app.services.forecasting.inputs.loader import Reader
from app.services.forecasting.inputs.request import Steps
from app.services.forecasting.outputs import writers
from app.services.forecasting.pending import Answer, Ask, guarded, wake
from app.services.forecasting.preparation import Prepared, prepare
from app.services.forecasting.response_cache import Rendered
from app.services.forecasting.revalidation import Confirmer
from app.serving.batcher import Batcher, Quantiles, Work


class Turns:
    """Makes work of requests, and answers of what the networks said."""

    def __init__(
        self,
        confirmer: Confirmer,
        reader: Reader,
        rendered: Rendered,
        settings: Settings,
        unknown: Callable[[Ask], None],
    ) -> None:
        """`unknown` takes the requests that have to be read first."""
        self._confirmer, self._reader, self._rendered, self._settings = confirmer, reader, rendered, settings
        self._unknown = unknown
        self._finished: list[Ask] = []
        self.batcher = Batcher[Ask](self._works, self._settle)

    def _works(self, asks: Sequence[Ask]) -> Iterator[Work]:
        """Yield the work of a turn's requests."""
        now = time.perf_counter()
        for ask in asks:
            ask.mark("queue", now)
        try:
            known, unknown = self._confirmer.confirm(asks)
        except Exception as e:  # a bug that no single request is to blame for
            for ask in asks:
                guarded(ask, _raise, e)
            return
        for ask in unknown:
            self._unknown(ask)
        for ask in known:
            work = guarded(ask, self._work)
            if work is not None:
                yield work

    def _work(self, ask: Ask) -> Work | None:
        """Return what the network has to run for a request; None where its answer is there already."""
        if ask.recent is not None:
            self._rendered.answer_recent(ask)
            self._finished.append(ask)
            return None
        known, steps = started(ask, self._reader, self._settings)
        if self._rendered.answer(ask, known, steps):
            self._finished.append(ask)
            return None
        future = read_future(ask.request.future, ask.ids, known.served.config, steps.horizon)
        prepared = prepare(ask.request, ask.ids, known, steps, future, late=ask.is_late())
        inputs = prepared.inputs
        ask.mark("context", time.perf_counter())
        if inputs is None:
            self._finish(ask, prepared, None)
            return None
        return Work(known.loaded, inputs, partial(guarded, ask, self._finish, prepared), partial(guarded, ask, _raise))

    def _finish(self, ask: Ask, prepared: Prepared, told: Quantiles | None) -> None:
        """Write a request's answer."""
        ask.mark("model", time.perf_counter())
        served = prepared.known.served
        content = writers.whole(ask.form, served, prepared.steps, prepared.results(told))
        ask.mark("encode", time.perf_counter())
        answer = Answer(content, served)
        ask.answer(answer)
        if not prepared.late:
            self._rendered.keep(ask, prepared.known, answer)
        self._finished.append(ask)

    def _settle(self) -> None:
        """Hand over what is finished."""
        finished, self._finished = self._finished, []
        wake(finished)


def started(ask: Ask, reader: Reader, settings: Settings) -> tuple[Known, Steps]:
    """Return what a confirmed request starts from, what it brings along included, and its steps. Raises Invalid."""
    assert ask.known is not None, "the request is confirmed"
    known = ask.known if ask.has_histories else reader.sent(ask.known, ask.request)
    return known, request.steps_of(ask.request, len(ask.ids), known.served.trained, settings)


def _raise(_ask: Ask, error: Exception) -> None:
    raise error
