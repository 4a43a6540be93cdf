"""Rates and sizes of a pretraining."""

from itertools import pairwise

import pytest

from models.training.pretraining.plan import CONTEXT_SHARES, CONTEXTS, LEAST_RATE, PretrainingPlan, measure_window


def test_the_rate_rises_stays_and_falls() -> None:
    plan = PretrainingPlan(steps=1000, rate=1e-3)
    rates = [plan.compute_rate(step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-3 / 50)
    assert rates[50:640] == [1e-3] * 590
    assert all(a >= b for a, b in pairwise(rates[640:]))
    assert rates[-1] == LEAST_RATE


def test_batches_hold_the_same_number_of_segments() -> None:
    plan = PretrainingPlan(steps=1)
    assert sum(CONTEXT_SHARES) == pytest.approx(1.0)
    for known in CONTEXTS:
        segments = plan.count_windows(known) * measure_window(known, 64) / 8
        assert 0.9 * plan.segments < segments <= plan.segments
