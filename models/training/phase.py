"""Counters of a training phase, and the progress that is told from them. Knows no torch."""

from dataclasses import asdict, dataclass, field
from typing import Any

SELECT, REFIT = "select", "refit"
SELECT_SHARE, REFIT_SHARE = 0.5, 0.95
"""Shares of the job after each phase; the rest is the export's"""


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
    epoch: int = 0
    rate_factor: float = 1.0
    """lowered after each recovery from divergence"""
    recoveries: int = 0
    budgeted: bool = False
    """the time budget has been turned into `total_steps`"""
    epochs_before: int = 0
    """epochs of the phase before, so that what is told counts on"""
    best_loss: float | None = None
    best_step: int = 0
    stale: int = 0
    """epochs since the best"""
    penalties: list[float] = field(default_factory=list)
    """ridge penalty of each reader (models.training.closed_form)"""
    train: list[float] = field(default_factory=list)
    val: list[float] = field(default_factory=list)

    @property
    def end_step(self) -> int:
        """The last step of the phase."""
        return self.total_steps if self.stop_step is None else min(self.stop_step, self.total_steps)

    def record(self) -> dict[str, Any]:
        """Return plain JSON values; `PhaseState(**record)` gives the same back."""
        return asdict(self)
