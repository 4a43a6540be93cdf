"""Stages: every step is judged once, by half of what came before it at least, and never by what follows."""

import pytest

from models.anomaly.stages import FIRST, list_stages


@pytest.mark.parametrize("count", [FIRST + 1, 2 * FIRST, 777, 20_000])
def test_each_step_lies_in_one_stage_that_knows_half_of_the_past(count: int) -> None:
    judged: list[int] = []
    for stage in list_stages(count):
        steps = range(stage.learned, stage.end)
        judged += steps
        assert all(2 * stage.learned >= step for step in steps)
    assert judged == list(range(FIRST, count))


@pytest.mark.parametrize("count", [0, 1, FIRST])
def test_too_few_steps_have_none(count: int) -> None:
    assert list(list_stages(count)) == []


def test_learning_again_costs_twice_learning_once() -> None:
    assert sum(stage.end for stage in list_stages(100_000)) < 2.6 * 100_000
