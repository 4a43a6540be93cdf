"""What a training carries from phase to phase, and its names in a checkpoint, which older releases wrote."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.errors import CheckpointError
from models.network.network import ConformalCorrection
from models.training.checkpoint import Checkpoint
from models.training.fit_state import BestRound, FitState, RunIdentity
from models.training.phase import REFIT, SELECT, PhaseState
from tests.models.examples import small

IDENTITY = RunIdentity(small(), "data", None)
ROUND = BestRound(
    phase=PhaseState(SELECT, 12, step=12, best_loss=0.5, best_step=6, train=[0.7, 0.6], val=[0.5, 0.6]),
    metrics={"gate": {"mae": 1.5}},
    gate={"a": [1, 2]},
    weights={"x": np.array([1.0, 2.0])},
    correction=ConformalCorrection(np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)),
    gate_quantiles=np.arange(12.0).reshape(2, 2, 3),
)
STATE = FitState(PhaseState(REFIT, 12, step=6), {"network/x": np.array([3.0])}, {}, ROUND)


def stored(state: FitState) -> Checkpoint:
    return Checkpoint.from_bytes(state.to_checkpoint(IDENTITY).to_bytes())


CHOICES = {"whole", "exact", "mean"}
"""fields of a configuration that older checkpoints lack"""


def test_a_state_returns_from_its_checkpoint() -> None:
    found = FitState.from_checkpoint(stored(STATE), IDENTITY)
    assert found.phase == STATE.phase
    assert list(found.learner) == ["network/x"]
    assert found.best_weights == {}
    best = found.best_round
    assert best is not None
    assert (best.phase, best.metrics, best.gate) == (ROUND.phase, ROUND.metrics, ROUND.gate)
    for name, value in ROUND.to_arrays().items():
        np.testing.assert_array_equal(best.to_arrays()[name], value)


def test_the_names_in_a_checkpoint_stay() -> None:
    checkpoint = replace(STATE, best_weights={"y": np.array([4.0])}).to_checkpoint(IDENTITY)
    assert list(checkpoint.record) == ["config", "data", "start", "state", "selected"]
    assert list(checkpoint.record["selected"]) == ["state", "metrics", "gate"]
    assert set(checkpoint.arrays) == {
        *("network/x", "best/y", "selected/x"),
        *("calibration/added", "calibration/widened", "judged/quantiles"),
        *("calibration/lean", "calibration/excess", "calibration/history"),
    }


def test_the_checkpoint_of_a_release_without_means_and_counts_goes_on() -> None:
    checkpoint = stored(STATE)
    newer = ("lean", "excess", "history")
    arrays = {name: value for name, value in checkpoint.arrays.items() if not name.endswith(newer)}
    config = {name: value for name, value in checkpoint.record["config"].items() if name not in CHOICES}
    found = FitState.from_checkpoint(Checkpoint({**checkpoint.record, "config": config}, arrays), IDENTITY)
    assert found.best_round is not None
    assert [float(getattr(found.best_round.correction, name)) for name in newer] == [1, 0, 0]


def test_a_select_phase_has_no_best_round_yet() -> None:
    state = FitState(PhaseState(SELECT, 12), {}, {"y": np.array([4.0])}, None)
    found = FitState.from_checkpoint(stored(state), IDENTITY)
    assert found.best_round is None
    assert found.best_weights["y"].tolist() == [4.0]


def test_a_round_without_a_gate_has_no_quantiles() -> None:
    state = replace(STATE, best_round=replace(ROUND, gate=None, gate_quantiles=None))
    best = FitState.from_checkpoint(stored(state), IDENTITY).best_round
    assert best is not None
    assert best.gate is None
    assert best.gate_quantiles is None


@pytest.mark.parametrize("other", [{"config": small(12)}, {"fingerprint": "others"}, {"start_digest": "weights"}])
def test_a_checkpoint_of_another_run_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="another configuration"):
        FitState.from_checkpoint(stored(STATE), replace(IDENTITY, **other))
