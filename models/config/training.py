"""The settings of a training: frozen and checked."""

from dataclasses import dataclass
from typing import Literal

from models.config.validation import require

POINT_LOSSES = frozenset({"mae", "mse", "huber"})
"""Losses that train the point forecast alone."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The optimisation of a network."""

    epochs: int
    """most passes of `steps_per_epoch` steps; the selection span decides how many are kept"""
    steps_per_epoch: int
    """optimiser steps between two losses of the selection span"""
    batch_size: int = 64
    """windows in a step"""
    learning_rate: float = 3e-3
    """peak of the one-cycle schedule"""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """`adamw` decouples the weight decay; `adam` is the choice of the articles"""
    weight_decay: float = 1e-2
    """decay of the weights, per unit of the learning rate"""
    clip_norm: float = 1.0
    """largest norm of the gradient"""
    loss: Literal["quantile", "mae", "mse", "huber", "student_t"] = "quantile"
    """`quantile` trains all levels, `student_t` a distribution that has them; `mae`, `mse` and `huber` train the point
    forecast alone, and the other levels are quantiles of its residuals on windows that training has not seen"""
    weighting: Literal["context", "relative"] = "context"
    """divisor of an error: the context's scale, or both the context's season-naive error and the size of the target, as
    in MASE and sMAPE together"""
    patience: int | None = None
    """epochs without a better selection loss before training stops; none: never"""
    averaging: float = 0.98
    """share of the averaged weights that each step keeps; the averaged ones are scored and published. 0: none"""
    freeze_encoder: bool = False
    """whether the encoder of the network that training begins from is kept"""
    seed: int = 0
    """seed of the initial weights, of the window sampling and of dropout"""
    time_budget_s: float | None = None
    """seconds for both phases, turned into a number of steps once, after the first steps; none: no limit"""
    max_windows: int = 2048
    """most scored windows of the selection span, and as many of the gate span"""

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
