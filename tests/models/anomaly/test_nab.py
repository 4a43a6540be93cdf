"""Judging flagged points by labelled windows, and the score of the Numenta Anomaly Benchmark."""

import math

import numpy as np
import pytest

from models.anomaly.nab import PROFILES, ScoredSeries, judge_flags, nab_score, sum_judgements

STAMPS = np.arange(200, dtype=np.int64)
WINDOW = (100, 119)
"""twenty points"""


def flagged(*at: int, windows: tuple[tuple[int, int], ...] = (WINDOW,), n: int = 200) -> ScoredSeries:
    """Return a detector that flags these points."""
    score = np.zeros(n)
    score[list(at)] = 1.0
    return ScoredSeries(score, np.arange(n, dtype=np.int64), windows)


def sigmoid(x: float) -> float:
    return 2 / (1 + math.exp(5 * x)) - 1


def test_points_and_windows_are_counted() -> None:
    flags = np.isin(STAMPS, [10, 11, 12, 50, 99, 105, 106, 180])
    found = judge_flags(flags, STAMPS, [(100, 109), (150, 154), (300, 400)])
    assert (found.right, found.wrong, found.silent) == (2, 6, 13)
    assert (found.detected, found.missed, found.alarms) == (1, 1, 4)
    rates = found.to_dict()
    assert rates["points"] == pytest.approx({"precision": 2 / 8, "recall": 2 / 15, "f1": 4 / 23})
    assert rates["windows"] == pytest.approx({"precision": 1 / 5, "recall": 1 / 2, "f1": 2 / 7})


def test_a_window_holds_both_of_its_ends() -> None:
    for at in (100, 119):
        assert judge_flags(at == STAMPS, STAMPS, [WINDOW]).detected == 1
    assert judge_flags((STAMPS == 99) | (STAMPS == 120), STAMPS, [WINDOW]).alarms == 2


def test_counts_of_several_series_add_up() -> None:
    one = judge_flags(STAMPS == 100, STAMPS, [WINDOW])
    other = judge_flags(STAMPS == 5, STAMPS, [WINDOW, (150, 150)])
    assert sum_judgements([one, other]) == judge_flags(
        np.append(STAMPS == 100, STAMPS == 5), np.arange(400), [WINDOW, (300, 319), (350, 350)]
    )


def test_without_a_flag_or_a_label_rates_are_left_out() -> None:
    assert judge_flags(STAMPS < 0, STAMPS, []).to_dict() == {"points": {}, "windows": {}}
    assert judge_flags(STAMPS < 0, STAMPS, [WINDOW]).to_dict()["points"] == {"recall": 0.0, "f1": 0.0}


@pytest.mark.parametrize("name", PROFILES)
def test_flagging_nothing_scores_0_and_each_beginning_100(name: str) -> None:
    assert nab_score([flagged()], 0.5, PROFILES[name]) == 0.0
    both = [flagged(100), flagged(40, 160, windows=((40, 49), (160, 169)))]
    assert nab_score(both, 0.5, PROFILES[name]) == pytest.approx(100.0)


def test_a_window_is_worth_the_less_the_later_it_is_found() -> None:
    # positions run from -1 to -1/20; what is missed costs 1, what is found at once gains 1
    middle, end = (nab_score([flagged(at)], 0.5) for at in (110, 119))
    assert middle == pytest.approx(50 * (1 + sigmoid(-0.5) / sigmoid(-1)))
    assert end == pytest.approx(50 * (1 + sigmoid(-1 / 20) / sigmoid(-1)))
    assert nab_score([flagged(110, 115, 119)], 0.5) == middle


def test_a_false_alarm_costs_the_less_the_nearer_it_follows_a_window() -> None:
    just, near, far, before = (nab_score([flagged(100, at)], 0.5) for at in (120, 129, 190, 60))
    assert just == pytest.approx(100 + 50 * 0.11 * sigmoid(1 / 19))
    assert near == pytest.approx(100 + 50 * 0.11 * sigmoid(10 / 19))
    assert far == before == pytest.approx(100 - 50 * 0.11)
    assert nab_score([flagged(100, 60)], 0.5, PROFILES["low_fp"]) == pytest.approx(100 - 50 * 0.22)
    assert nab_score([flagged(60)], 0.5, PROFILES["low_fn"]) == pytest.approx(-100 / 3 * 0.11)


def test_the_probationary_part_is_not_judged() -> None:
    assert nab_score([flagged(0, 29)], 0.5) == 0.0
    assert nab_score([flagged(30)], 0.5) < 0
    long = 20_000
    assert nab_score([flagged(749, windows=((5000, 5100),), n=long)], 0.5) == 0.0
    assert nab_score([flagged(750, windows=((5000, 5100),), n=long)], 0.5) < 0
    with pytest.raises(ValueError, match="no labelled window"):
        nab_score([flagged(windows=((0, 20),))], 0.5)
