"""Thresholds by numbers: what a person can read in a week, what verdicts move, what rules ignore."""

import numpy as np
import pytest

from models.anomaly.watch import (
    MARGIN,
    GivenVerdict,
    IgnoreRule,
    Judged,
    WatchRule,
    adjust_threshold,
    find_ignored,
    watch_span,
)
from models.data.series import Series
from models.errors import ConfigError
from tests.trained import HORIZON, Trained, values

WEEK = 168


def half_normal(weeks: int, seed: int = 0) -> np.ndarray:
    """Return hourly scores of values that are just as probable as they should be."""
    return np.abs(np.random.default_rng(seed).normal(size=weeks * WEEK))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], 3.0),
        ([(4.0, True)], 4.0 + MARGIN),  # this was normal: the same alarms no more
        ([(2.0, True)], 3.0),  # it was no alarm
        ([(2.5, False)], 2.5 - MARGIN),  # this was missed: the same alarms
        ([(4.0, False)], 3.0),  # it was found
        ([(4.0, True), (5.0, True), (3.5, True)], 5.0 + MARGIN),
        ([(4.0, True), (5.0, False)], 4.0 + MARGIN),
        ([(5.0, True), (4.0, False)], 3.0),  # they contradict each other: the newest holds, at the nearest
        ([(4.0, False), (5.0, True)], 5.0 + MARGIN),
        ([(5.0, True), (4.0, False), (4.2, False)], 3.0),  # two against one
        ([(100.0, True)], 3.0),  # no bound reaches it
        ([(0.5, False)], 3.0),  # nor that
    ],
)
def test_verdicts_move_a_threshold(verdicts: list[tuple[float, bool]], expected: float) -> None:
    assert adjust_threshold(3.0, [Judged(*one) for one in verdicts]) == pytest.approx(expected)


def test_rules_ignore_what_is_near_or_in_a_direction() -> None:
    y, expected = np.array([10.0, 12.0, 7.0, np.nan, 30.0]), np.array([10.0, 10.0, 10.0, 10.0, 20.0])

    def ignored(**rule: object) -> list[bool]:
        return find_ignored(y, expected, [IgnoreRule(**rule)]).tolist()  # type: ignore[arg-type]

    assert ignored(direction="up") == [False, True, False, False, True]
    assert ignored(direction="down") == [False, False, True, False, False]
    assert ignored(absolute=3.0) == [True, True, False, False, False]
    assert ignored(relative=0.31) == [True, True, True, False, False]
    both = find_ignored(y, expected, [IgnoreRule(direction="down"), IgnoreRule(absolute=3.0)])
    assert both.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("fields", [{}, {"direction": "up", "absolute": 1.0}])
def test_a_rule_says_one_thing(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        IgnoreRule(**fields)  # type: ignore[arg-type]


def test_a_watch_has_a_level_or_a_number() -> None:
    for fields in ({}, {"level": 0.9, "alarms_per_week": 1.0}, {"level": 1.0}, {"alarms_per_week": 0.0}):
        with pytest.raises(ConfigError):
            WatchRule(**fields)  # type: ignore[arg-type]


def spiky(trained: Trained) -> Series:
    y = values(400)
    y[[300, 350]] += [25.0, -25.0]
    return Series("a", y, trained.panel.series[0].grid)


def test_a_span_is_judged_as_its_values_would_be_one_by_one(trained: Trained) -> None:
    series = spiky(trained)
    runner, config = trained.fitted.runner, trained.fitted.config
    rule = WatchRule(level=0.9999)
    whole = watch_span(series, (280, 400), runner, config, rule)
    assert (280 + np.flatnonzero(whole.alarm)).tolist() == [300, 350]
    for at in (300, 301, 350):
        one = watch_span(Series("a", series.y[: at + 1], series.grid), (at, at + 1), runner, config, rule)
        assert one.score[0] == pytest.approx(whole.score[at - 280], rel=1e-3)
        assert (bool(one.alarm[0]), one.threshold) == (at != 301, whole.threshold)
        assert one.upper[0] == pytest.approx(whole.upper[at - 280], rel=1e-3)


def test_a_verdict_on_an_alarm_silences_the_like_of_it(trained: Trained) -> None:
    series = spiky(trained)
    runner, config = trained.fitted.runner, trained.fitted.config
    rule = WatchRule(level=0.9999)
    before = watch_span(series, (345, 355), runner, config, rule)
    normal = watch_span(
        series, (345, 355), runner, config, rule, verdicts=[GivenVerdict(300, True), GivenVerdict(350, True)]
    )
    assert (before.alarm.sum(), normal.alarm.sum()) == (1, 0)
    assert normal.threshold == pytest.approx(max(before.score[5], 0) + MARGIN, abs=2.0)
    stored = [GivenVerdict(-1, True, float(before.score[5]))]
    assert watch_span(series, (345, 355), runner, config, rule, stored).alarm.sum() == 0
    quiet = watch_span(series, (301, 345), runner, config, rule)
    missed = [GivenVerdict(301 + int(quiet.score.argmax()), False), GivenVerdict(999, True)]
    lowered = watch_span(series, (345, 355), runner, config, rule, missed).threshold
    assert lowered == pytest.approx(quiet.score.max() - MARGIN, abs=0.02)
    assert lowered < before.threshold
    ignore = (IgnoreRule(direction="down"),)
    assert watch_span(series, (290, 355), runner, config, WatchRule(level=0.9999, ignore=ignore)).alarm.sum() == 1


def test_another_number_of_steps_ahead_is_refused(trained: Trained) -> None:
    with pytest.raises(ConfigError):
        watch_span(
            spiky(trained),
            (300, 310),
            trained.fitted.runner,
            trained.fitted.config,
            WatchRule(level=0.9, ahead=HORIZON + 1),
        )
