"""Widths: how far levels move so that as much comes true within them as they say."""

import numpy as np
import pytest

from models.arrays import Floats
from models.inference.widths import (
    LEAST_FORECASTS,
    WIDEST,
    IntervalWidths,
    choose_steps,
    count_ages,
    find_weighted_quantile,
    measure_factors,
)
from tests.models.examples import small

CONFIG = small(24)
STEPS = np.concatenate(choose_steps(24))
NORMAL = 1.2816
"""standard deviations from the median to the level 0.9"""


def forecasts(count: int, distance: float = 1.0) -> Floats:
    """Return (count, S, 3): levels at the same distance on both sides of zero."""
    return np.broadcast_to(np.array([-distance, 0.0, distance]), (count, len(STEPS), 3)).copy()


def noise(count: int, deviation: float, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(0, deviation, (count, len(STEPS)))


def factors_of(count: int, deviation: float, ages: Floats | None = None) -> Floats:
    found = measure_factors(forecasts(count), noise(count, deviation), _ages(count) if ages is None else ages, CONFIG)
    assert found is not None
    return found


def _ages(count: int) -> Floats:
    return np.repeat(np.arange(count, 0, -1.0)[:, None], len(STEPS), axis=1)


def test_levels_too_near_are_moved_out_and_those_too_far_in() -> None:
    wide = factors_of(1000, 2.0, np.zeros((1000, len(STEPS))))
    narrow = factors_of(1000, 0.25, np.zeros((1000, len(STEPS))))
    assert wide.shape == (3, 24)
    assert wide[[0, 2]] == pytest.approx((2 * NORMAL) ** (1000 / 1010), rel=0.06)
    assert narrow[[0, 2]] == pytest.approx((NORMAL / 4) ** (1000 / 1030), rel=0.06)
    np.testing.assert_array_equal(wide[1], 1)


def test_each_side_and_each_part_of_the_horizon_has_its_own_factor() -> None:
    actual = np.abs(noise(200, 1.0))
    actual[:, STEPS >= 12] *= 3
    found = measure_factors(forecasts(200), actual, np.zeros_like(actual), CONFIG)
    assert found is not None
    assert found[0, 0] < 0.2, "nothing was ever below the median"
    assert found[2, 23] == pytest.approx(3 * found[2, 0], rel=0.4)
    assert len(set(found[2].tolist())) == 4


def test_what_is_little_is_hardly_believed_and_less_not_at_all() -> None:
    assert measure_factors(forecasts(7), noise(7, 5.0), _ages(7), CONFIG) is None
    few, many = factors_of(LEAST_FORECASTS, 2.0)[2, 0], factors_of(64, 2.0)[2, 0]
    assert 1 < few < many < 2 * NORMAL + 0.5


def test_what_lies_near_counts_for_more() -> None:
    actual = noise(64, 1.0)
    actual[:48] *= 10
    recent = measure_factors(forecasts(64), actual, 4 * _ages(64), CONFIG)
    equal = measure_factors(forecasts(64), actual, np.zeros_like(actual), CONFIG)
    assert recent is not None
    assert equal is not None
    assert (recent[2] < equal[2] / 2).all()


def test_missing_values_and_levels_at_the_median_say_nothing() -> None:
    actual = noise(64, 2.0)
    gappy = actual.copy()
    gappy[::2] = np.nan
    ages = _ages(64)
    kept = measure_factors(forecasts(32), actual[1::2], ages[1::2], CONFIG)
    found = measure_factors(forecasts(64), gappy, ages, CONFIG)
    assert kept is not None
    assert found is not None
    np.testing.assert_allclose(found, kept)
    flat = measure_factors(np.zeros_like(forecasts(64)), actual, ages, CONFIG)
    assert flat is not None
    np.testing.assert_array_equal(flat, 1)


def test_no_level_moves_further_than_the_limit() -> None:
    assert factors_of(1000, 1e6).max() <= WIDEST
    assert factors_of(1000, 1e-6).min() >= 1 / WIDEST


def test_levels_stay_in_order_and_within_bounds() -> None:
    factors = np.array([[2.0], [1.0], [3.0], [0.5]])
    quantiles = np.array([[1.0], [5.0], [6.0], [9.0]])
    moved = IntervalWidths(factors, 1, 0.0, 7.5).apply(quantiles)
    np.testing.assert_array_equal(moved[:, 0], [0.0, 5.0, 7.0, 7.5])
    np.testing.assert_array_equal(quantiles[:, 0], [1, 5, 6, 9])


def test_steps_are_spread_over_the_whole_horizon() -> None:
    assert [part.tolist() for part in choose_steps(24)] == [[0, 2, 5], [6, 8, 11], [12, 14, 17], [18, 20, 23]]
    assert [part.tolist() for part in choose_steps(3)] == [[0], [1], [2]]
    assert [part.tolist() for part in choose_steps(1)] == [[0]]


def test_ages_are_days_or_steps() -> None:
    assert count_ages(np.array([48]), CONFIG).tolist() == [2.0]


def test_a_weighted_quantile_is_that_of_repeated_values() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0])
    assert find_weighted_quantile(values, weights, 0.25) == 1.0
    assert find_weighted_quantile(values, weights, 0.625) == 2.0
    assert find_weighted_quantile(values, weights, 0.99) == 3.0


def test_whole_numbers_stay_whole() -> None:
    factors = np.array([[1.6], [1.0], [1.6]])
    counts = np.array([[1.0], [3.0], [5.0]])
    widths = IntervalWidths(factors, 1, 0.0, np.inf, whole=True)
    np.testing.assert_array_equal(widths.apply(counts), [[0.0], [3.0], [6.0]])
    np.testing.assert_allclose(widths.apply(counts + 0.5), [[0.3], [3.5], [6.7]])
