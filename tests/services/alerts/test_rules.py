"""Rules by numbers: thresholds on forecasts, and when a state changes."""

import numpy as np
import pytest

from app.services.alerts.rules import State, Transition, advance, find_crossing

MINUTE = 60_000_000
HOUR = 60 * MINUTE
STAMPS = HOUR * np.arange(1, 7)


@pytest.mark.parametrize(
    ("values", "limits", "end", "expected"),
    [
        ([1, 2, 9, 4, 8, 1], {"above": 7.5}, 6, (True, 9.0, 2)),  # the first step above, not the highest
        ([1, 2, 7, 4, 8, 1], {"above": 7.5}, 4, (False, 7.0, 2)),  # step 4 is after the span: the closest one
        ([1, 2, 7, 4, 8, 1], {"above": 7.5}, 5, (True, 8.0, 4)),  # a stamp at the end of the span is in it
        ([1, 2, 3, 4, 5, 6], {"above": 6.0}, 6, (False, 6.0, 5)),  # equal is not above
        ([5, 4, 3, 2, 1, 0], {"below": 2.5}, 6, (True, 2.0, 3)),
        ([5, 4, 3, 2, 1, 0], {"below": 0.0}, 6, (False, 0.0, 5)),
        ([-5, -4, -3, -2, -1, 0], {"below": -4.5}, 6, (True, -5.0, 0)),
        ([1, 2, 3, 4, 5, 6], {"above": -1e12}, 6, (True, 1.0, 0)),
    ],
)
def test_the_first_step_beyond_a_threshold_is_found(
    values: list[float], limits: dict[str, float], end: int, expected: tuple[bool, float, int]
) -> None:
    found = find_crossing(np.array(values, float), STAMPS, end * HOUR, **limits)
    assert found is not None
    assert (found.crossed, found.value, found.step) == expected


def test_a_span_without_a_step_or_a_value_says_nothing() -> None:
    assert find_crossing(np.ones(6), STAMPS, HOUR - 1, above=0.0) is None
    assert find_crossing(np.array([1, np.nan, 3, 4, 5, 6]), STAMPS, 6 * HOUR, above=0.0) is None
    assert find_crossing(np.array([1, 2, 3, 4, 5, np.nan]), STAMPS, 5 * HOUR, above=4.5) is not None


def play(steps: list[tuple[int, bool | None]], hold: int = 0, keep: int = 0) -> list[tuple[int, Transition]]:
    """Return what is said of conditions that were judged at some minutes; None: nothing new was known."""
    said: list[tuple[int, Transition]] = []
    state: State | None = None
    for minute, active in steps:
        state, transition = advance(state, active, minute * MINUTE, hold * MINUTE, keep * MINUTE)
        if transition is not None:
            said.append((minute, transition))
    return said


def test_each_change_is_said_once() -> None:
    judged = [(0, False), (1, True), (2, True), (3, None), (4, False), (5, False), (6, True)]
    assert play(judged) == [(1, "firing"), (4, "resolved"), (6, "firing")]


def test_a_condition_must_hold_for_its_time() -> None:
    assert play([(0, True), (9, True), (10, True)], hold=10) == [(10, "firing")]
    assert play([(0, True), (10, None)], hold=10) == [(10, "firing")], "time passes without evidence too"
    assert play([(0, True), (5, False), (6, True), (10, True), (15, None), (16, None)], hold=10) == [(16, "firing")]
    assert play([(0, True), (9, False), (30, None)], hold=10) == []


def test_what_fires_is_kept_until_it_was_calm_for_long_enough() -> None:
    flapping = [(0, True), (1, False), (4, True), (5, False), (9, None), (10, None), (11, True)]
    assert play(flapping, keep=5) == [(0, "firing"), (10, "resolved"), (11, "firing")]
    assert play(flapping) == [(0, "firing"), (1, "resolved"), (4, "firing"), (5, "resolved"), (11, "firing")]


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (State(True, False, 7), 7 + 10),
        (State(False, True, 7), 7 + 20),
        (State(True, True, 7), None),
        (State(False, False, 7), None),
    ],
)
def test_a_state_knows_when_it_changes_by_itself(state: State, due: int | None) -> None:
    assert state.due_at(10, 20) == due
