"""Evidence: what is told together, in one unit, by the past alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.anomaly.alarms import convert_to_level
from models.anomaly.evidence import OUTSIDE, weigh_evidence
from models.anomaly.likelihood import LEAST_SEEN
from models.anomaly.tails import judge_deviations

Floats = NDArray[np.float64]
DAY = 24
EXTREME = 11.4
"""standard deviations, for OUTSIDE"""


def hours(count: int = 2400, seed: int = 0) -> tuple[Floats, Floats]:
    """Return a series of hours, and what a good model forecasts of it."""
    expected = 10 * np.sin(2 * np.pi * np.arange(count) / DAY)
    return expected + np.random.default_rng(seed).normal(size=count), expected


def score(y: Floats, expected: Floats) -> Floats:
    deviation = np.abs(y - expected)
    return weigh_evidence(y, deviation, judge_deviations(deviation, 0.5)[1], DAY)


def test_ordinary_values_exceed_a_score_about_as_often_as_a_normal_distribution_does() -> None:
    scores = np.concatenate([score(*hours(seed=seed))[400:] for seed in range(6)])
    for limit in (2.0, 2.6):
        assert (scores > limit).mean() == pytest.approx(1 - convert_to_level(limit), rel=0.7)


def test_the_first_steps_have_the_improbability_of_their_values() -> None:
    y, expected = hours(LEAST_SEEN)
    y[40] += 8
    deviation = np.abs(y - expected)
    own = judge_deviations(deviation, 0.5)[1]
    np.testing.assert_allclose(weigh_evidence(y, deviation, own, DAY), own, rtol=1e-9)


def test_a_value_beyond_all_before_scores_highest_and_a_farther_one_higher() -> None:
    y, expected = hours()
    y[[1500, 2000]] = [60.0, 300.0]
    found = score(y, expected)
    assert found.argsort()[-2:].tolist() == [1500, 2000]
    assert found[1500] > EXTREME
    assert OUTSIDE < 32


def test_a_series_that_grows_is_not_beyond_its_past() -> None:
    y = np.arange(1500.0) ** 1.5 + np.random.default_rng(0).normal(size=1500)
    found = score(y, np.arange(1500.0) ** 1.5)
    assert (found[500:] > EXTREME).sum() == 0


def test_what_goes_on_and_is_no_extreme_is_told() -> None:
    """Of six hours in a row each one is one in twenty."""
    y, expected = hours()
    y[2000:2006] = expected[2000:2006] + 2.0
    deviation = np.abs(y - expected)
    own = judge_deviations(deviation, 0.5)[1]
    assert own[2000:2006].max() < 2.2
    assert score(y, expected)[2000:2010].max() > 1.2 * own[2000:2006].max()


def test_a_shape_that_the_forecast_follows_is_told() -> None:
    """A flat night where the model is always right: no residual tells of it."""
    y, expected = hours()
    expected[2000:2030] = 4.0
    y[2000:2030] = 4.0 + 0.2 * np.random.default_rng(5).normal(size=30)
    found = score(y, expected)
    assert np.nanmax(found[2005:2030]) > np.quantile(found[400:2000], 0.99)


def test_nothing_is_told_by_later_values() -> None:
    y, expected = hours()
    changed = y.copy()
    changed[1650:] = np.random.default_rng(9).normal(0, 1e5, len(y) - 1650)
    np.testing.assert_array_equal(score(y, expected)[:1650], score(changed, expected)[:1650])


def test_missing_values_have_no_score_and_hide_nothing() -> None:
    y, expected = hours()
    gone = np.random.default_rng(2).random(len(y)) < 0.3
    gone[2000] = False
    y[gone] = np.nan
    y[2000] = 60.0
    found = score(y, expected)
    np.testing.assert_array_equal(np.isnan(found), gone)
    assert np.nanargmax(found) == 2000
    assert np.isnan(weigh_evidence(np.full(20, np.nan), np.full(20, np.nan), np.full(20, np.nan), DAY)).all()


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_scores_know_no_unit(factor: float) -> None:
    """Deviations have none."""
    y, expected = hours(1500)
    deviation = np.abs(y - expected)
    own = judge_deviations(deviation, 0.5)[1]
    found = weigh_evidence(factor * y, deviation, own, DAY)
    np.testing.assert_allclose(found, weigh_evidence(y, deviation, own, DAY), rtol=1e-3)
