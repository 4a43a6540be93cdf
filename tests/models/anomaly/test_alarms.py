"""Thresholds by numbers: what a person can read in a week, and what alarms once."""

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from models.anomaly.alarms import (
    GREATEST_THRESHOLD,
    LEAST_THRESHOLD,
    choose_threshold,
    convert_to_level,
    convert_to_score,
    count_steps_per_week,
    find_alarms,
    follow_thresholds,
)

WEEK = 168


def half_normal(weeks: int, seed: int = 0) -> NDArray[np.float64]:
    """Return hourly scores of values that are just as probable as they should be."""
    return np.abs(np.random.default_rng(seed).normal(size=weeks * WEEK))


@pytest.mark.parametrize(("level", "score"), [(0.99, 2.5758), (0.999, 3.2905), (0.95, 1.96)])
def test_a_level_is_a_score(level: float, score: float) -> None:
    assert convert_to_score(level) == pytest.approx(score, abs=1e-4)
    assert convert_to_level(score) == pytest.approx(level, abs=1e-5)


@pytest.mark.parametrize("per_week", [0.5, 1.0, 3.0])
def test_as_many_alarms_a_week_as_were_asked_for(per_week: float) -> None:
    past, later = half_normal(10), half_normal(200, seed=1)
    threshold = choose_threshold(past, per_week, WEEK, rest=1)
    assert (later > threshold).sum() / 200 == pytest.approx(per_week, rel=0.6)


def test_scores_that_are_too_high_raise_the_threshold() -> None:
    past = 1.5 * half_normal(10)
    threshold = choose_threshold(past, 1.0, WEEK, rest=1)
    assert threshold > 1.3 * choose_threshold(half_normal(10), 1.0, WEEK, rest=1)
    assert (1.5 * half_normal(200, seed=1) > threshold).sum() / 200 == pytest.approx(1.0, rel=0.6)


def test_one_true_anomaly_of_the_past_hides_no_other_one() -> None:
    past = half_normal(6)
    assert choose_threshold(past, 0.1, WEEK, rest=1) == pytest.approx(3.55, abs=0.01)
    past[100] = 11.0
    assert choose_threshold(past, 0.1, WEEK, rest=1) < 4.2, "it is chosen below what was the second peak before"


def test_a_lasting_anomaly_counts_once() -> None:
    past = np.full(10 * WEEK, 1.0)
    past[500:512] = 6.0 - 0.01 * np.arange(12)
    past[[900, 1200]] = 5.0
    assert choose_threshold(past, 0.3, WEEK, rest=24) == pytest.approx(5.0)


def test_without_a_past_scores_are_taken_for_calibrated() -> None:
    expected = NormalDist().inv_cdf(1 - 1 / WEEK / 2)
    assert choose_threshold(np.full(20, np.nan), 1.0, WEEK, rest=1) == pytest.approx(expected)
    assert choose_threshold(np.empty(0), 1.0, WEEK, rest=1) == pytest.approx(expected)
    assert choose_threshold(np.empty(0), 1000.0, WEEK, rest=1) == LEAST_THRESHOLD
    assert choose_threshold(np.empty(0), 1e-200, WEEK, rest=1) == GREATEST_THRESHOLD


@pytest.mark.parametrize(("frequency", "steps"), [("h", 168), ("5min", 2016), ("D", 7)])
def test_a_week_has_so_many_steps(frequency: str, steps: float) -> None:
    assert count_steps_per_week(frequency) == steps


def test_thresholds_follow_the_past_of_each_step() -> None:
    score = half_normal(12)
    score[[5, 300, 301]] = [np.nan, 7.0, np.nan]
    found = follow_thresholds(score, 1.0, WEEK, 24)
    for step in (0, 4, 6, 200, 301, 302, 2015):
        assert found[step] == pytest.approx(choose_threshold(score[:step], 1.0, WEEK, 24))


def test_thresholds_settle_where_as_many_alarms_come_as_were_asked_for() -> None:
    score = 1.5 * half_normal(200)
    alarms = find_alarms(np.where(score > follow_thresholds(score, 1.0, WEEK, 24), score, 0.0), 24) > 0
    assert alarms[20 * WEEK :].sum() / 180 == pytest.approx(1.0, rel=0.35)


def test_an_anomaly_that_goes_on_alarms_once() -> None:
    score = np.array([0.0, 5.0, 4.0, 5.0, np.nan, 6.0, 1.0, 2.0, 3.0, 3.0])
    assert find_alarms(score, 3).tolist() == [0, 5, 0, 0, 0, 6, 0, 0, 0, 0]
    assert find_alarms(score, 1).tolist() == [0, 5, 0, 5, 0, 6, 0, 2, 3, 0]
    changed = np.append(score[:6], [9.0, 9.0])
    np.testing.assert_array_equal(find_alarms(changed, 3)[:6], find_alarms(score, 3)[:6])
