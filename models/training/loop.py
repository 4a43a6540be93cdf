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
"""share of the steps in which the rate rises"""
MOST_WARMUP_STEPS = 100
"""however long the training"""
LAST_RATE = 0.02
"""share of the peak that the rate falls to"""
RECOVERIES = 4
"""times that a diverged training goes on, at a lower rate each time"""
RECOVERY_RATE = 0.3
"""factor of the rate at each recovery"""
MEASURED_STEPS = 10
"""steps whose median time says how many steps a time budget affords; the first ones warm up"""
BUDGET_SHARE = 0.45
"""share of a time budget for each of the two phases; a tenth is left for scoring"""


@dataclass(frozen=True)
class TrainingHooks:
    """Callbacks of the loop."""

    on_step: Callable[[PhaseState, float], None]
    """called after each step with the running mean of the epoch's loss"""
    on_epoch: Callable[[PhaseState, Arrays, Arrays], None]
    """called after each epoch with the learner's arrays and the best weights"""
    should_stop: Callable[[], bool] = lambda: False
    """asked after each step whether the phase is to end"""


def learning_rate(step: int, total: int, peak: float) -> float:
    """One cycle: a linear rise over the first steps, then a cosine down to a fiftieth of the peak."""
    rise = max(1, min(round(WARMUP * total), MOST_WARMUP_STEPS))
    if step < rise:
        return peak * (step + 1) / rise
    share = min(1.0, (step - rise) / max(1, total - rise))
    fall = 0.5 * (1 + math.cos(math.pi * share))  # from 1 to 0
    return peak * (LAST_RATE + (1 - LAST_RATE) * fall)


def train(
    learner: Learner,
    pool: WindowPool,
    selection: TensorBatch | None,
    state: PhaseState,
    best: Arrays,
    hooks: TrainingHooks,
) -> Arrays:
    """Train to the last step or until patience ends; return the best weights, or the last ones."""
    if learner.started and selection is not None and state.best_loss is None:
        _score_start(learner, state, selection)
        best = learner.weights()
    last_good = learner.arrays()
    while not is_finished(state, learner.config):
        loss = _run_epoch(learner, pool, state, hooks)
        selection_loss = learner.score(selection) if selection is not None and math.isfinite(loss) else 0.0
        if not math.isfinite(loss + selection_loss):
            _recover(learner, state, last_good)
            continue
        state.epoch += 1
        state.train.append(loss)
        if selection is not None:
            best = _keep_best(learner, state, selection_loss, best)
        last_good = learner.arrays()
        hooks.on_epoch(state, last_good, best)
    return best if selection is not None and best else learner.weights()


def is_finished(state: PhaseState, config: Config) -> bool:
    """Return whether the phase is over."""
    patience = config.training.patience
    return state.step >= state.end_step or (patience is not None and state.stale >= patience)


def _run_epoch(learner: Learner, pool: WindowPool, state: PhaseState, hooks: TrainingHooks) -> float:
    """Run one epoch and return its mean loss, NaN where it diverged."""
    training = learner.config.training
    total = 0.0
    done = 0
    seconds: list[float] = []
    end = min(state.step + training.steps_per_epoch, state.end_step)
    while state.step < min(end, state.end_step):
        rate = state.rate_factor * learning_rate(state.step, state.total_steps, training.learning_rate)
        began = time.monotonic()
        loss = learner.step(pool, rate)
        if not math.isfinite(loss):
            return math.nan
        total += loss
        done += 1
        state.step += 1
        seconds.append(time.monotonic() - began)
        if training.time_budget_s is not None and not state.budgeted and done == min(MEASURED_STEPS, end):
            _apply_budget(state, training.time_budget_s, median(seconds))
        hooks.on_step(state, total / done)
        if hooks.should_stop():
            state.stopped = True
            state.stop_step = state.step
    return total / max(done, 1)


def _apply_budget(state: PhaseState, budget_s: float, seconds_a_step: float) -> None:
    """Turn seconds into steps, once: half the budget for each phase, a tenth left for scoring."""
    affordable = int(BUDGET_SHARE * budget_s / max(seconds_a_step, 1e-6))
    state.total_steps = max(state.step, min(state.total_steps, affordable))
    state.budgeted = True


def _keep_best(learner: Learner, state: PhaseState, loss: float, best: Arrays) -> Arrays:
    """Keep the weights if they are the best so far."""
    state.val.append(loss)
    if state.best_loss is None or loss < state.best_loss:
        state.best_loss = loss
        state.best_step = state.step
        state.stale = 0
        return learner.weights()
    state.stale += 1
    return best


def _score_start(learner: Learner, state: PhaseState, selection: TensorBatch) -> None:
    """Let the network that training began from be the best so far: nothing may be there to gain."""
    loss = learner.score(selection)
    state.best_loss = loss if math.isfinite(loss) else math.inf
    state.best_step = 0


def _recover(learner: Learner, state: PhaseState, last_good: Arrays) -> None:
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
    learner.load_arrays(last_good, generators=False)
