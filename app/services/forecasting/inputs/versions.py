"""Which version answers a request: the champion, a pinned one, a floor, or the built-in model.

A new champion is loaded while the one before it answers, for a moment; when a process starts, the champions are loaded
before anybody asks.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.orm import Session

from app.errors import ErrorCode, invalid
from app.logs import get_logger
from app.scope import Scope
from app.services.forecasting.inputs.builtin_version import build_builtin_version
from app.services.forecasting.inputs.checks import infer_history_frequency
from app.services.forecasting.inputs.context_cache import ContextCache
from app.services.forecasting.inputs.floor_version import build_floor_version
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
from app.services.series.ids import is_series_id
from app.serving.pretrained import is_coarse
from app.serving.runtime import LoadedVersion
from app.storage import registry, revisions, series
from app.storage.engine import Database
from app.storage.tables import ModelRow

log = get_logger(__name__)

GRACE_SECONDS = 2.0
"""seconds for which the previous version may answer while the new champion is being loaded"""
FORGET_SECONDS = 600.0
"""seconds after which a champion that could not be loaded is given that grace again"""
WARM_MODELS = 1000
"""models whose champions are loaded when a process starts, newest first"""


class VersionResolver:
    """Finds and loads the versions of requests, within the snapshot that reads their series."""

    def __init__(self, database: Database, versions: VersionLoader, cache: ContextCache) -> None:
        self._database = database
        self._versions = versions
        self._cache = cache
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

    def resolve(
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


def _is_unchanged(previous: StoredVersion, stored: StoredVersion) -> bool:
    """Whether a cached version is the stored one, of a model that was not made again meanwhile."""
    return previous.is_same_version(stored) and previous.model_created_at == stored.model_created_at
