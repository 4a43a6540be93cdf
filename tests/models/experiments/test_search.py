"""The search: never worse than where it starts, the same each time, resumable, blind to the gate."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from models.config.model import Config
from models.data.series import Panel
from models.data.splits import plan_spans
from models.errors import CheckpointError, ConfigError, TrainingDataError
from models.experiments.search import search
from models.experiments.selection import SelectPhase
from models.experiments.trials import SearchResult, Trial
from models.training.fit import fit
from models.training.learner import Learner
from models.training.loop import train
from tests.models.examples import hourly_panel, small

pytestmark = pytest.mark.training

PANEL = hourly_panel(300, 2)
CONFIG = small(12, context_length=48, segment=12)
SPACE: dict[str, list[Any]] = {
    "context_length": [24, 96],
    "segment": [6, 24],
    "hidden": [4, 8, 32],
    "learning_rate": [1e-5, 1e-4, 1e-2],
    "dropout": [0.0, 0.3],
}
Objective = Callable[[Config, int], float]
"""configuration and epoch -> loss"""


def use(monkeypatch: pytest.MonkeyPatch, objective: Objective, epochs: int = 10) -> None:
    """Replace training by an objective, of which ten steps are an epoch."""

    def train(
        self: SelectPhase, config: Config, stepped: Callable[[], None], epoch_end: Callable[[float], None]
    ) -> None:
        for epoch in range(1, epochs + 1):
            for _ in range(10):
                stepped()
            epoch_end(objective(config, epoch))

    monkeypatch.setattr(SelectPhase, "train", train)


def bowl(config: Config, epoch: int) -> float:
    """An objective that is least at a hidden width of 32 and a learning rate of 1e-2."""
    far = abs(math.log(config.network.hidden / 32)) + abs(math.log(config.training.learning_rate / 1e-2))
    return 1 + far + config.network.dropout + 1 / epoch


def untimed(trials: tuple[Trial, ...]) -> list[Trial]:
    return [replace(trial, seconds=0.0) for trial in trials]


def records(result: SearchResult) -> list[dict[str, Any]]:
    """Return the trials as they come back from a file."""
    found: list[dict[str, Any]] = json.loads(json.dumps(result.to_dict(), allow_nan=False))["trials"]
    return found


def test_is_never_worse_than_the_configuration_which_is_the_first_trial() -> None:
    result = search(PANEL, CONFIG, trials=6)
    first = result.trials[0]
    assert first.loss is not None
    assert result.loss == min(t.curve[-1] for t in result.trials if t.state == "complete") <= first.loss
    assert search(PANEL, CONFIG, trials=1).config == CONFIG
    assert len(result.trials) == 6
    assert result.config.training.seed == CONFIG.training.seed
    fit(PANEL, result.config)


def test_the_first_trial_trains_as_the_select_phase_of_fit_does(monkeypatch: pytest.MonkeyPatch) -> None:
    curves: list[list[float]] = []
    found = fit(PANEL, CONFIG).report.loss_curve["val"]

    def listening(*args: Any) -> Any:
        curves.append(args[3].val)
        return train(*args)

    monkeypatch.setattr("models.experiments.selection.train", listening)
    search(PANEL, CONFIG, trials=1)
    assert curves == [found]


def test_is_deterministic_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, second = (search(PANEL, CONFIG, trials=5, space=SPACE) for _ in range(2))
    assert untimed(first.trials) == untimed(second.trials)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_tries_other_combinations(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl)
    other = replace(CONFIG, training=replace(CONFIG.training, seed=2**63 - 1))
    tried = [[t.params for t in search(PANEL, config, trials=8).trials[1:]] for config in (CONFIG, other)]
    assert tried[0] != tried[1]


def test_resuming_ends_in_the_trials_of_an_uninterrupted_search() -> None:
    whole = search(PANEL, CONFIG, trials=5, space=SPACE)
    shuffled = dict(sorted(SPACE.items()))
    resumed = search(
        PANEL, CONFIG, trials=5, space=shuffled, resume=records(search(PANEL, CONFIG, trials=3, space=SPACE))
    )
    assert untimed(resumed.trials) == untimed(whole.trials)
    assert resumed.config == whole.config


@pytest.mark.parametrize("done", [1, 9, 24])
def test_resuming_holds_for_what_the_sampler_models(monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    use(monkeypatch, bowl)
    whole = search(PANEL, CONFIG, trials=25)
    told = [trial.to_dict() for trial in whole.trials[:done]]
    running = replace(whole.trials[done], state="running", curve=(0.0,)).to_dict()
    resumed = search(PANEL, CONFIG, trials=25, resume=[*told, running])
    assert untimed(resumed.trials) == untimed(whole.trials)


def test_hopeless_trials_are_pruned_and_the_best_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl)
    result = search(PANEL, CONFIG, trials=40, space=SPACE)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert len(pruned) > 10
    assert all(trial.reason and trial.epochs < 10 for trial in pruned)
    assert min(trial.curve[-1] for trial in pruned) > result.loss
    assert (result.config.network.hidden, result.config.training.learning_rate) == (32, 1e-2)


def test_pruning_happens_in_training_too() -> None:
    config = small(12, context_length=48, segment=12, training={"epochs": 4})
    result = search(PANEL, config, trials=8, space={"learning_rate": [1e-6, 2e-6, 1e-3, 6e-3, 2e-2, 5e-2, 1e-1]})
    assert any(trial.state == "pruned" and trial.epochs < 4 for trial in result.trials)


def test_no_combination_is_tried_twice_and_a_small_space_is_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl)
    result = search(PANEL, CONFIG, trials=100, space={"cell": ["gru"], "hidden": [8, 16], "dropout": [0.0, 0.1]})
    assert len({json.dumps(trial.params, sort_keys=True) for trial in result.trials}) == len(result.trials) == 8


def test_a_spent_budget_still_finishes_the_first_trial() -> None:
    result = search(PANEL, CONFIG, trials=10, time_budget_s=1e-9)
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("complete", 2)]


def test_a_budget_stops_the_running_trial_which_a_resumed_search_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def objective(config: Config, epoch: int) -> float:
        clock[0] += 1.0
        return bowl(config, epoch)

    use(monkeypatch, objective)
    monkeypatch.setattr("models.experiments.search.time", SimpleNamespace(monotonic=lambda: clock[0]))
    whole = search(PANEL, CONFIG, trials=4)
    stopped = search(PANEL, CONFIG, trials=4, time_budget_s=14.5)
    assert [trial.state for trial in stopped.trials] == ["complete", "stopped"]
    assert stopped.trials[1].epochs == 5
    assert stopped.config == CONFIG
    again = search(PANEL, CONFIG, trials=4, time_budget_s=14.5, resume=records(stopped))
    assert [trial.state for trial in again.trials] == ["complete"]
    longer = search(PANEL, CONFIG, trials=4, time_budget_s=100, resume=records(stopped))
    assert longer.trials == whole.trials


def test_values_from_the_gate_on_change_nothing() -> None:
    changed = []
    for one, spans in zip(PANEL.series, plan_spans(PANEL, CONFIG), strict=True):
        y = one.y.copy()
        assert spans.gate
        y[spans.selection_end :] += 1000 * np.random.default_rng(1).random(len(y) - spans.selection_end)
        changed.append(replace(one, y=y))
    other = Panel(PANEL.frequency, tuple(changed))
    plain, found = (search(panel, CONFIG, trials=4, space=SPACE) for panel in (PANEL, other))
    assert untimed(found.trials) == untimed(plain.trials)


def test_selection_values_change_the_loss_alone() -> None:
    one, spans = PANEL.series[0], plan_spans(PANEL, CONFIG)[0]
    y = one.y.copy()
    y[spans.selection_end - 1] += 3.0
    other = Panel(PANEL.frequency, (replace(one, y=y), *PANEL.series[1:]))
    plain, found = (search(panel, CONFIG, trials=1) for panel in (PANEL, other))
    assert plain.loss != found.loss


def test_every_trial_is_told_from_its_beginning_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl, epochs=2)
    told: list[Trial] = []
    result = search(PANEL, CONFIG, trials=2, on_trial=told.append)
    assert [(t.number, t.state, t.epochs) for t in told] == [
        (number, *seen)
        for number in (0, 1)
        for seen in (("running", 0), ("running", 1), ("running", 2), ("complete", 2))
    ]
    assert told[0].loss is None
    resumed = search(PANEL, CONFIG, trials=2, resume=[trial.to_dict() for trial in told])
    assert resumed.trials == result.trials


@pytest.mark.parametrize("error", [TrainingDataError("diverged", "no number"), torch.OutOfMemoryError("full")])
def test_a_failed_trial_is_not_the_end(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def objective(config: Config, epoch: int) -> float:
        if config.network.hidden == 32:
            raise error
        return bowl(config, epoch)

    use(monkeypatch, objective)
    result = search(PANEL, CONFIG, trials=4, space={"hidden": [4, 8, 32]})
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert [trial.params["hidden"] for trial in failed] == [32]
    assert failed[0].reason
    assert len(result.trials) == 4
    resumed = search(PANEL, CONFIG, trials=4, space={"hidden": [4, 8, 32]}, resume=records(result))
    assert resumed.trials == result.trials


def test_training_that_diverges_fails_its_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Learner.step
    monkeypatch.setattr(
        Learner, "step", lambda self, *a: math.nan if self.config.network.hidden == 32 else step(self, *a)
    )
    result = search(PANEL, CONFIG, trials=2, space={"hidden": [32]})
    assert [trial.state for trial in result.trials] == ["complete", "failed"]
    assert "diverged" in str(result.trials[1].reason)


@pytest.mark.parametrize(("code", "said"), [("diverged", "every trial failed"), ("too_short", "so it is")])
def test_nothing_but_failures_is_an_error(monkeypatch: pytest.MonkeyPatch, code: str, said: str) -> None:
    def objective(config: Config, epoch: int) -> float:
        raise TrainingDataError(code, "so it is")

    use(monkeypatch, objective)
    with pytest.raises(TrainingDataError, match=said) as e:
        search(PANEL, CONFIG, trials=3)
    assert e.value.code == code


def test_a_panel_without_a_selection_span_is_too_short() -> None:
    with pytest.raises(TrainingDataError) as e:
        search(hourly_panel(20), CONFIG, trials=3)
    assert e.value.code == "too_short"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("search.trials", {"trials": 0}),
        ("search.trials", {"trials": True}),
        ("search.trials", {"trials": 1001}),
        ("search.time_budget_s", {"time_budget_s": 0}),
        ("search.time_budget_s", {"time_budget_s": math.nan}),
        ("search.space", {"space": {}}),
        ("search.space.seed", {"space": {"seed": [1]}}),
        ("search.space.hidden", {"space": {"hidden": [0]}}),
    ],
)
def test_bad_options_are_named(field: str, options: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError) as e:
        search(PANEL, CONFIG, **{"trials": 3, **options})
    assert e.value.field == field


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a GPU")
def test_a_missing_device_is_named() -> None:
    with pytest.raises(ConfigError, match="no CUDA device"):
        search(PANEL, CONFIG, trials=1, device="cuda")


def test_trials_of_another_search_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl)
    done = records(search(PANEL, CONFIG, trials=3, space=SPACE))
    other = hourly_panel(299, 2)
    for panel, config, space in (
        (other, CONFIG, SPACE),
        (PANEL, replace(CONFIG, horizon=11), SPACE),
        (PANEL, CONFIG, {"hidden": [8]}),
    ):
        with pytest.raises(CheckpointError, match="belong to another"):
            search(panel, config, trials=3, space=space, resume=done)
    with pytest.raises(CheckpointError, match="missing"):
        search(PANEL, CONFIG, trials=3, space=SPACE, resume=done[1:])
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        search(PANEL, CONFIG, trials=3, space=SPACE, resume=[{**done[0], "params": {"hidden": 5}}])


def test_nothing_is_printed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, bowl)
    search(PANEL, CONFIG, trials=3)
    assert capfd.readouterr() == ("", "")


def test_what_contradicts_itself_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl)
    config = small(12, context_length=48, segment=1)
    space = {"decoder": ["recursive", "parallel"], "bidirectional": [False, True], "convolution": [0, 2]}
    result = search(PANEL, config, trials=20, space=space)
    tried = [trial.params for trial in result.trials]
    assert len(tried) == 5  # of eight; the others are recursions that read both ways or through a convolution
    assert sum(params["decoder"] == "recursive" for params in tried) == 1


def test_the_last_combinations_of_a_small_space_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl, epochs=1)
    space = {"dropout": [k / 100 for k in range(20)], "weight_decay": [k / 100 for k in range(10)]}
    result = search(PANEL, CONFIG, trials=1000, space=space)
    assert len({json.dumps(trial.params, sort_keys=True) for trial in result.trials}) == len(result.trials) == 200


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9")])
def test_what_does_not_fit_into_memory_fails_its_trial(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def much(config: Config, epoch: int) -> float:
        if config.network.hidden > 16:
            raise error
        return bowl(config, epoch)

    use(monkeypatch, much)
    result = search(PANEL, CONFIG, trials=3, space={"hidden": [8, 32]})
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert [trial.params["hidden"] for trial in failed] == [32]
    assert failed[0].reason == "it does not fit into the memory of the device"


def test_without_prophet_no_trial_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bowl)
    monkeypatch.setitem(sys.modules, "prophet", None)
    told: list[Trial] = []
    with pytest.raises(ConfigError, match="pip install"):
        search(PANEL, CONFIG, trials=3, space={"prophet": [0, 2]}, on_trial=told.append)
    assert told == []


def test_losses_are_compared_by_the_error_of_the_median() -> None:
    result = search(PANEL, CONFIG, trials=4, space={"loss": ["quantile", "mae", "mse", "huber"]})
    assert {trial.params["loss"] for trial in result.trials} == {"quantile", "mae", "mse", "huber"}
    losses = [trial.loss for trial in result.trials if trial.loss is not None]
    assert max(losses) < 1.5 * min(losses)  # of one kind, and of networks that learn much the same
    alone = search(PANEL, CONFIG, trials=1).loss  # mean of all levels, which is less than that of the median
    assert alone < 0.95 * losses[0]
