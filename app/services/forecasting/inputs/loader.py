"""Reading from the database what a forecast starts from, where memory does not hold it."""

import threading
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sqlalchemy.orm import Session

from app.config import Settings
from app.logs import get_logger
from app.scope import Scope
from app.services.access.keys import unknown_key
from app.services.forecasting.inputs import contexts
from app.services.forecasting.inputs import request as asked
from app.services.forecasting.inputs.context_cache import Context, Known, Memory, Served
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.registry.loader import VersionLoader
from app.services.registry.lookup import resolved
from app.serving.moments import Moments
from app.serving.runtime import LoadedVersion
from app.storage import keys, registry, series
from app.storage.engine import Database
from app.storage.freshness import Identity
from app.storage.tables import ModelRow, SeriesRow, VersionRow
from models.data.series import Series
from models.data.windows import cut_contexts as values_of

log = get_logger(__name__)

GRACE_SECONDS = 2.0
"""for which the version before may serve on while the new champion is being loaded"""
FORGET_SECONDS = 600.0
"""after which a champion that could not be loaded is given such time again"""
WARM_MODELS = 1000
"""whose champions are loaded when a process starts, newest first"""


class Reader:
    """Reads models, versions and series in one snapshot, and remembers them."""

    def __init__(self, database: Database, versions: VersionLoader, memory: Memory, settings: Settings) -> None:
        self._database, self._versions, self._memory, self._settings = database, versions, memory, settings
        self._moments = Moments()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._closing = False
        self._lock = threading.Lock()
        self._coming: dict[int, float] = {}
        """versions that are being loaded, by primary key, since when"""

    def close(self) -> None:
        """Load nothing more, and wait for what is under way: it must not outlive the database's connections."""
        self._closing = True
        self._loader.shutdown(cancel_futures=True)

    def warm(self) -> None:
        """Load the champions, in a thread of its own: the first forecasts need not wait for them."""
        self._loader.submit(self._warm)

    def read(self, scope: Scope, request: ForecastRequest) -> tuple[Known, tuple[str, ...]]:
        """Return what a request starts from as it is committed now, and the series that it selects.

        Raises Unauthorized for a key that was revoked, NotFound, Conflict and Invalid for what cannot be forecast,
        Unavailable for a version that cannot be loaded, OUTAGE.
        """
        with self._database.read() as session:
            if scope.key is not None and not keys.is_living(session, scope.key):
                raise unknown_key()
            model, row = resolved(session, scope, *request.name)
            for one in (model, row):  # memory keeps them: where the session fails later, it must not empty them
                session.expunge(one)
            served, loaded = self._served(session, scope, request, model, row)
            ids = request.series
            if request.labels is not None:
                ids = tuple(series.select_ids(session, scope, request.labels))
            everything = (*ids, *request.history)
            asked.check(request, everything, self._settings)
            asked.steps_of(request, len(everything), served.trained, self._settings)
            known = self._known(session, scope, request, served, loaded, ids)
        return known, everything

    def sent(self, known: Known, request: ForecastRequest) -> Known:
        """Add the series that a request brings along. Raises Invalid."""
        if not request.history:
            return known
        found = contexts.sent(request.history, known.served.config, request.origin)
        made = self._contexts(known.served, list(found.series.values()), {})
        more = {one.series.id: one for one in made}
        return known._replace(contexts=known.contexts | more, errors=known.errors | found.errors)

    def _known(
        self,
        session: Session,
        scope: Scope,
        request: ForecastRequest,
        served: Served,
        loaded: LoadedVersion,
        ids: Sequence[str],
    ) -> Known:
        remembered: dict[str, Context] = {}

        def held(row: SeriesRow) -> Series | None:
            one = self._memory.context(scope, served, row.id) if request.origin is None else None
            if one is None or one.identity != _identity(row):
                return None
            one.checked = time.monotonic()
            remembered[row.id] = one
            return one.series

        config = served.config
        state = contexts.stored(session, scope, ids, served.model, config, request.origin, held)
        identities = {i: _identity(row) for i, row in state.rows.items()}
        fresh = [one for i, one in state.series.items() if i not in remembered]
        for context in self._contexts(served, fresh, identities):
            remembered[context.series.id] = context
            if request.origin is None:
                self._memory.keep_context(scope, served, context)
        return Known(served, loaded, remembered, state.errors, identities)

    def _contexts(self, served: Served, found: Sequence[Series], identities: dict[str, Identity]) -> list[Context]:
        config = served.config
        y = values_of(found, np.array([len(one.y) - 1 for one in found], np.int64), config)
        moments = self._moments.of(found, config)
        return [
            Context(one, y[row : row + 1].copy(), moment, identities.get(one.id))
            for row, (one, moment) in enumerate(zip(found, moments, strict=True))
        ]

    def _served(
        self, session: Session, scope: Scope, request: ForecastRequest, model: ModelRow, row: VersionRow
    ) -> tuple[Served, LoadedVersion]:
        """Return what serves now: the champion, or while that is being loaded the version before."""
        name, number = request.name
        before = self._memory.served(scope, name, number)
        if before is not None and _same(before.version, row) and before.model.created_at == model.created_at:
            before.checked = time.monotonic()
            return before, self._versions.get(scope, row)
        if number is None and before is not None:
            loaded = self._versions.held(scope, before.version)
            if loaded is not None and self._waits_for(scope, row, before, session):
                return before, loaded
        loaded = self._versions.get(scope, row)
        served = Served(model, row, loaded.config, pinned=number is not None)
        self._memory.keep_served(scope, name, number, served)
        return served, loaded

    def _waits_for(self, scope: Scope, row: VersionRow, before: Served, session: Session) -> bool:
        """Whether the version before may serve while the new champion is being loaded."""
        if self._versions.held(scope, row) is not None:
            return False
        there = registry.version(session, before.model, before.version.number)
        if there is None or not _same(there, before.version):
            return False
        now = time.monotonic()
        with self._lock:
            self._coming = {pk: since for pk, since in self._coming.items() if now - since < FORGET_SECONDS}
            if row.pk not in self._coming:
                self._coming[row.pk] = now
                self._loader.submit(self._load, scope, row)
            return now - self._coming[row.pk] < GRACE_SECONDS

    def _load(self, scope: Scope, row: VersionRow) -> None:
        try:
            self._versions.get(scope, row)
        except Exception as e:  # whoever asks for it is told
            log.warning("version_not_warm", version=row.pk, detail=str(e))

    def _warm(self) -> None:
        started = time.monotonic()
        try:
            with self._database.read() as session:
                found = registry.champions(session, WARM_MODELS)
            for project_id, model, row in found:
                if self._closing or self._versions.full:
                    break
                scope = Scope(project_id, frozenset())
                self._load(scope, row)
                loaded = self._versions.held(scope, row)
                if loaded is not None:
                    self._memory.keep_served(scope, model.name, None, Served(model, row, loaded.config, pinned=False))
        except Exception as e:  # a cold start is slower, no more
            log.warning("not_warm", detail=str(e))
            return
        log.info("champions_loaded", versions=len(found), seconds=round(time.monotonic() - started, 3))


def _identity(row: SeriesRow) -> Identity:
    return row.pk, row.created_at, row.version


def _same(one: VersionRow, other: VersionRow) -> bool:
    key: tuple[Hashable, ...] = (one.pk, one.created_at, one.digest)
    return key == (other.pk, other.created_at, other.digest)
