"""What a process remembers of models and series, so that a forecast need not read them again.

Nothing of it is answered before the database has said that it is still what is committed; only while the database is
away is it answered as it is, and marked `stale`.
"""

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.errors import ErrorCode
from app.scope import Scope
from app.services.forecasting.inputs.request import ForecastRequest, Steps
from app.services.refusals import Refusal, refusal
from app.services.registry.loader import VersionLoader
from app.serving.lru import Lru
from app.serving.moments import Moment
from app.serving.runtime import LoadedVersion
from app.storage.freshness import Asked, Found, Identity
from app.storage.tables import ModelRow, VersionRow
from models.arrays import Floats
from models.config.model import Config
from models.data.series import Series

AWAY_SECONDS = 1.0
"""after an outage nobody waits for the database for so long, where memory can answer"""
MOST_MODELS = 10_000
ENTRY_BYTES = 2000
"""of a series in memory, besides its values"""


@dataclass(eq=False)
class Served:
    """A version that serves a model's name."""

    model: ModelRow
    version: VersionRow
    config: Config
    pinned: bool
    """by the request, so that another champion does not matter"""
    reading: Hashable = field(init=False)
    """what its network reads of a series: versions that read the same share contexts"""
    identity: tuple[Hashable, ...] = field(init=False)
    """what tells it from any other version under any name"""
    trained: Steps = field(init=False)
    """its whole horizon, and all of its quantiles"""
    checked: float = field(init=False, default_factory=time.monotonic)
    """when it was last found to be what is committed"""

    def __post_init__(self) -> None:
        model, version = self.model, self.version
        self.reading = _reading(self.config)
        self.identity = (model.name, version.number, version.pk, version.created_at, version.digest)
        self.trained = Steps(model.horizon, tuple(model.quantiles))
        self._model, self._made_at = model.pk, model.created_at  # a row's attributes cost more than plain ones
        self._version = (version.pk, version.created_at)

    def ask_for(self, question: Asked) -> None:
        """Add to a question what has to be confirmed."""
        question.models.add(self._model)
        if self.pinned:
            question.versions.add(self._version[0])

    def confirmed(self, found: Found) -> bool:
        """Whether it is still what is committed."""
        made_at, *champion = found.models.get(self._model, (None, None, None))
        if made_at != self._made_at:
            return False
        pk, version_made_at = self._version
        if self.pinned:
            return found.versions.get(pk) == version_made_at
        return champion == [pk, version_made_at]


@dataclass(eq=False)
class Context:
    """A series up to its origin, as a network reads it."""

    series: Series
    y: Floats
    """(1, T)"""
    moment: Moment
    identity: Identity | None
    """None of a series that is not stored"""
    checked: float = field(default_factory=time.monotonic)


class Known(NamedTuple):
    """What a forecast starts from."""

    served: Served
    loaded: LoadedVersion
    contexts: dict[str, Context]
    errors: dict[str, Refusal]
    identities: dict[str, Identity]
    """of the series that are stored, those that cannot be forecast too"""
    stale: bool = False


Ready = dict[Hashable, tuple[Served | None, LoadedVersion | None]]
"""a version and its network, by project and what was asked for"""


class Memory:
    """Models and contexts that were used lately. Keys begin with the project."""

    def __init__(self, versions: VersionLoader, max_bytes: int, stale_seconds: float) -> None:
        self._versions, self._stale_seconds = versions, stale_seconds
        self._lock = threading.Lock()
        self._models: dict[tuple[int, str, int | None], Served] = {}
        self._contexts: Lru[Context] = Lru(max_bytes)
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        """Whether the database was found to be away just now."""
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

    def served(self, scope: Scope, name: str, number: int | None) -> Served | None:
        """Return the version that last served a name."""
        return self._models.get((scope.project_id, name, number))

    def keep_served(self, scope: Scope, name: str, number: int | None, served: Served) -> None:
        """Remember what serves a name."""
        with self._lock:
            self._models.pop((scope.project_id, name, number), None)
            self._models[scope.project_id, name, number] = served
            if len(self._models) > MOST_MODELS:
                self._models.pop(next(iter(self._models)))

    def context(self, scope: Scope, served: Served, series_id: str) -> Context | None:
        """Return what is remembered of a stored series for what a version reads."""
        return self._contexts.get((scope.project_id, served.reading, series_id))

    def keep_context(self, scope: Scope, served: Served, context: Context) -> None:
        """Remember a stored series."""
        columns = sum(column.nbytes for column in context.series.covariates.values())
        size = ENTRY_BYTES + context.y.nbytes + context.series.y.nbytes + columns
        self._contexts.put((scope.project_id, served.reading, context.series.id), context, size)

    def recall(self, scope: Scope, request: ForecastRequest, ready: Ready) -> Known | None:
        """Return what a request starts from where all of it is remembered, to be confirmed. `ready` is shared by the
        requests of one turn, most of which are for one model."""
        asked = (scope.project_id, request.model, request.remembered)
        if asked not in ready:
            ready[asked] = self._ready(scope, request)
        served, loaded = ready[asked]
        if served is None or loaded is None:
            return None
        contexts, identities = {}, {}
        for series_id in request.series:
            held = self.context(scope, served, series_id)
            if held is None or held.identity is None:
                return None
            contexts[series_id], identities[series_id] = held, held.identity
        return Known(served, loaded, contexts, {}, identities)

    def stale(self, scope: Scope, request: ForecastRequest) -> Known | None:
        """Return what is remembered of a request while the database is away; None where that is too little."""
        oldest = time.monotonic() - self._stale_seconds
        served, loaded = self._ready(scope, request)
        if served is None or loaded is None or served.checked < oldest:
            return None
        held = {i: self.context(scope, served, i) for i in request.series}
        contexts = {i: one for i, one in held.items() if one is not None and one.checked >= oldest}
        if request.series and not contexts:
            return None
        detail = "the database is away, and this series was not forecast lately; try again in a few seconds"
        errors = {i: refusal(ErrorCode.database_unavailable, detail) for i in held if i not in contexts}
        return Known(served, loaded, contexts, errors, {}, stale=True)

    def _ready(self, scope: Scope, request: ForecastRequest) -> tuple[Served | None, LoadedVersion | None]:
        """Return the version that last served what a request asks for, and its network where that is in memory."""
        served = self.served(scope, *request.name) if request.remembered else None
        return served, None if served is None else self._versions.find_loaded(scope, served.version)


def _reading(config: Config) -> Hashable:
    roles = config.covariates
    columns = (roles.known_future, roles.past, roles.static)
    return config.frequency, config.network.context_length, config.horizon, config.country, columns


def ask_for(scope: Scope, known: Known | None, question: Asked) -> None:
    """Add to a question what has to be confirmed of the caller, and of what is known."""
    if scope.key is not None:
        question.keys.add(scope.key)
    if known is not None:
        known.served.ask_for(question)
        for pk, _, _ in known.identities.values():
            question.series.add(pk)


def confirmed(known: Known, found: Found) -> bool:
    """Whether all that is remembered is still what is committed; notes when that was."""
    if not known.served.confirmed(found) or not found.series.issuperset(known.identities.values()):
        return False
    now = time.monotonic()
    known.served.checked = now
    for context in known.contexts.values():
        context.checked = now
    return True
