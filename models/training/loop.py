"""The training loop: one phase of steps on a pool of windows, resumable after every epoch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from models.config.model import Config
from models.errors import TrainingDataError
from models.training.learner import Arrays, Learner
from models.training.phase import PhaseState
from models.training.sampling import TensorBatch, WindowPool

WARMUP = 0.15
LAST_RATE = 0.02
RECOVERIES = 4
RECOVERY_RATE = 0.3
MEASURED_STEPS = 10


@dataclass(frozen=True)
class Hooks:
    """What the loop tells its caller."""

    stepped: Callable[[PhaseState, float], None]
    """called after each step with the running mean of the epoch's loss"""
    epoch_end: Callable[[PhaseState, Arrays, Arrays], None]
    """called with the learner's arrays and the best weights"""
    stop: Callable[[], bool] = lambda: False
    """asked after each step whether the phase is to end"""


def learning_rate(step: int, total: int, peak: float) -> float:
    """One cycle: a linear rise over the first steps, then a cosine down to a fiftieth of the peak."""
    rise = max(1, min(round(WARMUP * total), 100))
    if step < rise:
        return peak * (step + 1) / rise
    share = min(1.0, (step - rise) / max(1, total - rise))
    return peak * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share)))


def train(
    learner: Learner,
    pool: WindowPool,
    selection: TensorBatch | None,
    state: PhaseState,
    best: Arrays,
    hooks: Hooks,
) -> Arrays:
    """Train to the last step or until patience ends; return the best weights, or the last ones."""
    if learner.started and selection is not None and state.best_loss is None:
        _judge_start(learner, state, selection)
        best = learner.weights()
    good = learner.arrays()
    while not finished(state, learner.config):
        loss = _epoch(learner, pool, state, hooks)
        val = learner.score(selection) if selection is not None and math.isfinite(loss) else 0.0
        if not math.isfinite(loss + val):
            _recover(learner, state, good)
            continue
        state.epoch += 1
        state.train.append(loss)
        if selection is not None:
            best = _judge(learner, state, val, best)
        good = learner.arrays()
        hooks.epoch_end(state, good, best)
    return best if selection is not None and best else learner.weights()


def finished(state: PhaseState, config: Config) -> bool:
    """Return whether the phase is over."""
    patience = config.training.patience
    return state.step >= state.end_step or (patience is not None and state.stale >= patience)


def _epoch(learner: Learner, pool: WindowPool, state: PhaseState, hooks: Hooks) -> float:
    """Run one epoch and return its mean loss, NaN where it diverged."""
    training = learner.config.training
    total, done = 0.0, 0
    seconds: list[float] = []
    end = min(state.step + training.steps_per_epoch, state.end_step)
    while state.step < min(end, state.end_step):
        rate = state.rate_factor * learning_rate(state.step, state.total_steps, training.learning_rate)
        began = time.monotonic()
        loss = learner.step(pool, rate)
        if not math.isfinite(loss):
            return math.nan
        total, done = total + loss, done + 1
        state.step += 1
        seconds.append(time.monotonic() - began)
        if training.time_budget_s is not None and not state.budgeted and done == min(MEASURED_STEPS, end):
            _apply_budget(state, training.time_budget_s, median(seconds))  # the first steps warm up
        hooks.stepped(state, total / done)
        if hooks.stop():
            state.stopped, state.stop_step = True, state.step
    return total / max(done, 1)


def _apply_budget(state: PhaseState, budget_s: float, seconds_a_step: float) -> None:
    """Turn seconds into steps, once: half the budget for each phase, a tenth left for scoring."""
    affordable = int(0.45 * budget_s / max(seconds_a_step, 1e-6))
    state.total_steps = max(state.step, min(state.total_steps, affordable))
    state.budgeted = True


def _judge(learner: Learner, state: PhaseState, loss: float, best: Arrays) -> Arrays:
    """Keep the weights if they are the best so far."""
    state.val.append(loss)
    if state.best_loss is None or loss < state.best_loss:
        state.best_loss, state.best_step, state.stale = loss, state.step, 0
        return learner.weights()
    state.stale += 1
    return best


def _judge_start(learner: Learner, state: PhaseState, selection: TensorBatch) -> None:
    """Let the network that training began from be the best so far: nothing may be there to gain."""
    loss = learner.score(selection)
    state.best_loss, state.best_step = (loss if math.isfinite(loss) else math.inf), 0


def _recover(learner: Learner, state: PhaseState, good: Arrays) -> None:
    """Go back to the end of the last epoch with a lower rate; the windows drawn next are others."""
    state.recoveries += 1
    if state.recoveries > RECOVERIES:
        raise TrainingDataError(
            "diverged",
            "training diverged again and again: the loss is not a finite number even at a low learning rate; "
            "look for extreme values in the series, or set a lower learning_rate",
        )
    state.rate_factor *= RECOVERY_RATE
    steps = learner.config.training.steps_per_epoch
    state.step = state.epoch * steps
    learner.load_arrays(good, generators=False)
