"""Hyperparameter search around a configuration, compared on the selection span (models.experiments.selection), never on
the gate span.

The sampler is optuna's TPE (Bergstra et al. 2011). A trial is pruned where it is worse than the median of the
complete ones after as many epochs (Golovin et al. 2017): a search has few trials, which Hyperband would spend on
its brackets.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any, Literal

import numpy as np
import optuna
import torch
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from models.classical.prophet import require_prophet
from models.config.model import Config
from models.config.validation import require
from models.data.preflight import compute_fingerprint
from models.data.series import Panel
from models.errors import CheckpointError, TrainingDataError
from models.experiments.selection import SelectPhase
from models.experiments.trials import SearchResult, Trial, read_trials
from models.planning.search_space import Axis, accepts, apply_params, build_axes, default_space
from models.training.learner import choose_device

MAX_TRIALS = 1000
"""trials of one search at most"""
NO_MEMORY = "it does not fit into the memory of the device"
MOST_DRAWS = 100
"""draws for one trial; after so many repetitions and impossible combinations the rest of the space is listed"""
MOST_LISTED = 20_000
"""combinations of a space that can be listed; the search of a larger one ends instead"""
RANDOM_TRIALS = 6
"""trials at random before the sampler models their losses"""
UNPRUNED_TRIALS = 3
"""complete trials before any is pruned"""
UNPRUNED_SHARE = 5
"""divisor of the epochs: the first epochs / UNPRUNED_SHARE, while the learning rate still rises, prune nothing"""
STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "stopped": TrialState.FAIL,
}


class OutOfTimeError(Exception):
    """The time budget has ended, and the running trial has to stop."""


def search(
    panel: Panel,
    config: Config,
    *,
    trials: int,
    time_budget_s: float | None = None,
    space: Mapping[str, Sequence[Any]] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    on_trial: Callable[[Trial], None] | None = None,
    resume: Iterable[Mapping[str, Any]] | None = None,
) -> SearchResult:
    """Search for a better configuration; the given one is the first trial, so that none worse is returned.

    The same call gives the same trials on the same CPU and number of threads, and so does one that continues from
    `resume`: the values of a trial depend on the seed, its number and the finished trials before it alone. Under a
    time budget, here or in `training`, they depend on the speed of the machine too.

    Args:
        trials: number of trials, resumed ones included; a space of fewer combinations is tried whole. Impossible
            combinations are left out.
        time_budget_s: seconds, those of resumed trials included. No trial begins after them and the running one
            stops, but for the first, which is always finished. `training.time_budget_s` holds for each trial.
        space: name -> values to try; the configuration's join them, and a field without a name here keeps its value.
            None: `default_space`.
        on_trial: called when a trial begins, after each of its epochs and at its end.
        resume: trials of an earlier search for the same, as `Trial.to_dict` gives them; of several records of one
            trial the last counts. An unfinished one is run again from its start.

    Raises ConfigError for values that cannot be searched, TrainingDataError for data without a selection span and
    where every trial failed, CheckpointError for the trials of another search.
    """
    allowed = type(trials) is int and 1 <= trials <= MAX_TRIALS
    require(allowed, "search.trials", f"must be a whole number from 1 to {MAX_TRIALS}")
    budget = math.inf if time_budget_s is None else time_budget_s
    require(budget > 0, "search.time_budget_s", "must be above 0, or null")
    optuna.logging.disable_default_handler()  # the application's handlers decide
    optuna.logging.enable_propagation()
    by_median = "mae" if space is not None and "loss" in space else None  # networks of every loss compare by it
    selection = SelectPhase(panel, config, choose_device(device), by_median)
    given = default_space(config, max(selection.fit_ends)) if space is None else space
    if any(given.get("prophet", ())):
        require_prophet()
    run = _Search(selection, config, build_axes(config, given), on_trial)
    run.deadline = time.monotonic() + budget - run.resume(resume or ())
    with torch.random.fork_rng(devices=[selection.device] if selection.device.type == "cuda" else []):
        while len(run.trials) < min(trials, run.size) and (not run.trials or time.monotonic() < run.deadline):
            if not run.run_trial():
                break
    return run.result()


class _Search:
    """One call of `search`: the study and its trials."""

    def __init__(
        self, selection: SelectPhase, config: Config, axes: Sequence[Axis], on_trial: Callable[[Trial], None] | None
    ) -> None:
        self.selection = selection
        self.config = config
        self.axes = axes
        self.on_trial = on_trial
        self.size = math.prod(self._count_options())
        identity = [config.to_dict(), compute_fingerprint(selection.panel), [asdict(axis) for axis in axes]]
        self.digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        # positions, not values: the sampler assumes that neighbours on an axis are alike
        self.distributions: dict[str, BaseDistribution] = {
            "/".join(axis.names): IntDistribution(0, len(axis.options) - 1) for axis in axes
        }
        warmup = config.training.epochs // UNPRUNED_SHARE
        pruner = optuna.pruners.MedianPruner(UNPRUNED_TRIALS, warmup, n_min_trials=2)
        self.study = optuna.create_study(direction="minimize", pruner=pruner)
        self.trials: list[Trial] = []
        self.began = 0.0
        self.deadline = math.inf

    def resume(self, resume: Iterable[Mapping[str, Any]]) -> float:
        """Take over the finished ones of earlier trials; return the seconds of all of them. Raises CheckpointError."""
        earlier = read_trials(resume, self.digest)
        self.trials = [trial for trial in earlier if trial.finished]
        for trial in self.trials:
            try:
                self.study.add_trial(self._to_optuna(trial))
            except (KeyError, ValueError) as e:
                raise CheckpointError(f"trial {trial.number} cannot be resumed ({e})") from e
        return sum(trial.seconds for trial in earlier)

    def run_trial(self) -> bool:
        """Run one more trial; return False where nothing is left to try."""
        self.began = time.monotonic()
        drawn = self._draw()
        if drawn is None:
            return False
        params = self._to_params(drawn.params)
        self.trials.append(Trial(number=len(self.trials), params=params, state="running", search=self.digest))
        self._update()
        state, reason = self._train(drawn)
        self.study.tell(drawn, self.trials[-1].loss if state == "complete" else None, STATES[state])
        self._update(state=state, reason=reason)
        return True

    def result(self) -> SearchResult:
        """Return the best of the complete trials, the first of equals."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        if not complete:
            raise TrainingDataError("diverged", f"every trial failed; the first one: {self.trials[0].reason}")
        best = min(complete, key=lambda trial: trial.curve[-1])
        config = apply_params(self.config, best.params)
        return SearchResult(config=config, loss=best.curve[-1], trials=tuple(self.trials))

    def _draw(self) -> optuna.Trial | None:
        """Draw an untried combination, at random where the sampler repeats itself; None where all were tried.

        Each draw has a new sampler and seed, so that a resumed search needs no generator's state.
        """
        number = len(self.trials)
        tried = [self._to_positions(trial.params) for trial in self.trials]
        if not number:
            self.study.enqueue_trial(self._to_positions(asdict(self.config.network) | asdict(self.config.training)))
        for attempt in range(MOST_DRAWS + 1):
            if attempt == MOST_DRAWS and not self._enqueue_untried(tried):
                break
            sequence = np.random.SeedSequence([self.config.training.seed, number, attempt])
            seed = int(sequence.generate_state(1)[0])
            if attempt:
                self.study.sampler = optuna.samplers.RandomSampler(seed)
            else:
                self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS)
            drawn = self.study.ask(self.distributions)
            if drawn.params not in tried and self._is_possible(drawn.params):
                return drawn
            self.study.tell(drawn, state=TrialState.FAIL)  # the sampler ignores failed trials
        return None

    def _enqueue_untried(self, tried: list[dict[str, int]]) -> bool:
        """Enqueue an untried combination of a small space, to be drawn next; return False where there is none."""
        if self.size > MOST_LISTED:
            return False
        combinations = product(*map(range, self._count_options()))
        listed = (dict(zip(self.distributions, combination, strict=True)) for combination in combinations)
        untried = [positions for positions in listed if positions not in tried and self._is_possible(positions)]
        if untried:
            number = len(self.trials)
            chosen = np.random.default_rng([self.config.training.seed, number]).integers(len(untried))
            self.study.enqueue_trial(untried[int(chosen)])
        return bool(untried)

    def _count_options(self) -> list[int]:
        """Count the options of each axis."""
        return [len(axis.options) for axis in self.axes]

    def _to_params(self, positions: Mapping[str, int]) -> dict[str, Any]:
        """Return positions on the axes as name -> value."""
        params: dict[str, Any] = {}
        for axis, key in zip(self.axes, self.distributions, strict=True):
            params |= axis.to_params(axis.options[positions[key]])
        return params

    def _is_possible(self, positions: Mapping[str, int]) -> bool:
        """Say whether the values go together: a recursion and two directions do not."""
        return accepts(self.config, self._to_params(positions))

    def _train(self, drawn: optuna.Trial) -> tuple[str, str | None]:
        """Train; return the state of the trial at its end, and the reason where it is not complete."""

        def stepped() -> None:
            if len(self.trials) > 1 and time.monotonic() >= self.deadline:
                raise OutOfTimeError

        def epoch_end(loss: float) -> None:
            self._update(curve=(*self.trials[-1].curve, loss))
            drawn.report(loss, self.trials[-1].epochs)
            if drawn.should_prune():
                raise optuna.TrialPruned

        try:
            self.selection.train(apply_params(self.config, self.trials[-1].params), stepped, epoch_end)
        except optuna.TrialPruned:
            return "pruned", "worse than the median of the complete trials after as many epochs"
        except OutOfTimeError:
            return "stopped", "the time budget ended"
        except (torch.OutOfMemoryError, MemoryError):
            return "failed", NO_MEMORY
        except RuntimeError as e:
            if "can't allocate memory" not in str(e):  # what the CPU's allocator says
                raise
            return "failed", NO_MEMORY
        except TrainingDataError as e:
            if e.code != "diverged":
                raise
            return "failed", str(e)
        return "complete", None

    def _update(self, **changes: Any) -> None:
        """Change the running trial and report it."""
        seconds = time.monotonic() - self.began
        self.trials[-1] = replace(self.trials[-1], seconds=seconds, **changes)
        if self.on_trial is not None:
            self.on_trial(self.trials[-1])

    def _to_positions(self, params: Mapping[str, Any]) -> dict[str, int]:
        """Return values as positions on the axes. Raises KeyError or ValueError for those on no axis."""
        positions = (axis.options.index(tuple(params[name] for name in axis.names)) for axis in self.axes)
        return dict(zip(self.distributions, positions, strict=True))

    def _to_optuna(self, trial: Trial) -> FrozenTrial:
        """Return a finished trial as one of optuna. Raises KeyError or ValueError for values on no axis."""
        return optuna.trial.create_trial(
            state=STATES[trial.state],
            value=trial.loss if trial.state == "complete" else None,
            params=self._to_positions(trial.params),
            distributions=self.distributions,
            intermediate_values=dict(enumerate(trial.curve, 1)),
        )
