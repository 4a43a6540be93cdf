"""The context cache: versions and series that a process keeps in memory, so that a forecast need not read them again.

No cached value is answered before the database has said that it is still what is committed; only while the database is
away is it answered as it is, and marked `stale`.

It belongs to the process' memory, as the caches of app/serving do, but lives here because its entries are made of this
package's requests and refusals, which serving must not import.
"""

import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.errors import ErrorCode
from app.scope import Scope
from app.services.forecasting.inputs.request import EMPTY, ForecastRequest
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.refusals import Refusal, refusal
from app.services.registry.loader import VersionLoader
from app.services.registry.lookup import VersionPin
from app.serving.lru import LruCache
from app.serving.moments import Moment
from app.serving.runtime import LoadedVersion
from app.storage.freshness import CommittedState, FreshnessKeys, Identity
from models.arrays import Floats
from models.calendar.grid import Grid
from models.data.series import Series
from models.data.wall_clock import ClockWindow
from models.inference.replay import ReplayPlan
from models.inference.widths import IntervalWidths

AWAY_SECONDS = 1.0
"""seconds after an outage in which nobody waits for the database where the cache can answer"""
MAX_MODELS = 10_000
ENTRY_BYTES = 2000
"""bytes of a cached series besides its values"""


class FirstValue(NamedTuple):
    """The first value of a series."""

    steps: int
    """from it to the origin"""
    y: float


@dataclass(eq=False)
class SeriesContext:
    """A series up to its origin, as a network reads it."""

    series: Series
    """without outliers"""
    y: Floats
    """(1, T)"""
    moment: Moment
    identity: Identity | None
    """None of a series that is not stored"""
    first: FirstValue | None = None
    """None where the version needs none that lies before `series`"""
    observed_on: Grid | None = None
    """the grid that its values arrive on, a finer one where they are aggregated; None of a series that is not stored"""
    clock: ClockWindow | None = None
    """the way back from the wall clock on which the network reads it, where the clocks are changed"""
    outlier_at_origin: bool = False
    """whether a value near the origin lies far beyond all others"""
    confirmed_at: float = field(default_factory=time.monotonic)
    """when it was last known to be what is committed"""
    widths: dict[Hashable, IntervalWidths | None] = field(default_factory=dict)
    """what the levels of a version's forecast become, by its identity; None: what they are. A version is absent until
    its replay was run"""


class PlannedReplay(NamedTuple):
    """A replay that is to be run before a series is forecast."""

    context: SeriesContext
    plan: ReplayPlan
    series_pk: int | None
    """None of a series that is not stored"""


class ResolvedSeries(NamedTuple):
    """The version and the series that a forecast starts from."""

    version: ServedVersion
    loaded: LoadedVersion | None
    """None where no version is live"""
    contexts: dict[str, SeriesContext]
    refusals: dict[str, Refusal]
    """of the series that have no context"""
    identities: dict[str, Identity]
    """of the stored series, those that are refused too"""
    stale: bool = False
    """whether the database could not confirm it"""
    replays: tuple[PlannedReplay, ...] = ()
    """that are to be run before the series are forecast"""
    awaiting: Mapping[str, IntervalWidths | None] = EMPTY
    """the widths before its newest observations of each series whose replay is more than one request may run, by id"""
    histories: Mapping[str, Series] = EMPTY
    """the series that come with the request, as far back as earlier forecasts read them, by id"""

    def add_keys(self, keys: FreshnessKeys) -> None:
        """Add the keys of the rows that confirm it."""
        self.version.add_keys(keys)
        for pk, _, _ in self.identities.values():
            keys.series.add(pk)

    def confirm(self, state: CommittedState) -> bool:
        """Whether all of it is still what is committed; note when that was."""
        if not self.version.is_committed(state) or not state.series.issuperset(self.identities.values()):
            return False
        now = time.monotonic()
        self.version.confirmed_at = now
        for context in self.contexts.values():
            context.confirmed_at = now
        return True


