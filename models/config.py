"""What a model is and how it is trained: frozen, checked, and a strict JSON round trip.

`models.defaults.choose` fills every field from the frequency and the amount of data.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.calendar import CALENDAR_FIELDS, FrequencyError, parse_frequency
from models.options import ConfigError, read, require
from models.timestamps import DAY

__all__ = ["Config", "ConfigError", "NetworkConfig", "TrainingConfig"]

MAX_CONTEXT = 10_000
MAX_HORIZON = 10_000
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
    season_lengths: tuple[int, ...] = ()
    """season lengths in steps, shortest first; those within the context shape the basis and the filling"""
    calendar: tuple[int, ...] = ()
    """columns of `calendar_features` that the network sees"""

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

    @property
    def seasons(self) -> tuple[int, ...]:
        """The season lengths that fit into the context."""
        return tuple(m for m in self.season_lengths if m <= self.context_length)


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
    patience: int | None = None
    """epochs without a better selection loss before training stops; none: never"""
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
        try:
            network = read(NetworkConfig, fields.pop("network"), "network")
            training = read(TrainingConfig, fields.pop("training"), "training")
        except TypeError as e:
            raise ConfigError("config", f"is incomplete ({e})") from e
        top = read(_Top, fields, "config")
        return Config(
            frequency=top.frequency,
            horizon=top.horizon,
            quantiles=top.quantiles,
            network=network,
            training=training,
        )


@dataclass(frozen=True)
class _Top:
    frequency: str
    horizon: int
    quantiles: tuple[float, ...]


def require_seasons(seasons: Sequence[int]) -> None:
    """Raise ConfigError unless the season lengths are usable."""
    require(
        all(m >= 2 for m in seasons) and list(seasons) == sorted(set(seasons)),
        "network.season_lengths",
        "must be whole numbers from 2 on, ascending and distinct",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value
