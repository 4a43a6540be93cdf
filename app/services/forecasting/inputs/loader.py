"""Reading from the database what a forecast starts from, where the context cache does not hold it."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import ErrorCode, invalid
from app.logs import get_logger
from app.scope import Scope
from app.services.access.keys import unknown_key
from app.services.forecasting.inputs.builtin_version import build_builtin_version
from app.services.forecasting.inputs.checks import check_request, infer_history_frequency, resolve_shape
from app.services.forecasting.inputs.context_cache import ContextCache, ResolvedSeries, SeriesContext
from app.services.forecasting.inputs.contexts import (
    load_contexts,
    load_first_values,
    read_histories,
    select_contexts,
)
from app.services.forecasting.inputs.floor_version import build_floor_version
from app.services.forecasting.inputs.replayer import Replayer
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.inputs.served_version import ServedVersion, StoredVersion
from app.services.registry.builtin import parse_builtin_name
from app.services.registry.loader import VersionLoader
from app.services.registry.lookup import (
    is_builtin,
    no_champion,
    require_builtin_version,
    require_champion,
    require_model,
    require_revision,
    require_version,
)
from app.services.series.checks import build_grid
from app.services.series.ids import is_series_id
from app.serving.moments import MomentCache
from app.serving.pretrained import is_coarse
from app.serving.runtime import LoadedVersion
from app.storage import keys, registry, revisions, series
from app.storage.engine import Database
from app.storage.freshness import Identity
from app.storage.tables import ModelRow, SeriesRow
from models.config.model import Config
from models.data.outliers import hide_all
from models.data.series import Series, keep_last
from models.data.wall_clock import count_repeated, read_clocks
from models.data.windows import cut_calendars, cut_contexts
from models.inference.earlier import count_history_steps

log = get_logger(__name__)

GRACE_SECONDS = 2.0
"""seconds for which the previous version may answer while the new champion is being loaded"""
FORGET_SECONDS = 600.0
"""seconds after which a champion that could not be loaded is given that grace again"""
WARM_MODELS = 1000
"""models whose champions are loaded when a process starts, newest first"""


class ContextLoader:
    """Reads models, versions and series in one snapshot, and caches them."""

    def __init__(self, database: Database, versions: VersionLoader, cache: ContextCache, settings: Settings) -> None:
        self._database = database
        self._versions = versions
        self._cache = cache
        self._settings = settings
        self._moments = MomentCache()
        self._replayer = Replayer(settings)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._closing = False
        self._lock = threading.Lock()
        self._loading_since: dict[str, float] = {}
        """when the load of a version began, by the digest of its manifest"""

    def close(self) -> None:
        """Load nothing more, and wait for what is under way: it must not outlive the database's connections."""
        self._closing = True
        self._threads.shutdown(cancel_futures=True)

    def warm(self) -> None:
        """Load the champions, in another thread: the first forecasts need not wait for them."""
        self._threads.submit(self._load_champions)

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
            version, loaded = self._resolve(session, scope, request, stored_ids)
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
        earlier = self._replayer.count_earlier_steps(version)
        if request.questions is not None:
            earlier = max(earlier, count_history_steps(config, version.stored.trained.horizon))
        ahead = max(request.horizon or 0, config.horizon)
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

    def _resolve(
        self, session: Session, scope: Scope, request: ForecastRequest, stored_ids: Sequence[str]
    ) -> tuple[ServedVersion, LoadedVersion | None]:
        """Return the version that answers, or where none is live a floor, if the request takes one."""
        name, pinned = request.reference
        frequency = parse_builtin_name(name)
        if frequency is not None or is_builtin(session, scope, name):
            return self._resolve_builtin(session, scope, request, stored_ids, frequency)
        model = require_model(session, scope, name)
        if pinned is None and model.champion is None:
            if request.on_missing is None:
                raise no_champion(session, model, "send on_missing=floor for the best of season-naive, naive and drift")
            return build_floor_version(session, model), None
        if pinned is None:
            version = revisions.get_serving(require_champion(session, model))
        else:
            row = require_version(session, model, pinned.version)
            version = require_revision(session, model, row, pinned.revision)
        return self._find_version(session, scope, request, model, StoredVersion.from_rows(model, version))

    def _resolve_builtin(
        self,
        session: Session,
        scope: Scope,
        request: ForecastRequest,
        stored_ids: Sequence[str],
        frequency: str | None,
    ) -> tuple[ServedVersion, LoadedVersion]:
        """Return the built-in model for the frequency that its name has, or that of the first series: series of others
        are refused one by one."""
        require_builtin_version(request.reference[1])
        if frequency is None:
            stored = series.get_many(session, scope, [i for i in stored_ids if is_series_id(i)])
            first = next((stored[i] for i in stored_ids if i in stored), None)
            frequency = first.freq if first is not None else infer_history_frequency(request)
        if request.explain and is_coarse(frequency):
            detail = (
                "where a step is a week or longer the built-in model averages its network with smoothing models, which "
                "is not explained; train a model for that"
            )
            raise invalid("explain", ErrorCode.invalid_input, detail)
        version = build_builtin_version(frequency, request.horizon, request.reference[0])
        self._cache.put_version(scope, *request.version_key, version)
        return version, self._versions.get_builtin(scope, version.stored, version.config)

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

    def _find_version(
        self, session: Session, scope: Scope, request: ForecastRequest, model: ModelRow, stored: StoredVersion
    ) -> tuple[ServedVersion, LoadedVersion]:
        """Return the version that answers now: the stored one, or while that is being loaded the one before it."""
        name, pin = request.reference
        previous = self._cache.get_version(scope, name, pin)
        if previous is not None and _is_unchanged(previous.stored, stored):
            previous.confirmed_at = time.monotonic()
            return previous, self._versions.get(scope, stored)
        if previous is not None and (pin is None or pin.revision is None):
            loaded = self._versions.held(scope, previous.stored)
            if loaded is not None and self._is_in_grace(session, scope, model, stored, previous.stored):
                return previous, loaded
        loaded = self._versions.get(scope, stored)
        version = ServedVersion(stored, loaded.config, pin)
        self._cache.put_version(scope, name, pin, version)
        return version, loaded

    def _is_in_grace(
        self, session: Session, scope: Scope, model: ModelRow, champion: StoredVersion, previous: StoredVersion
    ) -> bool:
        """Whether the previous version may answer while the new champion is being loaded; begin to load that."""
        if self._versions.held(scope, champion) is not None:
            return False
        assert previous.number is not None, "floors are not cached"
        assert previous.revision is not None
        row = registry.get_version(session, model, previous.number)
        before = revisions.get_files(session, row, previous.revision) if row is not None else None
        if before is None or not previous.is_same_version(StoredVersion.from_rows(model, before)):
            return False
        now = time.monotonic()
        with self._lock:
            loading = {name: since for name, since in self._loading_since.items() if now - since < FORGET_SECONDS}
            self._loading_since = loading
            if champion.digest not in loading:
                loading[champion.digest] = now
                self._threads.submit(self._load_version, scope, champion)
            return now - loading[champion.digest] < GRACE_SECONDS

    def _load_version(self, scope: Scope, version: StoredVersion) -> None:
        try:
            self._versions.get(scope, version)
        except Exception as e:  # a request for it gets the error
            log.warning("version_not_warm", version=version.pk, detail=str(e))

    def _load_champions(self) -> None:
        started_at = time.monotonic()
        try:
            with self._database.read() as session:
                champions = [
                    (Scope(project_id, frozenset()), StoredVersion.from_rows(model, revisions.get_serving(row)))
                    for project_id, model, row in registry.list_champions(session, WARM_MODELS)
                ]
            for scope, champion in champions:
                if self._closing or self._versions.full:
                    break
                self._load_version(scope, champion)
                loaded = self._versions.held(scope, champion)
                if loaded is not None:
                    version = ServedVersion(champion, loaded.config, None)
                    self._cache.put_version(scope, champion.model_name, None, version)
        except Exception as e:  # a cold start is slower, no more
            log.warning("not_warm", detail=str(e))
            return
        seconds = round(time.monotonic() - started_at, 3)
        log.info("champions_loaded", versions=len(champions), seconds=seconds)


def keep_context(series: Series, config: Config) -> Series:
    """Return the steps of a history that a context is made of."""
    repeated = count_repeated(series.grid, series.start + len(series.y) - 1, config)
    return keep_last(series, config.network.context_length + repeated)


def _identify(row: SeriesRow) -> Identity:
    return row.pk, row.created_at, row.version


def _is_unchanged(previous: StoredVersion, stored: StoredVersion) -> bool:
    """Whether a cached version is the stored one, of a model that was not made again meanwhile."""
    return previous.is_same_version(stored) and previous.model_created_at == stored.model_created_at