class ContextCache:
    """Versions and contexts that were used lately. Keys begin with the project."""

    def __init__(self, versions: VersionLoader, max_bytes: int, stale_seconds: float) -> None:
        self._loader = versions
        self._stale_seconds = stale_seconds
        self._lock = threading.Lock()
        self._versions: dict[tuple[int, str, VersionPin | None], ServedVersion] = {}
        self._contexts: LruCache[SeriesContext] = LruCache(max_bytes)
        self._away_until = 0.0

    @property
    def is_database_away(self) -> bool:
        """Whether the database did not answer just now."""
        return time.monotonic() < self._away_until

    @property
    def bytes(self) -> int:
        """Bytes of contexts."""
        return self._contexts.bytes

    def __len__(self) -> int:
        return len(self._contexts)

    def note_outage(self) -> None:
        """Note that the database is away."""
        self._away_until = time.monotonic() + AWAY_SECONDS

    def get_version(self, scope: Scope, name: str, pin: VersionPin | None) -> ServedVersion | None:
        """Return the version that last answered for a name."""
        return self._versions.get((scope.project_id, name, pin))

    def put_version(self, scope: Scope, name: str, pin: VersionPin | None, version: ServedVersion) -> None:
        """Keep the version that answers for a name, unless that depends on which series the caller sees."""
        if scope.labels:
            return
        with self._lock:
            self._versions.pop((scope.project_id, name, pin), None)
            self._versions[scope.project_id, name, pin] = version
            if len(self._versions) > MAX_MODELS:
                self._versions.pop(next(iter(self._versions)))

    def get_context(self, scope: Scope, version: ServedVersion, series_id: str) -> SeriesContext | None:
        """Return a stored series as the version reads it, where it is cached."""
        return self._contexts.get((scope.project_id, version.context_key, series_id))

    def put_context(self, scope: Scope, version: ServedVersion, context: SeriesContext) -> None:
        """Keep a stored series."""
        covariate_bytes = sum(column.nbytes for column in context.series.covariates.values())
        size = ENTRY_BYTES + context.y.nbytes + context.series.y.nbytes + covariate_bytes
        self._contexts.put((scope.project_id, version.context_key, context.series.id), context, size)

    def recall(self, requests: Sequence[tuple[Scope, ForecastRequest]]) -> list[ResolvedSeries | None]:
        """Return what each request starts from where all of it is cached, to be confirmed; None where it is not."""
        versions: dict[Hashable, tuple[ServedVersion, LoadedVersion] | None] = {}  # most are for one model
        recalled: list[ResolvedSeries | None] = []
        for scope, request in requests:
            if scope.labels:  # which series it is about, only the database knows
                recalled.append(None)
                continue
            key = (scope.project_id, request.model, request.is_cacheable)
            if key not in versions:
                versions[key] = self._recall_version(scope, request)
            version = versions[key]
            recalled.append(None if version is None else self._recall_series(scope, request, *version))
        return recalled

    def recall_stale(self, scope: Scope, request: ForecastRequest) -> ResolvedSeries | None:
        """Return what is cached of a request while the database is away; None where that is too little."""
        oldest = time.monotonic() - self._stale_seconds
        recalled = self._recall_version(scope, request) if not scope.labels else None
        if recalled is None or recalled[0].confirmed_at < oldest:
            return None
        version, loaded = recalled
        cached = {i: self.get_context(scope, version, i) for i in request.series}
        contexts = {
            i: context for i, context in cached.items() if context is not None and context.confirmed_at >= oldest
        }
        if request.series and not contexts:
            return None
        detail = "the database is away, and this series was not forecast lately; try again in a few seconds"
        refusals = {i: refusal(ErrorCode.database_unavailable, detail) for i in cached if i not in contexts}
        return ResolvedSeries(version, loaded, contexts, refusals, {}, stale=True)

    def _recall_version(self, scope: Scope, request: ForecastRequest) -> tuple[ServedVersion, LoadedVersion] | None:
        """Return the version that last answered for a request's model, where its network is in memory."""
        version = self.get_version(scope, *request.version_key) if request.is_cacheable else None
        loaded = None if version is None else self._loader.held(scope, version.stored)
        return None if version is None or loaded is None else (version, loaded)

    def _recall_series(
        self, scope: Scope, request: ForecastRequest, version: ServedVersion, loaded: LoadedVersion
    ) -> ResolvedSeries | None:
        contexts: dict[str, SeriesContext] = {}
        identities: dict[str, Identity] = {}
        for series_id in request.series:
            context = self.get_context(scope, version, series_id)
            if context is None or context.identity is None or version.identity not in context.widths:
                return None
            contexts[series_id] = context
            identities[series_id] = context.identity
        return ResolvedSeries(version, loaded, contexts, {}, identities)
