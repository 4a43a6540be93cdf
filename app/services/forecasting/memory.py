"""What a process remembers of models and series, so that a forecast need not read them again.

Nothing of it is answered before the database has said that it is still what is committed; only while the database is
away is it answered as it is, and marked `stale`.
"""

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.errors import ErrorCode
from app.services.forecasting.contexts import Refusal, refusal
from app.services.forecasting.request import ForecastRequest
from app.services.versions import VersionLoader
from app.serving.lru import Lru
from app.serving.moments import Moment
from app.serving.runtime import LoadedVersion
from app.storage.freshness import Asked, Found
from app.storage.scope import Scope
from app.storage.tables import ModelRow, VersionRow
from models.config import Config
from models.windows import Series

AWAY_SECONDS = 1.0
"""after an outage nobody waits for the database for so long, where memory can answer"""
MOST_MODELS = 10_000
ENTRY_BYTES = 2000
"""of a series in memory, besides its values"""

Identity = tuple[int, int, int]
"""of a series as it is: primary key, made at, version"""


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
    checked: float = field(init=False, default_factory=time.monotonic)
    """when it was last found to be what is committed"""

    def __post_init__(self) -> None:
        self.reading = _reading(self.config)


@dataclass(eq=False)
class Context:
    """A series up to its origin, as a network reads it."""

    series: Series
    y: NDArray[np.float64]
    """(1, T)"""
    moment: Moment
    identity: Identity | None
    """None of a series that is not stored"""
    checked: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Known:
    """What a forecast starts from."""

    served: Served
    loaded: LoadedVersion
    contexts: dict[str, Context]
    errors: dict[str, Refusal]
    identities: dict[str, Identity]
    """of the series that are stored, those that cannot be forecast too"""
    stale: bool = False


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

    def recall(self, scope: Scope, request: ForecastRequest) -> Known | None:
        """Return what a request starts from where all of it is remembered, to be confirmed."""
        served, loaded = self._ready(scope, request)
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
        return served, None if served is None else self._versions.held(scope, served.version)


def _reading(config: Config) -> Hashable:
    roles = config.covariates
    columns = (roles.known_future, roles.past, roles.static)
    return config.frequency, config.network.context_length, config.horizon, config.country, columns


def ask_for(scope: Scope, known: Known | None, question: Asked) -> None:
    """Add to a question what has to be confirmed of the caller, and of what is known."""
    if scope.key is not None:
        question.keys.add(scope.key)
    if known is None:
        return
    if known.served.pinned:
        question.versions.add(known.served.version.pk)
    question.models.add(known.served.model.pk)
    question.series.update(identity[0] for identity in known.identities.values())


def confirmed(known: Known, found: Found) -> bool:
    """Whether all that is known is still what is committed; notes when that was."""
    now, served = time.monotonic(), known.served
    model, version = found.models.get(served.model.pk), (served.version.pk, served.version.created_at)
    if model is None or model[0] != served.model.created_at:
        return False
    if (version[0], found.versions.get(version[0])) != version if served.pinned else model[1:] != version:
        return False
    served.checked = now
    for series_id, (pk, made_at, number) in known.identities.items():
        if found.series.get(pk) != (made_at, number):
            return False
        known.contexts[series_id].checked = now
    return True
