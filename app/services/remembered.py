"""What forecasts were last made from, for while the database is away."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import ErrorCode
from app.services.contexts import Contexts, refusal
from app.storage.scope import Scope
from app.storage.tables import ModelRow, VersionRow
from models.windows import Series

BYTES = 128_000_000
"""of contexts that are remembered, least recently used first out"""
AWAY_SECONDS = 1.0
"""after an outage nobody waits for the database for so long, where memory can answer"""


@dataclass(frozen=True)
class Known:
    """What a forecast starts from."""

    model: ModelRow
    version: VersionRow
    state: Contexts
    stale: bool = False


class Remembered:
    """Models, versions and contexts as they were read last. Keys begin with the project."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._models: dict[tuple[int, str, int | None], tuple[float, ModelRow, VersionRow]] = {}
        self._series: OrderedDict[tuple[int, int, str], tuple[float, int, Series]] = OrderedDict()
        self._bytes = 0
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        """Whether the database was found to be away just now."""
        return time.monotonic() < self._away_until

    def note_outage(self) -> None:
        """Note that the database is away."""
        self._away_until = time.monotonic() + AWAY_SECONDS

    def keep(self, scope: Scope, name: str, number: int | None, known: Known) -> None:
        """Remember what was read from the database."""
        now, project = time.monotonic(), scope.project_id
        with self._lock:
            self._models[project, name, number] = (now, known.model, known.version)
            for series_id, one in known.state.series.items():
                key = (project, known.version.pk, series_id)
                before = self._series.pop(key, None)
                size = one.y.nbytes + sum(column.nbytes for column in one.covariates.values())
                self._series[key] = (now, size, one)
                self._bytes += size - (before[1] if before else 0)
            while self._bytes > BYTES:
                _, (_, size, _) = self._series.popitem(last=False)
                self._bytes -= size

    def recall(self, scope: Scope, name: str, number: int | None, ids: Sequence[str]) -> Known | None:
        """Return what is remembered of a model and some series; None where that is too little to forecast from."""
        oldest, project = time.monotonic() - self._seconds, scope.project_id
        with self._lock:
            at, model, version = self._models.get((project, name, number), (-1.0, None, None))
            if at < oldest or model is None or version is None:
                return None
            held = {i: self._series.get((project, version.pk, i)) for i in ids}
        series = {i: one[2] for i, one in held.items() if one is not None and one[0] >= oldest}
        if ids and not series:
            return None
        detail = "the database is away, and this series was not forecast lately; try again in a few seconds"
        errors = {i: refusal(ErrorCode.database_unavailable, detail) for i in ids if i not in series}
        return Known(model, version, Contexts(series, errors), stale=True)
