"""Likelihoods: shares of earlier measures, and tails of earlier means."""

import numpy as np
import pytest

from models.anomaly.likelihood import GREATEST, LEAST_SEEN, REMEMBERED, compare_means, rank_improbability


def test_a_rank_is_the_share_of_the_measures_that_are_as_large() -> None:
    found = rank_improbability(np.array([3.0, 1.0, 2.0, 9.0, 2.0]))
    assert np.isnan(found[0])
    # of 1 and the step itself both are as large; of 2, 2; then the largest of four; then 4 of 5
    np.testing.assert_allclose(10 ** -found[1:], [2 / 2, 2 / 3, 1 / 4, 4 / 5])


def test_no_more_than_the_latest_measures_are_remembered() -> None:
    measure = np.concatenate([np.full(REMEMBERED, 5.0), np.zeros(REMEMBERED), [1.0]])
    assert 10 ** -rank_improbability(measure)[-1] == pytest.approx(1 / (REMEMBERED + 1))


def test_a_mean_is_compared_with_the_means_before_it() -> None:
    usual = np.random.default_rng(0).exponential(size=2000)
    found = compare_means(usual, 10)
    assert np.isnan(found[:LEAST_SEEN]).all()
    assert np.nanmean(found > 2) < 0.03, "one in a hundred, and the tail of a mean of ten is heavier"
    raised = usual.copy()
    raised[1500:1510] += 2.0
    assert compare_means(raised, 10)[1509] > 6
    np.testing.assert_array_equal(compare_means(raised, 10)[:1500], found[:1500])


def test_tails_end_where_they_mean_nothing() -> None:
    values = np.append(np.tile([0.0, 1.0], 100), 1e6)
    assert compare_means(values, 1)[-1] == GREATEST
    assert compare_means(np.ones(200), 1)[-1] == pytest.approx(np.log10(2))
