"""Versions as forecasts know them: a model's row and a version's, and what of them a network reads."""

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.services.forecasting.inputs.request import EMPTY, ForecastShape
from app.services.registry.lookup import VersionPin
from app.storage.freshness import CommittedState, FreshnessKeys
from app.storage.revisions import VersionRevision
from app.storage.tables import ModelRow
from models.calendar.timestamps import parse_stamps
from models.config.model import Config
from models.evaluation.floors import choose_best


@dataclass(frozen=True)
class TrainingSpan:
    """What the training of a version has seen."""

    end: int
    """stamp of its newest value"""
    series: frozenset[str]
    """ids"""

    @classmethod
    def from_document(cls, data_span: Mapping[str, Any]) -> "TrainingSpan":
        """Read the span that a version's row holds."""
        return cls(int(parse_stamps([data_span["end"]], "UTC")[0]), frozenset(data_span["series"]))


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A model and one of its versions, as their rows were read."""

    model_pk: int
    model_name: str
    model_created_at: int
    frequency: str
    trained: ForecastShape
    """the whole horizon, and all levels"""
    pk: int
    number: int | None
    """None: no version is live, and the floor answers"""
    revision: int | None
    """of the version, None with its number"""
    revision_pk: int | None
    """where a revision that need not be the one that serves was looked up"""
    created_at: int
    """when the version was made"""
    digest: str
    artifact: str
    """folder of its files"""
    floor: str
    """the best floor on the gate, one of `models.evaluation.floors.FLOORS`"""
    data_span: Mapping[str, Any] = field(default_factory=lambda: EMPTY, compare=False, repr=False)
    """what its training has seen, as its row says"""

    @classmethod
    def from_rows(cls, model: ModelRow, version: VersionRevision) -> "StoredVersion":
        """Copy the fields that forecasts need."""
        return cls(
            model_pk=model.pk,
            model_name=model.name,
            model_created_at=model.created_at,
            frequency=model.freq,
            trained=ForecastShape(model.horizon, tuple(model.quantiles)),
            pk=version.pk,
            number=version.number,
            revision=version.revision,
            revision_pk=version.revision_pk,
            created_at=version.row.created_at,
            digest=version.digest,
            artifact=version.artifact,
            floor=choose_best(version.row.metrics),
            data_span=version.row.data_span,
        )

    @property
    def reference(self) -> str:
        """What names it: the model alone where no version is live."""
        if self.number is None:
            return self.model_name
        version = f"{self.model_name}@{self.number}"
        return f"{version}.{self.revision}" if self.revision else version

    def is_same_version(self, other: "StoredVersion") -> bool:
        """Whether both are one revision of a version, which cannot change; their models may have been made at other
        times."""
        return (self.pk, self.created_at, self.digest) == (other.pk, other.created_at, other.digest)


@dataclass(eq=False)
class ServedVersion:
    """The version that answers for a model's name."""

    stored: StoredVersion
    config: Config
    pin: VersionPin | None
    """what of it the request named, so that another champion does not matter"""
    context_key: Hashable = field(init=False)
    """what its network reads of a series: versions that read the same share contexts"""
    identity: tuple[Hashable, ...] = field(init=False)
    """differs from that of any other version under any name"""
    confirmed_at: float = field(init=False, default_factory=time.monotonic)
    """when it was last known to be what is committed"""

    def __post_init__(self) -> None:
        stored = self.stored
        self.context_key = _build_context_key(self.config, needs_first=self.needs_first)
        version = (stored.number, stored.revision, stored.pk, stored.created_at, stored.digest)
        self.identity = (stored.model_name, *version)
        if stored.number is None:
            self.identity += (stored.model_pk, stored.model_created_at, stored.frequency, self.config.bounds)
            self.identity += (self.config.cleaning,)

    @property
    def replay_cost(self) -> int:
        """What replaying a window costs, in windows of a usual version."""
        return 1

    @property
    def is_builtin(self) -> bool:
        """Whether it is that of the built-in model."""
        return False

    @cached_property
    def training_span(self) -> TrainingSpan:
        """What its training has seen. A floor has none."""
        return TrainingSpan.from_document(self.stored.data_span)

    @property
    def needs_first(self) -> bool:
        """Whether its floor needs a series' first value, which may lie before the context."""
        return self.stored.floor == "drift"

    @property
    def _pinned_revision(self) -> int | None:
        """The key of the revision that has to be kept; as it was trained, a version is kept in any case."""
        return self.stored.revision_pk if self.pin is not None and self.pin.revision else None

    def add_keys(self, keys: FreshnessKeys) -> None:
        """Add the keys of the rows that confirm it."""
        keys.models.add(self.stored.model_pk)
        if self.pin is not None:
            keys.versions.add(self.stored.pk)
        if self._pinned_revision is not None:
            keys.revisions.add(self._pinned_revision)

    def is_committed(self, state: CommittedState) -> bool:
        """Whether it still answers for its model's name."""
        stored = self.stored
        model = state.models.get(stored.model_pk)
        if model is None or model[0] != stored.model_created_at:
            return False
        if self.pin is None:
            return model[1:] == (stored.pk, stored.created_at, stored.revision)
        created_at, serving = state.versions.get(stored.pk, (None, None))
        if created_at != stored.created_at:
            return False
        if self.pin.revision is None:
            return serving == stored.revision
        return self._pinned_revision is None or self._pinned_revision in state.revisions


def _build_context_key(config: Config, *, needs_first: bool) -> Hashable:
    roles = config.covariates
    columns = (roles.known_future, roles.past, roles.static)
    window = (config.frequency, config.network.context_length, config.horizon, config.country)
    return *window, columns, config.cleaning, needs_first
