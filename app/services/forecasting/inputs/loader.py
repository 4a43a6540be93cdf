"""Reading from the database what a forecast starts from, where the context cache does not hold it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from app.config import Settings
from app.scope import Scope
from app.services.access.keys import unknown_key
from app.services.forecasting.inputs.checks import check_request, resolve_shape
from app.services.forecasting.inputs.context_cache import ContextCache, ResolvedSeries, SeriesContext
from app.services.forecasting.inputs.contexts import (
    load_contexts,
    load_first_values,
    read_histories,
    select_contexts,
)
from app.services.forecasting.inputs.replayer import Replayer
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.inputs.versions import VersionResolver
from app.services.registry.loader import VersionLoader
from app.services.series.checks import build_grid
from app.serving.moments import MomentCache
from app.serving.runtime import LoadedVersion
from app.storage import keys, series
from app.storage.engine import Database
from app.storage.freshness import Identity
from app.storage.tables import SeriesRow
from models.config.model import Config
from models.data.outliers import hide_all
from models.data.series import Series, keep_last
from models.data.wall_clock import count_repeated, read_clocks
from models.data.windows import cut_calendars, cut_contexts
from models.inference.earlier import count_history_steps


class ContextLoader:
    """Reads models, versions and series in one snapshot, and caches them."""

    def __init__(self, database: Database, versions: VersionLoader, cache: ContextCache, settings: Settings) -> None:
        self._database = database
        self._cache = cache
        self._settings = settings
        self._moments = MomentCache()
        self._replayer = Replayer(settings)
        self._resolver = VersionResolver(database, versions, cache)

    def close(self) -> None:
        """Load nothing more, and wait for what is under way."""
        self._resolver.close()

    def warm(self) -> None:
        """Load the champions, in another thread: the first forecasts need not wait for them."""
        self._resolver.warm()

    def load(self, scope: Scope, request: ForecastRequest) -> tuple[ResolvedSeries, tuple[str, ...]]:
        """Return what a request starts from as it is committed now, and the series that it selects.

        Raises Unauthorized for a key that was revoked, NotFound, Conflict and Invalid for what cannot be forecast,
        Unavailable for a version that cannot be loaded, OUTAGE.
        """
        with self._database.read() as session:
            if scope.key is not None and not keys.is_living(session, scope.key):
                raise unknown_key()
            stored_ids = request.series
            if request.labels is not None:
                stored_ids = tuple(series.select_ids(session, scope, request.labels))
            ids = (*stored_ids, *request.history)
            version, loaded = self._resolver.resolve(session, scope, request, stored_ids)
            check_request(request, ids, self._settings)
            resolve_shape(request, len(ids), version.stored.trained, self._settings)
            return self._load_series(session, scope, request, version, loaded, stored_ids), ids

    def add_histories(self, resolved: ResolvedSeries, request: ForecastRequest) -> ResolvedSeries:
        """Add the series that come with a request. Raises Invalid."""
        if not request.history:
            return resolved
        version = resolved.version
        histories = request.history
        if version.stored.number is None:  # floors read no covariates
            histories = {i: replace(history, covariates={}, static={}) for i, history in histories.items()}
        config = version.config
        trained = version.stored.trained.horizon
        earlier = self._replayer.count_earlier_steps(version)
        if request.questions is not None:
            earlier = max(earlier, count_history_steps(config, trained))
        ahead = max(config.horizon, min(request.horizon or 0, request.find_longest(trained)))
        read, refusals = read_histories(histories, config, request.origin, earlier, ahead)
        series = [keep_context(one.series, config) for one in read.values()]
        contexts = {c.series.id: c for c in self.build_contexts(version, series, {})}
        for series_id, context in contexts.items():
            context.first = read[series_id].first
        whole = {i: one.series for i, one in read.items()}
        contexts_of_all = resolved.contexts | contexts
        added = resolved._replace(contexts=contexts_of_all, refusals=resolved.refusals | refusals, histories=whole)
        return self._replayer.plan_histories(added, contexts, whole)

    def replay(self, scope: Scope, resolved: ResolvedSeries) -> ResolvedSeries:
        """Run the replays that are planned."""
        return self._replayer.run(scope, resolved) if resolved.replays else resolved

    def _load_series(
        self,
        session: Session,
        scope: Scope,
        request: ForecastRequest,
        version: ServedVersion,
        loaded: LoadedVersion | None,
        ids: Sequence[str],
    ) -> ResolvedSeries:
        """Return the stored series, from the cache where their rows are what it holds."""
        selection = select_contexts(
            session, scope, ids, version.stored.frequency, version.config.cleaning, request.origin
        )
        identities = {i: _identify(row) for i, row in selection.rows.items()}
        contexts: dict[str, SeriesContext] = {}
        missing: list[SeriesRow] = []
        for row in selection.forecastable:
            cached = self._cache.get_context(scope, version, row.id) if request.origin is None else None
            if cached is not None and cached.identity == identities[row.id]:
                cached.confirmed_at = time.monotonic()
                contexts[row.id] = cached
            else:
                missing.append(row)
        if missing:
            read = load_contexts(session, scope, selection, missing, version.config)
            grids = {row.id: build_grid(row) for row in missing}
            first = load_first_values(session, missing, read) if version.needs_first else {}
            for context in self.build_contexts(version, read, identities):
                context.first = first.get(context.series.id)
                context.observed_on = grids[context.series.id]
                contexts[context.series.id] = context
                if request.origin is None:
                    self._cache.put_context(scope, version, context)
        resolved = ResolvedSeries(version, loaded, contexts, selection.refusals, identities)
        return self._replayer.plan_stored(session, scope, resolved, selection.rows)

    def build_contexts(
        self, version: ServedVersion, series: Sequence[Series], identities: Mapping[str, Identity]
    ) -> list[SeriesContext]:
        """Return series that end with their origins as the network of a version reads them."""
        config = version.config
        origins = np.array([len(context.y) - 1 for context in series], np.int64)
        visible, outlying = hide_all(series, origins, config)
        windows = read_clocks(visible, origins, config)
        y = cut_contexts(windows.series, windows.origins, config)  # (B, T)
        moments = self._moments.get_all(visible, config)
        contexts = [
            SeriesContext(context, y[row : row + 1].copy(), moment, identities.get(context.id))
            for row, (context, moment) in enumerate(zip(visible, moments, strict=True))
        ]
        for row in np.flatnonzero(outlying).tolist():
            contexts[row].outlier_at_origin = True
        for row, clock in windows.clocks.items():
            contexts[row].clock = clock
            calendar = cut_calendars([clock.series], windows.origins[row : row + 1], config)
            contexts[row].moment = replace(moments[row], calendar=calendar)
        return contexts


def keep_context(series: Series, config: Config) -> Series:
    """Return the steps of a history that a context is made of."""
    repeated = count_repeated(series.grid, series.start + len(series.y) - 1, config)
    return keep_last(series, config.network.context_length + repeated)


def _identify(row: SeriesRow) -> Identity:
    return row.pk, row.created_at, row.version
