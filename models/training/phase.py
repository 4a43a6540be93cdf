"""A training phase: its name, its counters and its curves. Knows no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SELECT, REFIT = "select", "refit"


@dataclass
class PhaseState:
    """Counters and curves of a phase; plain JSON values, so that a checkpoint holds them all."""

    name: str
    total_steps: int
    """length of the learning-rate schedule"""
    stop_step: int | None = None
    """where the phase ends; None: at the end of the schedule"""
    stopped: bool = False
    """ended early because the caller wanted it"""
    step: int = 0
    """optimiser steps so far"""
    epoch: int = 0
    """epochs finished so far"""
    rate_factor: float = 1.0
    """lowered after each recovery from divergence"""
    recoveries: int = 0
    budgeted: bool = False
    """the time budget has been turned into `total_steps`"""
    epochs_before: int = 0
    """epochs of the phase before, so that progress counts on"""
    best_loss: float | None = None
    """least loss on the selection span so far"""
    best_step: int = 0
    """step of the best loss"""
    stale: int = 0
    """epochs since the best"""
    penalties: list[float] = field(default_factory=list)
    """ridge penalty of each reader (models.training.closed_form)"""
    train: list[float] = field(default_factory=list)
    """mean training loss of each epoch"""
    val: list[float] = field(default_factory=list)
    """loss on the selection span after each epoch; empty without one"""

    @property
    def end_step(self) -> int:
        """The last step of the phase."""
        return self.total_steps if self.stop_step is None else min(self.stop_step, self.total_steps)

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values; `from_record` gives the same back."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> "PhaseState":
        """Read what `to_record` returned."""
        return PhaseState(**record)
