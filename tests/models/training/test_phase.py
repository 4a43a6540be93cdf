"""How long a run is foreseen to take."""

import pytest

from models.training.phase import REFIT, SELECT, PhaseState
from models.training.progress import estimate_steps_left


@pytest.mark.parametrize(
    ("state", "patience", "left"),
    [
        (PhaseState(SELECT, 100), None, 200),
        (PhaseState(SELECT, 100, step=40, best_step=40), None, 160),
        (PhaseState(SELECT, 100, step=40, best_step=20, stale=2), None, 80),
        (PhaseState(SELECT, 100, step=40, best_step=20, stale=2), 3, 30),
        (PhaseState(SELECT, 100, step=90, best_step=70, stale=2), 7, 80),
        (PhaseState(REFIT, 100, stop_step=30, step=10), 3, 20),
    ],
)
def test_estimate_steps_left(state: PhaseState, patience: int | None, left: int) -> None:
    assert estimate_steps_left(state, 10, patience) == left
