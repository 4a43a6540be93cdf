"""How improbable a deviation is, by those before it."""

import numpy as np
import pytest
from scipy.special import ndtri

from models.anomaly.tails import half_normal, judge_deviations


@pytest.mark.parametrize("law", ["normal", "laplace", "lognormal"])
@pytest.mark.parametrize(("level", "most_wrong"), [(0.9, 0.005), (0.99, 0.003), (0.999, 0.002)])
def test_a_share_of_the_level_lies_within_the_radius(law: str, level: float, most_wrong: float) -> None:
    values = np.abs(getattr(np.random.default_rng(0), law)(size=20_000))
    radius, _ = judge_deviations(values, level)
    assert np.mean(values[1000:] <= radius[1000:]) == pytest.approx(level, abs=most_wrong)


def test_few_values_are_judged_as_by_a_normal_law() -> None:
    radius, score = judge_deviations(np.array([0.5, 1.0, 3.0]), 0.95)
    assert radius[0] == pytest.approx(ndtri(0.975), rel=0.15)
    np.testing.assert_allclose(score, [0.5, 1.0, 3.0], rtol=0.25)


def test_a_level_lies_outside_where_the_score_says_so() -> None:
    values = np.abs(np.random.default_rng(1).standard_t(3, 3000))
    score = judge_deviations(values, 0.5)[1]
    for level in (0.8, 0.99, 0.999):
        radius = judge_deviations(values, level)[0]
        same = (values > radius) == (score > ndtri((1 + level) / 2))
        assert same.mean() > 0.998
        np.testing.assert_array_equal(judge_deviations(values, level)[1], score)


def test_wider_levels_reach_farther() -> None:
    values = np.abs(np.random.default_rng(2).normal(size=700))
    radii = np.stack([judge_deviations(values, level)[0] for level in (0.5, 0.9, 0.98, 0.99, 0.995, 0.999)])
    assert (np.diff(radii, axis=0) > 0).all()


def test_a_few_huge_values_do_not_hide_what_follows() -> None:
    values = np.abs(np.random.default_rng(3).normal(size=1000))
    clean, _ = judge_deviations(values, 0.99)
    values[600:603] = 1e6
    radius, score = judge_deviations(values, 0.99)
    assert (radius[603:] < 1.5 * clean[603:]).all()
    assert np.nanargmax(score) in (600, 601, 602)


def test_missing_values_take_no_part() -> None:
    values = np.abs(np.random.default_rng(4).normal(size=300))
    gappy = np.full(600, np.nan)
    gappy[::2] = values
    for found, expected in zip(judge_deviations(gappy, 0.99), judge_deviations(values, 0.99), strict=True):
        np.testing.assert_array_equal(found[::2], expected)
    assert np.isnan(judge_deviations(gappy, 0.99)[1][1::2]).all()
    assert judge_deviations(np.empty(0), 0.99)[0].shape == (0,)


def test_equal_values_are_ordinary() -> None:
    radius, score = judge_deviations(np.ones(1000), 0.99)
    assert (np.ones(1000) <= radius).all()
    np.testing.assert_allclose(score[600:], 0.0, atol=0.1)
    assert judge_deviations(np.append(np.zeros(1000), 1.0), 0.99)[1][-1] > 3


def test_half_normal_values_are_spread_like_normal_ones() -> None:
    found = half_normal(1000)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(1.0, abs=0.01)
    assert (np.diff(found) > 0).all()
