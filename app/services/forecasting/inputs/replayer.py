"""Replays of the series that are forecast: from them the intervals are as wide as they should be now.

What to replay is planned within the session that reads the series, and run outside of it. A replay is kept, so that a
series that has grown costs the origins that are new. `models.inference.replay` says which origins those are.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from sqlalchemy.orm import Session

from app.config import Settings
from app.scope import Scope
from app.services.forecasting.inputs.context_cache import PlannedReplay, ResolvedSeries, SeriesContext
from app.services.forecasting.inputs.covariates import find_kind_conflict, find_static_conflict
from app.services.forecasting.inputs.served_version import ServedVersion, TrainingSpan
from app.services.series.aggregation import build_read_grid, load_steps
from app.serving.lru import LruCache
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.config.model import Config
from models.data.series import Series, observed_span
from models.errors import OffGridError
from models.inference.replay import (
    MOST_ORIGINS,
    Replay,
    ReplayPlan,
    find_bounds,
    find_first_step,
    find_spacing,
    find_widths,
    plan_origins,
    replay_all,
)
from models.inference.widths import IntervalWidths

NONE = np.empty(0, np.int64)
HISTORY_COST = 4
"""windows that take about as long as reading a history to be replayed"""


class KeptReplay(NamedTuple):
    """What a version last replayed of a series, and the widths that came of it."""

    replay: Replay
    widths: IntervalWidths | None

    def find_widths(self, context: SeriesContext, config: Config) -> IntervalWidths | None:
        """Return the same widths, within the bounds of another context."""
        if self.widths is None:
            return None
        low, high = _find_bounds(context, config)
        return replace(self.widths, low=low, high=high)

    def count_missing(self, origins: Ints) -> int:
        """Return how many of some origins (K,) it lacks."""
        return len(np.setdiff1d(origins, self.replay.origins))


class Replayer:
    """Plans the replays of requests, runs them, and keeps what comes of it."""

    def __init__(self, settings: Settings) -> None:
        self._most_windows = settings.replay_windows
        self._replays: LruCache[KeptReplay] = LruCache(settings.replay_cache_bytes)
        """keys begin with the project"""

    def count_earlier_steps(self, version: ServedVersion) -> int:
        """Return the steps before a context that its replay reads."""
        if not self._is_replayed(version):
            return 0
        return MOST_ORIGINS * find_spacing(version.config)

    def plan_stored(
        self, session: Session, scope: Scope, resolved: ResolvedSeries, rows: Mapping[str, SeriesRow]
    ) -> ResolvedSeries:
        """Plan the replays of those stored series that the version has not replayed; `rows` are theirs, by id."""
        version = resolved.version
        identity = version.identity
        contexts = [context for context in resolved.contexts.values() if identity not in context.widths]
        if not self._is_replayed(version):
            for context in contexts:
                context.widths[identity] = None
            return resolved
        chosen: dict[str, Ints] = {}
        kept: dict[str, Replay] = {}
        awaiting: dict[str, IntervalWidths | None] = {}
        left = self._most_windows // version.replay_cost
        for context in contexts:
            series_id = context.series.id
            row = rows[series_id]
            origins = plan_stored(context.series, row, version.training_span, version.config)
            if not len(origins):
                context.widths[identity] = None
                continue
            known = self._replays.get((scope.project_id, identity, row.pk))
            cost = HISTORY_COST + (len(origins) if known is None else known.count_missing(origins))
            if cost > left and chosen:
                awaiting[series_id] = None if known is None else known.find_widths(context, version.config)
                continue
            left -= cost
            chosen[series_id] = origins
            if known is not None:
                kept[series_id] = known.replay
        series = {i: resolved.contexts[i].series for i in chosen}
        loaded = load_histories(session, scope, series, chosen, rows, version.config) if chosen else {}
        plans = {i: build_plan(whole, chosen[i], kept.get(i)) for i, whole in loaded.items()}
        added = self._add(resolved, {i: resolved.contexts[i] for i in chosen}, plans, rows)
        return added._replace(awaiting={**resolved.awaiting, **awaiting})

    def plan_histories(
        self, resolved: ResolvedSeries, contexts: Mapping[str, SeriesContext], whole: Mapping[str, Series]
    ) -> ResolvedSeries:
        """Plan the replays of series that come with a request, `whole` as far as they are known."""
        version = resolved.version
        if not self._is_replayed(version):
            return resolved
        left = self._most_windows // version.replay_cost - sum(len(one.plan.origins) for one in resolved.replays)
        plans: dict[str, ReplayPlan] = {}
        awaiting: dict[str, IntervalWidths | None] = {}
        for series_id, series in whole.items():
            origins = plan_history(series, version.training_span, version.config)
            if len(origins) > left and plans:
                awaiting[series_id] = None
            elif len(origins):
                left -= len(origins)
                plans[series_id] = build_plan(series, origins, None)
        added = self._add(resolved, {i: c for i, c in contexts.items() if i not in awaiting}, plans, {})
        return added._replace(awaiting={**resolved.awaiting, **awaiting})

    def run(self, scope: Scope, resolved: ResolvedSeries) -> ResolvedSeries:
        """Run the replays that are planned, which gives their contexts' forecasts their widths."""
        version = resolved.version
        config = version.config
        planned = resolved.replays
        assert resolved.loaded is not None, "a floor has no replays"
        replays = replay_all([one.plan for one in planned], resolved.loaded.run, config)
        for one, replay in zip(planned, replays, strict=True):
            context = one.context
            end = context.series.start + len(context.series.y) - 1
            widths = find_widths(replay, end, config, _find_bounds(context, config))
            context.widths[version.identity] = widths
            if one.series_pk is not None:
                key = (scope.project_id, version.identity, one.series_pk)
                self._replays.put(key, KeptReplay(replay, widths), replay.size)
        return resolved._replace(replays=())

    def _is_replayed(self, version: ServedVersion) -> bool:
        """Whether a version's forecasts are replayed: a floor's are not."""
        return self._most_windows > 0 and version.stored.number is not None

    def _add(
        self,
        resolved: ResolvedSeries,
        contexts: Mapping[str, SeriesContext],
        plans: Mapping[str, ReplayPlan],
        rows: Mapping[str, SeriesRow],
    ) -> ResolvedSeries:
        """Add the replays of some contexts; those without a plan, or that the network cannot read, have none."""
        planned = list(resolved.replays)
        for series_id, context in contexts.items():
            plan = plans.get(series_id)
            if plan is None or _is_unreadable(plan.series, resolved.version.config):
                context.widths[resolved.version.identity] = None
            else:
                row = rows.get(series_id)
                planned.append(PlannedReplay(context, plan, None if row is None else row.pk))
        return resolved._replace(replays=tuple(planned))


