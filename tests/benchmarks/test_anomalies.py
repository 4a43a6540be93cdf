"""The threshold that the published scoreboard chooses."""

import math

import numpy as np
import pytest

from benchmarks.anomalies import find_best_threshold
from models.anomaly.nab import PROFILES, Profile, ScoredSeries, nab_score

STAMPS = np.arange(200, dtype=np.int64)
WINDOW = (100, 119)


def test_the_best_threshold_is_that_of_the_best_score() -> None:
    rng = np.random.default_rng(0)
    series = []
    for _ in range(4):
        score = np.round(rng.random(200), 2)
        score[100:120] += 0.3
        score[3] = np.nan
        series.append(ScoredSeries(score, STAMPS, (WINDOW, (170, 175))))
    for profile in PROFILES.values():
        threshold, best = find_best_threshold(series, profile)
        candidates = np.unique(np.concatenate([scored.score for scored in series]))
        every = [nab_score(series, float(scored), profile) for scored in candidates[~np.isnan(candidates)]]
        assert best == pytest.approx(max(every))
        assert nab_score(series, threshold, profile) == pytest.approx(best)


def test_flagging_nothing_is_the_best_of_a_bad_detector() -> None:
    score = np.where((STAMPS >= 100) & (STAMPS <= 119), 0.0, 1.0)
    assert find_best_threshold([ScoredSeries(score, STAMPS, (WINDOW,))], Profile(1.0, 1.0, 1.0)) == (math.inf, 0.0)
