"""What a model is and how it is trained: frozen, checked, and a strict JSON round trip.

`models.planning.defaults.choose` fills every field from the frequency and the amount of data.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.calendar.grid import FrequencyError, parse_frequency
from models.calendar.holidays import is_country
from models.calendar.timestamps import DAY
from models.config.network import NetworkConfig
from models.config.validation import ConfigError, read, require

__all__ = ["Config", "ConfigError", "CovariateConfig", "NetworkConfig", "TrainingConfig"]

MAX_HORIZON = 10_000
LONGEST_RECURSION = 168
MAX_COVARIATES = 200
LONGEST_REACH = 900 * 365 * DAY
"""microseconds of context and horizon, so that their stamps keep four-digit years"""


@dataclass(frozen=True, kw_only=True)
class CovariateConfig:
    """What stands beside the target, by role. Names are unique over the roles."""

    known_future: tuple[str, ...] = ()
    """known for the whole horizon when the forecast is made"""
    past: tuple[str, ...] = ()
    """known up to the origin"""
    static: tuple[str, ...] = ()
    """one value a series"""
    levels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """the vocabulary of each categorical one, frozen; names that are not here are numeric"""

    def __post_init__(self) -> None:
        names = [*self.known_future, *self.past, *self.static]
        require(len(names) <= MAX_COVARIATES, "covariates", f"must be {MAX_COVARIATES} at most, not {len(names)}")
        twice = next((n for n in names if names.count(n) > 1), None)
        require(twice is None, "covariates", f"{twice!r} is named twice; a covariate has one role")
        require(set(self.levels) <= set(names), "covariates.levels", "must belong to named covariates")

    @property
    def temporal(self) -> tuple[str, ...]:
        """Those with a value a step, known-future ones first: the columns (C,) of every encoded array."""
        return self.known_future + self.past


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The optimisation of a network."""

    epochs: int
    """passes of `steps_per_epoch` steps at most; the selection span decides how many are kept"""
    steps_per_epoch: int
    """optimiser steps between two looks at the selection span"""
    batch_size: int = 64
    """windows in a step"""
    learning_rate: float = 3e-3
    """peak of the one-cycle schedule"""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """AdamW decouples the weight decay, Adam is the articles' choice"""
    weight_decay: float = 1e-2
    """strength of the decay"""
    clip_norm: float = 1.0
    """largest norm of the gradient"""
    loss: Literal["quantile", "mae", "mse", "huber", "student_t"] = "quantile"
    """`quantile` trains all levels, `student_t` a law that has them; `mae`, `mse` and `huber` train the point forecast
    alone, and the other levels are quantiles of its residuals on windows that training has not seen"""
    weighting: Literal["context", "relative"] = "context"
    """what an error is divided by: the context's scale, or both the context's season-naive error and the size of
    the target, as MASE and sMAPE together do"""
    patience: int | None = None
    """epochs without a better selection loss before training stops; none: never"""
    averaging: float = 0.98
    """share of the averaged weights that each step keeps; the averaged ones are scored and published. 0: none"""
    freeze_encoder: bool = False
    """keep the encoder of the network that training begins from"""
    seed: int = 0
    """seed of the initial weights, of the window sampling and of dropout"""
    time_budget_s: float | None = None
    """seconds for both phases; turned into a number of steps once, after the first steps"""
    max_windows: int = 2048
    """most windows of the selection span, and of the gate, that are scored"""

    def __post_init__(self) -> None:
        for name in ("epochs", "steps_per_epoch", "batch_size", "max_windows"):
            require(1 <= getattr(self, name) <= 10_000_000, f"training.{name}", "must be at least 1")
        require(self.batch_size <= 65_536, "training.batch_size", "must be at most 65536")
        require(0 < self.learning_rate <= 1, "training.learning_rate", "must be above 0 and at most 1")
        require(0 <= self.weight_decay <= 10, "training.weight_decay", "must be between 0 and 10")
        require(self.clip_norm > 0, "training.clip_norm", "must be above 0")
        require(0 <= self.averaging < 1, "training.averaging", "must be at least 0 and below 1")
        require(self.patience is None or self.patience >= 1, "training.patience", "must be at least 1, or null")
        require(0 <= self.seed < 2**63, "training.seed", "must be between 0 and 2^63 - 1")
        budget = self.time_budget_s
        require(budget is None or budget > 0, "training.time_budget_s", "must be above 0, or null")


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole model: what it forecasts, with which network, trained how."""

    frequency: str
    """canonical pandas offset alias"""
    horizon: int
    """H, steps that it predicts"""
    quantiles: tuple[float, ...]
    """trained levels, ascending; 0.5 is among them and is the point forecast"""
    network: NetworkConfig
    training: TrainingConfig
    covariates: CovariateConfig = CovariateConfig()
    country: str | None = None
    """whose public holidays the calendar knows, such as `DE` or `US-NY`"""
    bounds: tuple[float | None, float | None] = (None, None)
    """least and greatest value of a forecast; none: unbounded"""
    nonnegative: bool = False
    """a context without a negative value is never forecast below zero"""

    def __post_init__(self) -> None:
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
        reach = (self.network.context_length + self.horizon) * frequency.approximate_us
        require(reach <= LONGEST_REACH, "horizon", "context and horizon must span less than 900 years together")
        levels = self.quantiles
        require(1 <= len(levels) <= 99, "quantiles", "must be 1 to 99 levels")
        require(all(0 < q < 1 for q in levels), "quantiles", "must lie strictly between 0 and 1")
        require(list(levels) == sorted(set(levels)), "quantiles", "must be ascending and distinct")
        require(0.5 in levels, "quantiles", "must contain 0.5, the point forecast")
        require(self.country is None or is_country(self.country), "country", f"{self.country!r} has no known holidays")
        require(len(self.bounds) == 2, "bounds", "must be the least and the greatest value")
        low, high = self.bounds
        require(low is None or high is None or low < high, "bounds", "min must be below max")

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the network reads: names of `models.data.windows.Batch`."""
        optional = {"covariates": self.covariates.temporal, "static": self.covariates.static}
        return ("y", "calendar", *(name for name, columns in optional.items() if columns))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` gives the same Config back."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Config":
        """Read what `to_dict` wrote. Raises ConfigError for a missing, unknown or ill-typed field."""
        fields = dict(values)
        for name in ("frequency", "horizon", "quantiles", "network", "training"):
            require(name in fields, name, "is missing")
        parts: dict[str, Any] = {}
        kinds = {"network": NetworkConfig, "training": TrainingConfig, "covariates": CovariateConfig}
        try:
            for name, kind in kinds.items():
                parts[name] = read(kind, fields.pop(name, {}), name)
        except TypeError as e:
            raise ConfigError("config", f"is incomplete ({e})") from e
        top = read(_Top, fields, "config")
        return Config(**{f.name: getattr(top, f.name) for f in dataclasses.fields(top)}, **parts)


@dataclass(frozen=True)
class _Top:
    frequency: str
    horizon: int
    quantiles: tuple[float, ...]
    country: str | None = None
    bounds: tuple[float | None, float | None] = (None, None)
    nonnegative: bool = False


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value
