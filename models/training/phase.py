"""Counters of a training phase, and the progress that is told from them. Knows no torch."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from models.training.report import Progress

SELECT, REFIT = "select", "refit"
SELECT_SHARE, REFIT_SHARE = 0.5, 0.95
"""Shares of the job after each phase; the rest is the export's"""
TELL_SECONDS = 0.5


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


class ProgressMeter:
    """Turns counters into Progress, about twice a second and after every epoch, its fraction never falling."""

    def __init__(
        self, listener: Callable[[Progress], None] | None, steps_per_epoch: int, patience: int | None = None
    ) -> None:
        self.listener, self.steps_per_epoch, self.patience = listener, steps_per_epoch, patience
        self.started = self.told = time.monotonic()
        self.first_step: float | None = None
        self.steps, self.fraction = 0, 0.0
        self.val_loss: float | None = None

    def stepped(self, state: PhaseState, loss: float) -> None:
        """Count a step, and tell of it if nothing was told for a second."""
        self.steps += 1
        self.first_step = self.first_step or time.monotonic()
        if time.monotonic() - self.told >= TELL_SECONDS:
            self.tell(state, loss)

    def tell(self, state: PhaseState, loss: float) -> None:
        """Tell where the phase stands."""
        if self.listener is None:
            return
        self.told = time.monotonic()
        self.val_loss = state.val[-1] if state.val else self.val_loss
        self.fraction = max(self.fraction, _fraction(state))
        epochs = math.ceil(state.end_step / self.steps_per_epoch)
        ahead = steps_ahead(state, self.steps_per_epoch, self.patience)
        self.listener(
            Progress(
                phase=state.name,
                epoch=state.epochs_before + state.epoch,
                epochs=state.epochs_before + epochs * (2 if state.name == SELECT else 1),
                fraction=self.fraction,
                train_loss=loss,
                val_loss=self.val_loss,
                eta_s=self._seconds_for(ahead),
            )
        )

    def _seconds_for(self, steps: int) -> float | None:
        """Estimate from the steps after the first, which warms up and takes much longer than the others."""
        if self.first_step is None or self.steps < 2:
            return None
        return steps * (time.monotonic() - self.first_step) / (self.steps - 1)

    @property
    def seconds(self) -> float:
        """Seconds since the run began in this process."""
        return time.monotonic() - self.started


def steps_ahead(state: PhaseState, steps_per_epoch: int, patience: int | None) -> int:
    """Foresee how many steps of both phases are left.

    While the selection gets better it is taken to go on to its end, and the refit to be as long. Once it does not, the
    refit is as long as the best so far, and patience ends the selection.
    """
    left = state.end_step - state.step
    if state.name != SELECT:
        return left
    if state.stale == 0:
        return left + state.end_step
    if patience is not None:
        left = min(left, max(0, state.best_step + patience * steps_per_epoch - state.step))
    return left + state.best_step


def _fraction(state: PhaseState) -> float:
    """Return the share of the whole job; a refit that nothing was selected for is the whole job."""
    done = state.step / max(state.end_step, 1)
    low = 0.0 if state.name == SELECT or state.stop_step is None else SELECT_SHARE
    return low + ((SELECT_SHARE if state.name == SELECT else REFIT_SHARE) - low) * done