def plan_stored(context: Series, row: SeriesRow, span: TrainingSpan, config: Config) -> Ints:
    """Return the origins (K,) to replay of a stored series up to its context's end."""
    assert row.first_ts is not None, "a series with a context has a value"
    grid = build_read_grid(row, config.frequency, config.cleaning)
    try:
        first = grid.locate_one(row.first_ts)
    except OffGridError:  # of a frequency whose dates pandas must list, and they are too many
        return NONE
    return _plan(context, first, span, config)


def plan_history(whole: Series, span: TrainingSpan, config: Config) -> Ints:
    """Return the origins (K,) to replay of a series that is known as far as this."""
    return _plan(whole, whole.start + observed_span(whole.y)[0], span, config)


def load_histories(
    session: Session,
    scope: Scope,
    contexts: Mapping[str, Series],
    origins: Mapping[str, Ints],
    rows: Mapping[str, SeriesRow],
    config: Config,
) -> dict[str, Series]:
    """Return what the replay of each series from its origins reads, by id."""
    spans: dict[int, tuple[int, int]] = {}
    for series_id, chosen in origins.items():
        context = contexts[series_id]
        spans[rows[series_id].pk] = (find_first_step(chosen, config), context.start + len(context.y) - 1)
    read = [rows[i] for i in origins]
    loaded = load_steps(
        session, scope, read, spans, config.frequency, config.covariates, config.cleaning, config.horizon
    )
    return {series.id: series for series in loaded}


def build_plan(whole: Series, origins: Ints, kept: Replay | None) -> ReplayPlan:
    """Return the replay of a series from some origins, of which those are left out that lie before its first step."""
    return ReplayPlan(whole, origins[origins >= whole.start], kept)


def _find_bounds(context: SeriesContext, config: Config) -> tuple[float, float]:
    """Return the least and the greatest value of a context's forecast."""
    return find_bounds(context.y[0], config, is_signed=config.is_signed(context.series.id))


def _plan(series: Series, first: int, span: TrainingSpan, config: Config) -> Ints:
    """Return the origins (K,) to replay of a series that ends with the origin of the next forecast."""
    try:
        trained = series.grid.locate_one(span.end)
    except OffGridError:
        return NONE
    end = series.start + len(series.y) - 1
    return plan_origins(first, end, trained, config, is_trained=series.id in span.series)


def _is_unreadable(series: Series, config: Config) -> bool:
    """Whether a series has covariates of another kind than the network reads."""
    roles = config.covariates
    return find_static_conflict(series, roles) is not None or find_kind_conflict(series, roles) is not None
