"""Answers to questions about whole futures, made in a thread of their own while the networks take turns.

The walk of one: the forecasts of all series at all trained levels, taken further where that is asked; what earlier
forecasts say of how their errors hang together; totals that they add up to; paths, and sums of those. Each scenario
walks the same way, with covariates of its own.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from app.config import Settings
from app.scope import Scope
from app.services.forecasting.batched import parse_known_future, resolve
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.loader import ContextLoader
from app.services.forecasting.inputs.questions import Questions
from app.services.forecasting.inputs.request import ForecastShape, Point
from app.services.forecasting.outputs.results import ForecastResult, RefusedResult
from app.services.forecasting.pending import ForecastResponse, PendingRequest, deliver_all
from app.services.forecasting.preparation import KnownFuture, PreparedBatch, prepare_batch
from app.services.forecasting.questions.aggregates import Aggregator
from app.services.forecasting.questions.documents import Answer, write_answers
from app.services.forecasting.questions.earlier import EarlierForecastLoader
from app.services.forecasting.questions.extension import Extender
from app.services.forecasting.questions.futures import SeriesFuture, draw_all
from app.services.forecasting.questions.groups import Reconciler, build_groups, describe_groups
from app.services.forecasting.questions.limits import check_questions, count_paths, parse_scenarios
from app.services.forecasting.questions.stored import StoredReader
from app.serving.batcher import PIECE_ROWS, Batcher, Inputs
from app.serving.moments import extend_moment
from app.storage.engine import OUTAGE, Database
from models.inference.earlier import EarlierForecasts
from models.inference.paths import ErrorTemplates


class AnswerPath:
    """Answers requests with questions."""

    def __init__(
        self, batcher: Batcher[PendingRequest], loader: ContextLoader, database: Database, settings: Settings
    ) -> None:
        self._batcher = batcher
        self._loader = loader
        self._reader = StoredReader(database)
        self._earlier = EarlierForecastLoader(self._reader, settings)
        self._extender = Extender(batcher, loader, settings.path_windows)
        self._reconciler = Reconciler(batcher, loader)
        self._settings = settings

    def respond(self, pending: PendingRequest) -> None:
        """Respond to a confirmed request. Raises what a forecast raises."""
        resolved, shape = resolve(pending, self._loader, self._settings)
        request = pending.request
        check_questions(request, pending.ids, pending.form, resolved, shape, self._settings)
        known = parse_known_future(pending, resolved, shape)
        scenarios = parse_scenarios(request, pending.ids, resolved, shape, known)
        if shape.horizon > resolved.version.config.horizon:
            resolved = self._reach(pending.caller.scope, resolved, shape.horizon)
        answers = [self._answer(pending, resolved, shape, known, None)]
        answers += [self._answer(pending, resolved, shape, future, name) for name, future in scenarios.items()]
        pending.mark("model", time.perf_counter())
        content = write_answers(pending.form, resolved.version, shape, pending.ids, answers)
        pending.mark("encode", time.perf_counter())
        pending.finish(ForecastResponse(content, resolved.version))
        deliver_all([pending])

    def _reach(self, scope: Scope, resolved: ResolvedSeries, horizon: int) -> ResolvedSeries:
        """Return the series with the times, and the stored known-future covariates, of a longer horizon."""
        with suppress(*OUTAGE):  # a covariate that is missing then is refused by its name
            resolved = self._reader.read_ahead(scope, resolved, horizon)
        contexts = {
            i: replace(one, moment=extend_moment(one.moment, one.series, horizon))
            for i, one in resolved.contexts.items()
        }
        return resolved._replace(contexts=contexts)

    def _answer(
        self,
        pending: PendingRequest,
        resolved: ResolvedSeries,
        shape: ForecastShape,
        future: KnownFuture,
        scenario: str | None,
    ) -> Answer:
        """Return the answer to all questions for one set of known-future covariates."""
        questions = pending.request.questions
        assert questions is not None, "the request has questions"
        config = resolved.version.config
        point: Point = "mean" if questions.reconcile is not None else pending.request.point
        futures, refused = self._forecast(pending, resolved, shape, future, point)
        earlier = self._load_earlier(
            pending, resolved, futures, is_needed=questions.needs_paths or questions.extrapolate
        )
        futures = [replace(one, templates=_find_templates(earlier, one)) for one in futures]
        futures = self._extend(resolved, futures, shape, questions, is_mean=point == "mean")
        answer = Answer(scenario, refused)
        if not questions.needs_paths or not futures:
            answer.add_forecasts(futures, config, shape, questions)
            return answer
        method = ""
        if questions.reconcile is not None:
            labels = self._reader.read_labels(pending.caller.scope, [one.series_id for one in futures])
            groups = build_groups([one.series_id for one in futures], labels, questions.reconcile.by)
            futures, method = self._reconciler.reconcile(resolved, futures, groups, earlier, questions.reconcile)
        paths = draw_all(futures, config, count_paths(questions, len(futures), shape), shape.horizon, questions.seed)
        answer.add_forecasts(futures, config, shape, questions, paths)
        if questions.aggregate is not None:
            frequency = resolved.version.stored.frequency
            levels = questions.aggregate.quantiles or shape.levels
            answer.aggregates = Aggregator(questions.aggregate, levels, point, frequency, shape).aggregate(
                futures, paths, [one.series_id for one in refused]
            )
        if questions.reconcile is not None:
            answer.groups = describe_groups(groups, futures, paths, shape.levels, method)
        return answer

    def _forecast(
        self,
        pending: PendingRequest,
        resolved: ResolvedSeries,
        shape: ForecastShape,
        future: KnownFuture,
        point: Point,
    ) -> tuple[list[SeriesFuture], list[RefusedResult]]:
        """Return the futures of the series that are forecast, at all trained levels, and why others are not."""
        request = pending.request._replace(point=point)
        full = ForecastShape(shape.horizon, resolved.version.config.quantiles)
        ids = list(dict.fromkeys(pending.ids))
        is_late = pending.is_late()
        prepared: list[PreparedBatch] = []

        def prepare_pieces() -> Iterator[Inputs | None]:
            for start in range(0, len(ids), PIECE_ROWS):
                some = ids[start : start + PIECE_ROWS]
                prepared.append(prepare_batch(request, some, resolved, full, future, is_late=is_late))
                yield prepared[-1].build_inputs()

        pieces = list(self._batcher.run(resolved.loaded, prepare_pieces()))
        futures: list[SeriesFuture] = []
        refused: list[RefusedResult] = []
        for batch, piece in zip(prepared, pieces, strict=True):
            completed = {one.series.id: one for one in batch.contexts}
            for result in batch.build_results(piece):
                if isinstance(result, ForecastResult):
                    context = completed.get(result.series_id, resolved.contexts[result.series_id])
                    futures.append(SeriesFuture(context, result))
                else:
                    refused.append(result)
        pending.mark("model", time.perf_counter())
        return futures, refused

    def _load_earlier(
        self, pending: PendingRequest, resolved: ResolvedSeries, futures: Sequence[SeriesFuture], *, is_needed: bool
    ) -> dict[str, EarlierForecasts]:
        """Return earlier forecasts of the series that the network has forecast, by id."""
        by_network = [one.context for one in futures if one.result.fallback_by is None]
        if not is_needed or not by_network:
            return {}
        earlier = self._earlier.load(pending.caller.scope, resolved, by_network)
        pending.mark("replay", time.perf_counter())
        return earlier

    def _extend(
        self,
        resolved: ResolvedSeries,
        futures: Sequence[SeriesFuture],
        shape: ForecastShape,
        questions: Questions,
        *,
        is_mean: bool,
    ) -> list[SeriesFuture]:
        """Take the network's forecasts to a longer horizon; floors have made theirs of it."""
        short = [one for one in futures if len(one.point) < shape.horizon]
        if not short:
            return list(futures)
        longer = self._extender.extend(resolved, short, shape.horizon, seed=questions.seed, is_mean=is_mean)
        extended = {one.series_id: one for one in longer}
        return [extended.get(one.series_id, one) for one in futures]


def _find_templates(earlier: dict[str, EarlierForecasts], future: SeriesFuture) -> ErrorTemplates | None:
    known = earlier.get(future.series_id)
    return None if known is None else known.templates
