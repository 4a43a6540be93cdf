"""The built-in model as a version of the frequency and horizon that a request is about."""

from dataclasses import dataclass

from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.inputs.served_version import ServedVersion, StoredVersion
from app.services.registry.builtin import (
    BUILTIN,
    LEAST_HORIZON,
    MOST_STEPS,
    NO_DATA,
    NUMBER,
    build_config,
    compute_digest,
)
from app.serving.pretrained import is_coarse
from app.storage.freshness import CommittedState, FreshnessKeys
from models.calendar.frequency import parse_frequency
from models.pretrained.forecaster import ALL_LEVELS

COST, COARSE_COST = 8, 20
"""times that a forecast takes as long as that of an ensemble by default; measured"""


@dataclass(eq=False)
class BuiltinVersion(ServedVersion):
    """The built-in model, which no row confirms: the package carries it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.identity += (self.stored.frequency, self.config.horizon)

    @property
    def replay_cost(self) -> int:
        """What replaying a window costs, in windows of a usual version: more where smoothing models have a share."""
        return COARSE_COST if is_coarse(self.config.frequency) else COST

    @property
    def is_builtin(self) -> bool:
        """Return True."""
        return True

    def add_keys(self, keys: FreshnessKeys) -> None:
        """Add nothing."""

    def is_committed(self, state: CommittedState) -> bool:
        """Return True."""
        return True


def build_builtin_version(frequency: str, horizon: int | None, name: str = BUILTIN) -> BuiltinVersion:
    """Return the built-in model for a frequency, and a horizon that a request names, which may be too long.

    `name` is that by which it was asked for.

    Where it names none it is a season, such as a day of hours.
    """
    wanted = horizon or max(LEAST_HORIZON, parse_frequency(frequency).season)
    wanted = min(wanted, MOST_STEPS)
    config = build_config(frequency, wanted)
    stored = StoredVersion(
        model_pk=0,
        model_name=name,
        model_created_at=0,
        frequency=frequency,
        trained=ForecastShape(wanted, ALL_LEVELS),
        pk=0,
        number=NUMBER,
        revision=0,
        revision_pk=None,
        created_at=0,
        digest=compute_digest(config),
        artifact="",
        floor="season_naive",
        data_span=NO_DATA,
    )
    return BuiltinVersion(stored, config, pin=None)
