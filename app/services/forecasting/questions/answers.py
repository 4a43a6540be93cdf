"""Answers to questions about whole futures, made in a thread of their own while the networks take turns.

The walk of one: the forecasts of all series at all trained levels, taken further where that is asked; what earlier
forecasts say of how their errors hang together; totals that they add up to; paths, and sums of those. Each scenario
walks the same way, with covariates of its own.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from app.config import Settings
from app.scope import Scope
from app.services.forecasting.batched import parse_known_future, resolve
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.loader import ContextLoader
from app.services.forecasting.inputs.questions import Questions, Reconcile
from app.services.forecasting.inputs.request import ForecastShape, Point
from app.services.forecasting.outputs.results import ForecastResult, RefusedResult
from app.services.forecasting.pending import ForecastResponse, PendingRequest, deliver_all
from app.services.forecasting.preparation import NOT_FINITE, KnownFuture, PreparedBatch, prepare_pieces
from app.services.forecasting.questions.aggregates import Aggregator
from app.services.forecasting.questions.documents import Answer, write_answers
from app.services.forecasting.questions.earlier import EarlierForecastLoader
from app.services.forecasting.questions.extension import Extender
from app.services.forecasting.questions.futures import SeriesFuture, draw_all
from app.services.forecasting.questions.groups import Group, Reconciler, build_groups, describe_groups
from app.services.forecasting.questions.limits import check_groups, check_questions, count_paths, parse_scenarios
from app.services.forecasting.questions.stored import StoredReader
from app.serving.batcher import Batcher
from app.serving.moments import extend_moment
from app.storage.engine import OUTAGE, Database
from models.inference.earlier import EarlierForecasts


@dataclass(eq=False)
class Asked:
    """A request with questions, and what its scenarios share."""

    pending: PendingRequest
    questions: Questions
    resolved: ResolvedSeries
    shape: ForecastShape
    branches: int
    """of each series, beyond the trained horizon; 0: within it"""
    earlier: dict[str, EarlierForecasts] = field(default_factory=dict)
    """of series and groups, by id"""

    @property
    def point(self) -> Point:
        """What forecasts' points are: means where they are to add up."""
        return "mean" if self.questions.reconcile is not None else self.pending.request.point


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
        questions = pending.request.questions
        assert questions is not None, "other requests take other paths"
        pending.charge(
            check_questions(pending.request, questions, pending.ids, pending.form, resolved, shape, self._settings)
        )
        branches = self._count_branches(questions, len(set(pending.ids)), resolved, shape)
        known = parse_known_future(pending, resolved, shape)
        scenarios = parse_scenarios(questions, pending.ids, resolved, shape, known)
        if shape.horizon > resolved.version.config.horizon:
            resolved = self._reach(pending.caller.scope, resolved, shape.horizon)
        asked = Asked(pending, questions, resolved, shape, branches)
        answers = [self._answer(asked, known, None)]
        answers += [self._answer(asked, future, name) for name, future in scenarios.items()]
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

    def _count_branches(
        self, questions: Questions, series_count: int, resolved: ResolvedSeries, shape: ForecastShape
    ) -> int:
        """Return the branches of each series beyond the trained horizon, 0 within it and of a floor. Raises Invalid."""
        version = resolved.version
        if shape.horizon <= version.config.horizon or resolved.loaded is None:
            return 0
        return self._extender.count_branches(version, series_count, shape.horizon, len(questions.scenarios or {}))

    def _answer(self, asked: Asked, future: KnownFuture, scenario: str | None) -> Answer:
        """Return the answer to all questions for one set of known-future covariates."""
        questions, shape, resolved = asked.questions, asked.shape, asked.resolved
        config = resolved.version.config
        futures, refused = self._forecast(asked, future)
        if questions.needs_paths or asked.branches:
            self._load_earlier(asked, futures)
        known = {i: one.templates for i, one in asked.earlier.items()}
        futures = [one.learn(known.get(one.series_id)) for one in futures]
        if asked.branches:
            futures, lost = self._extend(asked, futures)
            refused = [*refused, *lost]
        answer = Answer(scenario, refused)
        if not questions.needs_paths or not futures:
            answer.add_forecasts(futures, config, shape, questions)
            return answer
        groups: list[Group] = []
        method = ""
        if questions.reconcile is not None:
            groups = self._build_groups(asked, futures, questions.reconcile)
            most = self._earlier.count_origins(resolved.version, len(futures) + len(groups))
            futures, method = self._reconciler.reconcile(
                resolved, futures, groups, asked.earlier, questions.reconcile, most
            )
        paths = draw_all(futures, config, count_paths(questions, len(futures), shape), shape.horizon, questions.seed)
        answer.add_forecasts(futures, config, shape, questions, paths)
        if questions.aggregate is not None:
            frequency = resolved.version.stored.frequency
            levels = questions.aggregate.quantiles or shape.levels
            aggregator = Aggregator(questions.aggregate, levels, asked.point, frequency, shape)
            answer.aggregates = aggregator.aggregate(futures, paths, [one.series_id for one in refused])
        if groups:
            answer.groups = describe_groups(groups, futures, paths, shape.levels, method)
        return answer

    def _build_groups(self, asked: Asked, futures: Sequence[SeriesFuture], reconcile: Reconcile) -> list[Group]:
        """Return the groups of a request's series by their labels: those that were sent have none, and while the
        database is away nobody's are known. Raises Invalid for too many."""
        ids = [one.series_id for one in futures]
        stored = [i for i in ids if i not in asked.resolved.histories]
        labels: dict[str, Mapping[str, str]] = {}
        if not asked.resolved.stale:
            with suppress(*OUTAGE):
                labels = self._reader.read_labels(asked.pending.caller.scope, stored)
        groups = build_groups(ids, labels, reconcile.by)
        check_groups(len(groups), asked.shape, asked.resolved.version, self._settings)
        return groups

    def _forecast(self, asked: Asked, future: KnownFuture) -> tuple[list[SeriesFuture], list[RefusedResult]]:
        """Return the futures of the series that are forecast, at all trained levels, and why others are not."""
        pending, resolved = asked.pending, asked.resolved
        request = pending.request._replace(point=asked.point)
        full = ForecastShape(asked.shape.horizon, resolved.version.config.quantiles)
        ids = list(dict.fromkeys(pending.ids))
        prepared: list[PreparedBatch] = []
        inputs = prepare_pieces(request, ids, resolved, full, future, prepared, is_late=pending.is_late())
        pieces = list(self._batcher.run(resolved.loaded, inputs))
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

    def _load_earlier(self, asked: Asked, futures: Sequence[SeriesFuture]) -> None:
        """Add earlier forecasts of the series that the network has forecast, but those that an earlier scenario has."""
        contexts = [one.context for one in futures if one.result.fallback_by is None]
        missing = [one for one in contexts if one.series.id not in asked.earlier]
        if missing:
            most = self._earlier.count_origins(asked.resolved.version, len(contexts))
            asked.earlier |= self._earlier.load(asked.pending.caller.scope, asked.resolved, missing, most)
        asked.pending.mark("replay", time.perf_counter())

    def _extend(self, asked: Asked, futures: Sequence[SeriesFuture]) -> tuple[list[SeriesFuture], list[RefusedResult]]:
        """Take the network's forecasts to a longer horizon; floors have made theirs of it. Return what cannot be."""
        horizon = asked.shape.horizon
        short = [one for one in futures if len(one.point) < horizon]
        longer = self._extender.extend(
            asked.resolved, short, horizon, asked.branches, seed=asked.questions.seed, is_mean=asked.point == "mean"
        )
        extended = {one.series_id: one for one in longer}
        lost = [RefusedResult(i, NOT_FINITE) for one in short if (i := one.series_id) not in extended]
        gone = {one.series_id for one in lost}
        return [extended.get(one.series_id, one) for one in futures if one.series_id not in gone], lost
