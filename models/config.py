"""What a model is and how it is trained: frozen, checked, and a strict JSON round trip.

`models.defaults.choose` fills every field from the frequency and the amount of data.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.calendar import CALENDAR_FIELDS, FrequencyError, parse_frequency
from models.holidays import is_country
from models.options import ConfigError, read, require
from models.timestamps import DAY

__all__ = ["Config", "ConfigError", "CovariateConfig", "NetworkConfig", "TrainingConfig"]

MAX_CONTEXT = 10_000
MAX_ETS_CONTEXT = 512
MAX_HORIZON = 10_000
MAX_COVARIATES = 200
LONGEST_REACH = 900 * 365 * DAY
"""microseconds of context and horizon, so that their stamps keep four-digit years"""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network. Every variant, the articles' plain LSTM included, is a setting of these fields."""

    context_length: int
    """T, steps that the network reads; a multiple of `segment`"""
    segment: int
    """steps that one recurrence step reads; 1 is the classical stepwise LSTM"""
    cell: Literal["lstm", "gru"] = "lstm"
    """recurrent cell"""
    hidden: int = 64
    """width of the recurrent state"""
    layers: int = 1
    """stacked recurrent layers"""
    dropout: float = 0.1
    """share of hidden values dropped in training, between layers and before the decoder's output"""
    decoder: Literal["parallel", "last_step"] = "parallel"
    """`parallel`: one more recurrent step for each horizon segment; `last_step`: linear on the last state"""
    basis: bool = True
    """gate classical linear forecasts and learn only a correction to them"""
    scaler: Literal["standard", "mean_abs", "recent", "none"] = "standard"
    """how a context is brought to unit scale (models.scalers)"""
    mask: bool = True
    """feed the observed mask beside the values"""
    dampen: bool = True
    """feed the inverse hyperbolic sine of the values, so that a spike does not drown the rest"""
    season_lengths: tuple[int, ...] = ()
    """season lengths in steps, shortest first; those within the context shape the basis and the filling"""
    calendar: tuple[int, ...] = ()
    """columns of `calendar_features` that the network sees"""
    lookbacks: tuple[int, ...] = ()
    """the steps that each member of an ensemble reads, `context_length` at most; one member where empty"""
    linear: bool = False
    """add a forecast that is linear in context and covariates, fitted by ridge regression on all series"""
    smoothing: int = 0
    """exponential smoothings of the level, each series' own, their rates read from its context (ES-RNN's idea)"""
    ets: bool = False
    """add exponential smoothing models of each context's own, averaged by their likelihood (models.ets)"""
    anchor: float = 0.0
    """share of the point forecast that those models keep, whatever is learned; 0: none"""
    statistical: int = 0
    """exponential smoothing models with parameters that AutoETS found on a sample of the series, at most"""

    def __post_init__(self) -> None:
        require(1 <= self.segment <= MAX_CONTEXT, "network.segment", f"must be between 1 and {MAX_CONTEXT}")
        require(
            2 <= self.context_length <= MAX_CONTEXT,
            "network.context_length",
            f"must be between 2 and {MAX_CONTEXT} steps",
        )
        require(
            self.context_length % self.segment == 0,
            "network.segment",
            f"must divide context_length ({self.context_length}); {self.segment} does not",
        )
        require(1 <= self.hidden <= 2048, "network.hidden", "must be between 1 and 2048")
        require(1 <= self.layers <= 8, "network.layers", "must be between 1 and 8")
        require(0 <= self.dropout < 1, "network.dropout", "must be at least 0 and below 1")
        require_seasons(self.season_lengths)
        require(
            all(0 <= f < len(CALENDAR_FIELDS) for f in self.calendar) and len(set(self.calendar)) == len(self.calendar),
            "network.calendar",
            f"must be distinct column numbers of {', '.join(CALENDAR_FIELDS)}, counted from 0",
        )
        require(len(self.lookbacks) <= 32, "network.lookbacks", "must be 32 members at most")
        require(
            all(2 <= n <= self.context_length and n % self.segment == 0 for n in self.lookbacks),
            "network.lookbacks",
            f"must be multiples of segment ({self.segment}), 2 to context_length ({self.context_length})",
        )
        require(0 <= self.smoothing <= 8, "network.smoothing", "must be between 0 and 8")
        require(0 <= self.statistical <= 8, "network.statistical", "must be between 0 and 8")
        require(
            not self.ets or self.context_length <= MAX_ETS_CONTEXT,
            "network.ets",
            f"must be false for a context_length above {MAX_ETS_CONTEXT}: its maps grow with the square",
        )
        require(0 <= self.anchor <= 1, "network.anchor", "must be between 0 and 1")
        require(self.ets or not self.anchor, "network.anchor", "must be 0 without ets")
        gated = self.linear or self.smoothing or self.ets or self.statistical
        require(self.basis or not gated, "network.basis", "must be true for linear, smoothing, ets and statistical")

    @property
    def members(self) -> tuple["NetworkConfig", ...]:
        """The ensemble's members as networks of one."""
        own = self.lookbacks or (self.context_length,)
        return tuple(dataclasses.replace(self, context_length=n, lookbacks=()) for n in own)

    @property
    def seasons(self) -> tuple[int, ...]:
        """The season lengths that fit into the context."""
        return tuple(m for m in self.season_lengths if m <= self.context_length)


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
    loss: Literal["quantile", "mae", "mse"] = "quantile"
    """`quantile` trains all levels; `mae` and `mse` train the point forecast alone, and the other levels are
    quantiles of its residuals on the selection span, which training has not seen"""
    weighting: Literal["context", "relative"] = "context"
    """what an error is divided by: the context's scale, or both the context's season-naive error and the size of
    the target, as MASE and sMAPE together do"""
    patience: int | None = None
    """epochs without a better selection loss before training stops; none: never"""
    averaging: float = 0.98
    """share of the averaged weights that each step keeps; the averaged ones are scored and published. 0: none"""
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
        """What the network reads: names of `models.windows.Batch`."""
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


def require_seasons(seasons: Sequence[int]) -> None:
    """Raise ConfigError unless the season lengths are usable."""
    require(
        all(m >= 2 for m in seasons) and list(seasons) == sorted(set(seasons)),
        "network.season_lengths",
        "must be whole numbers from 2 on, ascending and distinct",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value
