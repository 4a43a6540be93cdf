"""The configuration of a model: frozen, checked, and a strict JSON round trip.

`models.planning.defaults.default_config` fills every field from the frequency and the amount of data.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from models.calendar.frequency import parse_frequency, share_dates
from models.calendar.holidays import is_country
from models.calendar.timestamps import DAY
from models.config.blocks import find_blocks
from models.config.cleaning import CleaningConfig, parse_cleaning_options
from models.config.covariates import CovariateConfig
from models.config.network import NetworkConfig
from models.config.training import TrainingConfig
from models.config.validation import parse_options, require
from models.errors import ConfigError, FrequencyError

MAX_HORIZON = 10_000
"""steps"""
LONGEST_RECURSION = 168
"""steps of a recursive decoder's horizon at most: each one is a part of the graph"""
LONGEST_REACH = 900 * 365 * DAY
"""microseconds of context and horizon, so that their stamps keep four-digit years"""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The specification of a model: targets, network and training."""

    frequency: str
    """canonical pandas offset alias"""
    horizon: int
    """H, predicted steps"""
    quantiles: tuple[float, ...]
    """trained levels, ascending; 0.5 is among them and is the point forecast"""
    network: NetworkConfig
    training: TrainingConfig
    covariates: CovariateConfig = field(default_factory=CovariateConfig)
    country: str | None = None
    """country of the public holidays in the calendar, such as `DE` or `US-NY`; none: no holidays"""
    bounds: tuple[float | None, float | None] = (None, None)
    """least and greatest value of a forecast; none: unbounded"""
    nonnegative: bool = False
    """no forecast below zero for a context without a negative value, unless its series is among `signed`"""
    signed: tuple[str, ...] = ()
    """ids of the series that had negative values in a panel of which others had none"""
    off_clock: tuple[str, ...] = ()
    """ids of the series whose seasons do not follow the wall clock, as changes of it in their histories have shown"""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """what is done to contexts before they are read, and how series become those of `frequency`"""
    whole: bool = False
    """the panel counts: quantiles of contexts of small whole numbers are whole numbers"""
    exact: bool = False
    """a context whose values are all equal is forecast as itself, unless training has seen such ones change"""
    mean: bool = False
    """the graph has the output `mean` beside the quantiles"""
    level_shifts: bool = False
    """values of a context from before its level has shifted are not read (models.data.level_shifts)"""

    def __post_init__(self) -> None:
        self._check_reach()
        self._check_quantiles()
        self._check_cleaning()
        require(self.country is None or is_country(self.country), "country", f"{self.country!r} has no known holidays")
        require(len(self.bounds) == 2, "bounds", "must be the least and the greatest value")
        require(self.nonnegative or not self.signed, "signed", "names exceptions, and needs nonnegative")
        low, high = self.bounds
        require(low is None or high is None or low < high, "bounds", "min must be below max")

    def _check_reach(self) -> None:
        try:
            frequency = parse_frequency(self.frequency)
        except FrequencyError as e:
            raise ConfigError("frequency", str(e)) from e
        require(1 <= self.horizon <= MAX_HORIZON, "horizon", f"must be between 1 and {MAX_HORIZON} steps")
        require(
            self.network.decoder != "recursive" or self.horizon <= LONGEST_RECURSION,
            "network.decoder",
            f"must be parallel or last_step for a horizon above {LONGEST_RECURSION}: each step of a recursion "
            "is a part of the graph",
        )
        require(
            not self.network.calibrated or find_blocks(self.frequency, self.horizon, self.network) is not None,
            "network.calibrated",
            "must be false unless steps are parts of a day, context_length holds a week, and the horizon is no longer",
        )
        reach = (self.network.context_length + self.horizon) * frequency.approximate_us
        require(reach <= LONGEST_REACH, "horizon", "context and horizon must span less than 900 years together")

    def _check_cleaning(self) -> None:
        aggregate = self.cleaning.aggregate
        if aggregate is not None:
            coarse = parse_frequency(aggregate.freq)
            matches = share_dates(coarse, parse_frequency(self.frequency))
            require(matches, "cleaning.aggregate.freq", f"must be the model's frequency, {self.frequency!r}")
        fits = self.cleaning.gaps != "season" or self.network.season > 1
        require(fits, "cleaning.gaps", f"must be leave or linear: {self.frequency!r} has no season to fill gaps by")

    def _check_quantiles(self) -> None:
        levels = self.quantiles
        require(1 <= len(levels) <= 99, "quantiles", "must be 1 to 99 levels")
        require(all(0 < q < 1 for q in levels), "quantiles", "must lie strictly between 0 and 1")
        require(list(levels) == sorted(set(levels)), "quantiles", "must be ascending and distinct")
        require(0.5 in levels, "quantiles", "must contain 0.5, the point forecast")

    @property
    def median(self) -> int:
        """The position of the point forecast, the level 0.5, among `quantiles`."""
        return median_position(self.quantiles)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the network forecasts from: names of `models.data.windows.Batch`."""
        optional = {"covariates": self.covariates.temporal, "static": self.covariates.static}
        return ("y", "calendar", *(name for name, columns in optional.items() if columns))

    @property
    def graph_inputs(self) -> tuple[str, ...]:
        """The inputs of the whole graph: those of the network, and where panels are mixed which series are signed."""
        return (*self.inputs, "signed") if self.signed else self.inputs

    @property
    def graph_outputs(self) -> tuple[str, ...]:
        """The outputs of the whole graph: the quantiles first."""
        return ("quantiles", "mean") if self.mean else ("quantiles",)

    @cached_property
    def _off_clock_ids(self) -> frozenset[str]:
        return frozenset(self.off_clock)

    def follows_clock(self, series_id: str) -> bool:
        """Whether the seasons of a series may follow the wall clock: nothing has shown that they do not."""
        return series_id not in self._off_clock_ids

    @cached_property
    def _signed_ids(self) -> frozenset[str]:
        return frozenset(self.signed)

    def is_signed(self, series_id: str) -> bool:
        """Whether a series may be forecast below zero whatever its context holds."""
        return not self.nonnegative or series_id in self._signed_ids

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` gives the same Config back."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Config":
        """Read what `to_dict` wrote. Raises ConfigError for a missing, unknown or ill-typed field."""
        require(isinstance(values, Mapping), "config", "must be an object of fields")
        fields = dict(values)
        for name in ("frequency", "horizon", "quantiles", "network", "training"):
            require(name in fields, name, "is missing")
        parts: dict[str, Any] = {}
        kinds = {"network": NetworkConfig, "training": TrainingConfig, "covariates": CovariateConfig}
        try:
            parts["cleaning"] = parse_cleaning_options(fields.pop("cleaning", None))
            for name, kind in kinds.items():
                parts[name] = parse_options(kind, fields.pop(name, {}), name)
        except TypeError as e:
            raise ConfigError("config", f"is incomplete ({e})") from e
        top = parse_options(_TopLevel, fields, "config")
        return Config(**{f.name: getattr(top, f.name) for f in dataclasses.fields(top)}, **parts)


def median_position(levels: Sequence[float]) -> int:
    """Return the position of 0.5, the point forecast, among levels (Q,). Raises ValueError without it."""
    return list(levels).index(0.5)


@dataclass(frozen=True)
class _TopLevel:
    """The plain fields of a Config."""

    frequency: str
    horizon: int
    quantiles: tuple[float, ...]
    country: str | None = None
    bounds: tuple[float | None, float | None] = (None, None)
    nonnegative: bool = False
    signed: tuple[str, ...] = ()
    off_clock: tuple[str, ...] = ()
    whole: bool = False
    exact: bool = False
    mean: bool = False
    level_shifts: bool = False


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value
