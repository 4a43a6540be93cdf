"""Trends: how far they lead, and the four shapes they have."""

import numpy as np
import pytest

from models.training.synthetic.trends import draw_trends


@pytest.mark.parametrize("length", [32, 2048])
def test_a_trend_leads_as_far_in_a_short_series_as_in_a_long_one(length: int) -> None:
    excursion = np.ptp(draw_trends(np.random.default_rng(0), 8000, length), axis=1)
    # three quarters |N(0, 0.4)|, the others |N(0, 3)|
    assert np.median(excursion) == pytest.approx(0.40, abs=0.05)
    assert np.mean(excursion > 1.5) == pytest.approx(0.25 * 0.617, abs=0.02)


def test_a_quarter_each_is_straight_and_broken() -> None:
    trends = draw_trends(np.random.default_rng(0), 2000, 500)
    bends = np.abs(np.diff(trends, 2, axis=1)) / np.ptp(trends, axis=1, keepdims=True)
    corners = (bends > 1e-9).sum(1)
    assert np.mean(corners == 0) == pytest.approx(0.25, abs=0.04)
    # a break between two steps bends the line at one or two of them
    broken = (corners > 0) & (corners <= 6)
    assert np.mean(broken) == pytest.approx(0.25, abs=0.04)


def test_trends_lead_upwards_as_often_as_downwards() -> None:
    trends = draw_trends(np.random.default_rng(0), 4000, 100)
    assert np.mean(trends[:, -1] > trends[:, 0]) == pytest.approx(0.5, abs=0.03)
