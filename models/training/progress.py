"""Progress of a training: the share that is done, and an estimate of the time left."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from models.training.phase import SELECT, PhaseState

SELECT_SHARE = 0.5
"""share of the job that is done after the select phase"""
REFIT_SHARE = 0.95
"""share of the job that is done after the refit; the rest is the export's"""
REPORT_SECONDS = 0.5
"""between two reports within an epoch"""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A run's position, its losses and the time left."""

    phase: str
    """`select` (training on the fit span) or `refit` (training on everything)"""
    epoch: int
    """epochs finished so far, both phases together"""
    epochs: int
    """epochs of both phases at most"""
    fraction: float
    """share of the whole job, never falling; what is above 0.95 is left to the export"""
    train_loss: float | None
    """mean loss of the current or last epoch, in scaled units"""
    val_loss: float | None
    """last loss on the selection span"""
    eta_s: float | None
    """seconds to the end at the present speed"""
    train: tuple[float, ...]
    """loss of each finished epoch of the phase, in scaled units"""
    val: tuple[float, ...]
    """loss on the selection span after each of them; empty in a phase without one"""


class ProgressMeter:
    """Turns counters into Progress, about twice a second and after every epoch, its fraction never falling."""

    def __init__(
        self, listener: Callable[[Progress], None] | None, steps_per_epoch: int, patience: int | None = None
    ) -> None:
        self.listener = listener
        self.steps_per_epoch = steps_per_epoch
        self.patience = patience
        self.started = time.monotonic()
        self.reported = self.started
        self.first_step: float | None = None
        self.steps = 0
        self.fraction = 0.0
        self.val_loss: float | None = None

    def count_step(self, state: PhaseState, loss: float) -> None:
        """Count a step, and report it where the last report was REPORT_SECONDS ago."""
        self.steps += 1
        self.first_step = self.first_step or time.monotonic()
        if time.monotonic() - self.reported >= REPORT_SECONDS:
            self.report(state, loss)

    def report(self, state: PhaseState, loss: float) -> None:
        """Call the listener with where the phase stands; `loss` is the epoch's mean so far."""
        if self.listener is None:
            return
        self.reported = time.monotonic()
        self.val_loss = state.val[-1] if state.val else self.val_loss
        self.fraction = max(self.fraction, _fraction(state))
        epochs = math.ceil(state.end_step / self.steps_per_epoch)
        phases_left = 2 if state.name == SELECT else 1
        steps_left = estimate_steps_left(state, self.steps_per_epoch, self.patience)
        self.listener(
            Progress(
                phase=state.name,
                epoch=state.epochs_before + state.epoch,
                epochs=state.epochs_before + epochs * phases_left,
                fraction=self.fraction,
                train_loss=loss,
                val_loss=self.val_loss,
                eta_s=self._estimate_seconds(steps_left),
                train=tuple(state.train),
                val=tuple(state.val),
            )
        )

    def _estimate_seconds(self, steps: int) -> float | None:
        """Estimate from the steps after the first, which warms up and takes much longer than the others."""
        if self.first_step is None or self.steps < 2:
            return None
        return steps * (time.monotonic() - self.first_step) / (self.steps - 1)

    @property
    def seconds(self) -> float:
        """Seconds since the run began in this process."""
        return time.monotonic() - self.started


def estimate_steps_left(state: PhaseState, steps_per_epoch: int, patience: int | None) -> int:
    """Estimate how many steps of both phases are left.

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
    selected = state.name != SELECT and state.stop_step is not None
    low = SELECT_SHARE if selected else 0.0
    high = SELECT_SHARE if state.name == SELECT else REFIT_SHARE
    return low + (high - low) * done
