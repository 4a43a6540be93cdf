"""Hyperparameter search around a configuration, judged on the selection span (models.experiments.selection), never on
the gate.

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
from models.data.preflight import fingerprint
from models.data.series import Panel
from models.errors import CheckpointError, TrainingDataError
from models.experiments.selection import Selection
from models.experiments.trials import SearchResult, Trial, read_trials
from models.planning.search_space import Axis, accepts, axes_of, configured, default_space
from models.training.learner import choose_device

MAX_TRIALS = 1000
NO_MEMORY = "it does not fit into the memory of the device"
MOST_DRAWS = 100
"""for one trial; after so many that are known or contradict themselves, what is left of the space is listed"""
MOST_LISTED = 20_000
"""combinations of a space that can be listed; a larger one ends there"""
RANDOM_TRIALS = 6
"""Trials before the sampler models what it has seen"""
UNPRUNED_TRIALS = 3
UNPRUNED_SHARE = 5
"""The first epochs / UNPRUNED_SHARE, in which the learning rate still rises, prune nothing"""
STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "stopped": TrialState.FAIL,
}


class OutOfTimeError(Exception):
    """The running trial has to stop."""


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

    The same call gives the same trials on the same CPU and number of threads, and so does one that goes on from
    `resume`: what a trial tries depends on the seed, its number and the finished trials before it alone. Under a
    time budget, here or in `training`, the speed of the machine has its say.

    Args:
        trials: how many, resumed ones included; a space of fewer combinations is tried whole. Combinations that
            contradict themselves are left out.
        time_budget_s: seconds, those of resumed trials included. No trial begins after them and the running one
            stops, but for the first, which is always finished. `training.time_budget_s` holds for each trial.
        space: name -> values to try; the configuration's own join them, and what is not named keeps its value.
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
    selection = Selection(panel, config, choose_device(device), by_median)
    given = default_space(config, max(selection.fit_ends)) if space is None else space
    if any(given.get("prophet", ())):
        require_prophet()
    run = _Search(selection, config, axes_of(config, given), on_trial)
    run.deadline = time.monotonic() + budget - run.adopt(resume or ())
    with torch.random.fork_rng(devices=[selection.device] if selection.device.type == "cuda" else []):
        while len(run.trials) < min(trials, run.size) and (not run.trials or time.monotonic() < run.deadline):
            if not run.next():
                break
    return run.result()


class _Search:
    """One call of `search`: the study and its trials."""

    def __init__(
        self, selection: Selection, config: Config, axes: Sequence[Axis], on_trial: Callable[[Trial], None] | None
    ) -> None:
        self.selection, self.config, self.axes, self.on_trial = selection, config, axes, on_trial
        self.size = math.prod(self._counts())
        identity = [config.to_dict(), fingerprint(selection.panel), [asdict(axis) for axis in axes]]
        self.digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        # positions, not values: the sampler takes neighbours on an axis for alike
        self.places: dict[str, BaseDistribution] = {
            "/".join(axis.names): IntDistribution(0, len(axis.options) - 1) for axis in axes
        }
        warmup = config.training.epochs // UNPRUNED_SHARE
        pruner = optuna.pruners.MedianPruner(UNPRUNED_TRIALS, warmup, n_min_trials=2)
        self.study = optuna.create_study(direction="minimize", pruner=pruner)
        self.trials: list[Trial] = []
        self.began, self.deadline = 0.0, math.inf

    def adopt(self, resume: Iterable[Mapping[str, Any]]) -> float:
        """Take over the finished ones of earlier trials; return the seconds that all of them took."""
        found = read_trials(resume, self.digest)
        self.trials = [trial for trial in found if trial.finished]
        for trial in self.trials:
            try:
                self.study.add_trial(self._frozen(trial))
            except (KeyError, ValueError) as e:
                raise CheckpointError(f"trial {trial.number} cannot be resumed ({e})") from e
        return sum(trial.seconds for trial in found)

    def next(self) -> bool:
        """Run one more trial; False where there is nothing left to try."""
        self.began = time.monotonic()
        asked = self._ask()
        if asked is None:
            return False
        params = self._named(asked.params)
        self.trials.append(Trial(number=len(self.trials), params=params, state="running", search=self.digest))
        self._update()
        state, reason = self._outcome(asked)
        self.study.tell(asked, self.trials[-1].loss if state == "complete" else None, STATES[state])
        self._update(state=state, reason=reason)
        return True

    def result(self) -> SearchResult:
        """Return the best of the complete trials, the first of equals."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        if not complete:
            raise TrainingDataError("diverged", f"every trial failed; the first one: {self.trials[0].reason}")
        best = min(complete, key=lambda trial: trial.curve[-1])
        config = configured(self.config, best.params)
        return SearchResult(config=config, loss=best.curve[-1], trials=tuple(self.trials))

    def _ask(self) -> optuna.Trial | None:
        """Draw a combination that was not tried before; at random where the sampler repeats itself. None: all were.

        Each draw has a sampler and a seed of its own, so that a resumed search needs no generator's state.
        """
        number = len(self.trials)
        tried = [self._placed(trial.params) for trial in self.trials]
        if not number:
            self.study.enqueue_trial(self._placed(asdict(self.config.network) | asdict(self.config.training)))
        for attempt in range(MOST_DRAWS + 1):
            if attempt == MOST_DRAWS and not self._enqueued(tried):
                break
            sequence = np.random.SeedSequence([self.config.training.seed, number, attempt])
            seed = int(sequence.generate_state(1)[0])
            model = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS)
            self.study.sampler = optuna.samplers.RandomSampler(seed) if attempt else model
            asked = self.study.ask(self.places)
            if asked.params not in tried and self._allowed(asked.params):
                return asked
            self.study.tell(asked, state=TrialState.FAIL)  # the sampler ignores these
        return None

    def _enqueued(self, tried: list[dict[str, int]]) -> bool:
        """Let one of the untried combinations of a small space be drawn next; False where there is none."""
        if self.size > MOST_LISTED:
            return False
        every = (dict(zip(self.places, pick, strict=True)) for pick in product(*map(range, self._counts())))
        left = [places for places in every if places not in tried and self._allowed(places)]
        if left:
            number = len(self.trials)
            chosen = np.random.default_rng([self.config.training.seed, number]).integers(len(left))
            self.study.enqueue_trial(left[int(chosen)])
        return bool(left)

    def _counts(self) -> list[int]:
        return [len(axis.options) for axis in self.axes]

    def _named(self, places: Mapping[str, int]) -> dict[str, Any]:
        """Return name -> value of the positions on the axes."""
        chosen = zip(self.axes, self.places, strict=True)
        return {name: v for axis, key in chosen for name, v in axis.named(axis.options[places[key]]).items()}

    def _allowed(self, places: Mapping[str, int]) -> bool:
        """Return whether what was drawn goes together: a recursion and two directions, say, do not."""
        return accepts(self.config, self._named(places))

    def _outcome(self, asked: optuna.Trial) -> tuple[str, str | None]:
        """Train; return how the trial ended, and why it is not complete."""

        def stepped() -> None:
            if len(self.trials) > 1 and time.monotonic() >= self.deadline:
                raise OutOfTimeError

        def epoch_end(loss: float) -> None:
            self._update(curve=(*self.trials[-1].curve, loss))
            asked.report(loss, self.trials[-1].epochs)
            if asked.should_prune():
                raise optuna.TrialPruned

        try:
            self.selection.train(configured(self.config, self.trials[-1].params), stepped, epoch_end)
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
        """Change the running trial and tell of it."""
        self.trials[-1] = replace(self.trials[-1], seconds=time.monotonic() - self.began, **changes)
        if self.on_trial is not None:
            self.on_trial(self.trials[-1])

    def _placed(self, params: Mapping[str, Any]) -> dict[str, int]:
        """Return where on their axes the values are. Raises KeyError or ValueError for those that are nowhere."""
        found = (axis.options.index(tuple(params[name] for name in axis.names)) for axis in self.axes)
        return dict(zip(self.places, found, strict=True))

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return optuna.trial.create_trial(
            state=STATES[trial.state],
            value=trial.loss if trial.state == "complete" else None,
            params=self._placed(trial.params),
            distributions=self.places,
            intermediate_values=dict(enumerate(trial.curve, 1)),
        )
