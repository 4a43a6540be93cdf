"""Resuming: from the checkpoint of any epoch, training ends in the same weights, bit by bit."""

from dataclasses import replace

import pytest

from models.config.model import Config
from models.data.series import Panel
from models.errors import CheckpointError
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from tests.models.examples import checkpoints, covariate_panel, hourly_panel, rich, small, state_of

pytestmark = pytest.mark.training


def assert_resumes(panel: Panel, config: Config) -> list[str]:
    """Resume from every checkpoint of a run; return the phases that they were written in."""
    whole, found = checkpoints(panel, config)
    for at in found:
        resumed = fit(panel, config, resume=Checkpoint.from_bytes(at.to_bytes()))
        assert state_of(resumed) == state_of(whole)
        ours, theirs = resumed.report.to_dict(), whole.report.to_dict()
        for timed in ("seconds", "windows_per_second"):
            del ours[timed], theirs[timed]
        assert ours == theirs
        assert resumed.report.gate == whole.report.gate
    return [at.record["state"]["name"] for at in found]


@pytest.mark.parametrize(
    ("panel", "training", "phases"),
    [
        (hourly_panel(300, 2), {"epochs": 3, "patience": 2}, {"select", "refit"}),
        (hourly_panel(80), {"epochs": 2, "loss": "mse"}, {"select", "refit"}),
        (hourly_panel(40), {"epochs": 2, "optimizer": "adam", "averaging": 0.0}, {"refit"}),
    ],
    ids=["gate", "selection", "neither"],
)
def test_a_resumed_run_is_the_same_run(panel: Panel, training: dict[str, object], phases: set[str]) -> None:
    config = small(24, len(panel.series[0].y), training, dropout=0.2)
    assert set(assert_resumes(panel, config)) == phases


@pytest.mark.parametrize(("length", "horizon"), [(160, 12), (100, 40)], ids=["selected", "refit alone"])
def test_a_resumed_ensemble_is_the_same_ensemble(length: int, horizon: int) -> None:
    panel = covariate_panel(length)
    training = {"epochs": 3, "weighting": "relative"}
    config = rich(panel, horizon, training, lookbacks=[48, 24], dropout=0.2, layers=2)
    phases = assert_resumes(panel, config)
    assert phases.count("select" if length == 160 else "refit") == 3
    assert "refit" in phases


def test_attention_and_a_law_are_resumed() -> None:
    network = {"attention": 2, "bidirectional": True, "convolution": 2, "layers": 2, "dropout": 0.3}
    config = small(12, 160, {"epochs": 2, "loss": "student_t"}, context_length=48, segment=12, **network)
    assert "refit" in assert_resumes(hourly_panel(160), config)


def test_a_recovery_is_resumed() -> None:
    panel, config = hourly_panel(40), small(24, 40, {"epochs": 4})
    _, found = checkpoints(panel, config)
    state = {**found[0].record["state"], "recoveries": 1, "rate_factor": 0.3}
    recovered = Checkpoint({**found[0].record, "state": state}, found[0].arrays)
    first = [fit(panel, config, resume=recovered) for _ in range(2)]
    assert state_of(first[0]) == state_of(first[1])
    assert "recovered" in first[0].report.warnings


def test_a_resumed_run_keeps_its_time_budget() -> None:
    panel, config = hourly_panel(), small(training={"epochs": 1000, "time_budget_s": 1.0})
    whole, found = checkpoints(panel, config)
    assert 0 < found[0].record["state"]["total_steps"] < 6000
    assert whole.report.seconds < 5
    resumed = fit(panel, config, resume=found[0])
    assert state_of(resumed) == state_of(whole)


def test_a_foreign_checkpoint_is_refused() -> None:
    panel, config = hourly_panel(), small(training={"epochs": 1})
    _, found = checkpoints(panel, config)
    with pytest.raises(CheckpointError, match="another"):
        fit(panel, small(training={"epochs": 2}), resume=found[0])
    with pytest.raises(CheckpointError, match="another"):
        fit(hourly_panel(301), config, resume=found[0])
    beside = covariate_panel(60, 1)
    config = rich(beside, training={"epochs": 1}, context_length=24)
    _, found = checkpoints(beside, config)
    other = covariate_panel(60, 2).series[1]
    for edit in ({"covariates": other.covariates}, {"static": other.static}):
        panel = Panel(beside.frequency, (replace(beside.series[0], **edit),))  # type: ignore[arg-type]
        with pytest.raises(CheckpointError, match="another"):
            fit(panel, config, resume=found[0])
