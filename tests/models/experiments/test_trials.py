"""Trials as plain JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest

from models.errors import CheckpointError
from models.experiments.trials import Trial, read_trials

TRIAL = Trial(
    number=0, params={"hidden": 8, "cell": "gru"}, state="complete", curve=(2.0, 1.5), seconds=3.0, search="x"
)


def test_a_trial_comes_back_from_json() -> None:
    record = json.loads(json.dumps(TRIAL.to_dict(), allow_nan=False))
    assert record["loss"] == 1.5
    assert record["epochs"] == 2
    assert Trial.from_dict(record) == TRIAL


def test_the_last_record_of_a_trial_counts() -> None:
    running = replace(TRIAL, state="running", curve=())
    next_one = replace(running, number=1)
    records = [trial.to_dict() for trial in (running, TRIAL, next_one)]
    assert read_trials(records, "x") == [TRIAL, next_one]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {**TRIAL.to_dict(), "colour": 1},
        {**TRIAL.to_dict(), "curve": None},
        {**TRIAL.to_dict(), "curve": ["much"]},
        {**TRIAL.to_dict(), "curve": []},
        {**TRIAL.to_dict(), "number": 1},
        {**TRIAL.to_dict(), "search": "y"},
        [],
    ],
)
def test_damaged_and_foreign_trials_are_refused(record: Any) -> None:
    with pytest.raises(CheckpointError):
        read_trials([record], "x")
