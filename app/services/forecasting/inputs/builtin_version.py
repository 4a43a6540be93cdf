"""The built-in model as a version of the frequency and horizon that a request is about."""

from dataclasses import dataclass, replace
from functools import lru_cache

from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.inputs.served_version import ServedVersion, StoredVersion
from app.services.registry.builtin import BUILTIN, MOST_STEPS, NO_DATA, NUMBER
from app.storage.freshness import CommittedState, FreshnessKeys
from models.calendar.frequency import parse_frequency, season_lengths
from models.calendar.timestamps import DAY
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.config.network import NetworkConfig
from models.planning.defaults import default_config_for_lengths
from models.pretrained.contexts import LONGEST, SEGMENT
from models.pretrained.forecaster import ALL_LEVELS
from models.pretrained.published import read_made

LEAST_HORIZON = 8
"""steps of the least of the horizons that versions are made for, which double"""
SEASONS = 16
"""that a context holds of weeks and coarser steps, which need no thousand of them"""
WEEK = 7 * DAY
SHORTEST = 64
"""steps of a context"""


@dataclass(eq=False)
class BuiltinVersion(ServedVersion):
    """The built-in model, which no row confirms: the package carries it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.identity += (self.stored.frequency, self.config.horizon)

    @property
    def is_builtin(self) -> bool:
        """Return True."""
        return True

    def add_keys(self, keys: FreshnessKeys) -> None:
        """Add nothing."""

    def is_committed(self, state: CommittedState) -> bool:
        """Return True."""
        return True


def build_builtin_version(frequency: str, horizon: int | None) -> BuiltinVersion:
    """Return the built-in model for a frequency, and a horizon that a request names, which may be too long.

    Where it names none it is a season, such as a day of hours.
    """
    wanted = horizon or max(LEAST_HORIZON, parse_frequency(frequency).season)
    wanted = min(wanted, MOST_STEPS)
    config = build_config(frequency, wanted)
    stored = StoredVersion(
        model_pk=0,
        model_name=BUILTIN,
        model_created_at=0,
        frequency=frequency,
        trained=ForecastShape(wanted, ALL_LEVELS),
        pk=0,
        number=NUMBER,
        revision=0,
        revision_pk=None,
        created_at=0,
        digest=f"{read_made()['sha256']} {frequency} {config.horizon}",
        artifact="",
        floor="season_naive",
        data_span=NO_DATA,
    )
    return BuiltinVersion(stored, config, pin=None)


@lru_cache(maxsize=1000)
def build_config(frequency: str, horizon: int) -> Config:
    """Return what the network reads and forecasts for a horizon: the next power of two, so that few versions serve."""
    steps = LEAST_HORIZON
    while steps < horizon:
        steps *= 2
    parsed = parse_frequency(frequency)
    seasons = season_lengths(parsed)
    longest = LONGEST if parsed.approximate_us < WEEK else seasons[-1] if seasons else 1
    context = min(LONGEST, max(SHORTEST, -(-SEASONS * longest // SEGMENT) * SEGMENT))
    base = default_config_for_lengths(frequency, steps, ALL_LEVELS, [LONGEST])
    network = NetworkConfig(context_length=context, segment=SEGMENT, season_lengths=seasons)
    return replace(base, network=network, cleaning=CleaningConfig(), nonnegative=True)
