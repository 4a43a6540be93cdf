"""Demand: the week of sales, the dispersion of counts, the zeros of intermittent demand."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic.demand import (
    draw_counts,
    draw_events,
    draw_intermittent,
    draw_sales,
    sum_last,
    vary,
)

LENGTH = 1024


def correlate(x: Floats, lag: int) -> Floats:
    """Autocorrelation of each series (N, L) at a lag."""
    z = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    correlation: Floats = np.mean(z[:, lag:] * z[:, :-lag], axis=1)
    return correlation


def test_the_last_steps_are_summed_each_series_with_its_own_number() -> None:
    x = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4]])
    assert sum_last(x, np.array([2, 3])).tolist() == [[1, 3, 5, 7], [1, 3, 6, 9]]
    assert sum_last(x, np.array([2, 1]), np.array([1, 2])).tolist() == [[0, 1, 3, 5], [0, 0, 1, 2]]


def test_events_have_the_rate_and_the_sizes_of_their_range() -> None:
    events = draw_events(np.random.default_rng(0), (0.01, 0.03), (2.0, 4.0), np.zeros((500, 1000)))
    assert np.mean(events > 0) == pytest.approx(0.02, abs=0.001)
    assert events[events > 0].mean() == pytest.approx(3, abs=0.05)
    assert events[events > 0].min() >= 2


def test_sales_are_positive_and_have_a_week() -> None:
    x = draw_sales(np.random.default_rng(0), 500, LENGTH)
    assert x.min() > 0
    logs = np.log(x)
    assert np.median(correlate(logs, 7)) > np.median(correlate(logs, 3)) + 0.25
    assert np.mean(correlate(logs, 7) > correlate(logs, 3)) > 0.75


def test_counts_are_whole_and_half_of_them_is_more_than_poisson() -> None:
    x = draw_counts(np.random.default_rng(0), 1000, LENGTH)
    assert np.array_equal(x, np.floor(x))
    assert x.min() == 0
    # variance of neighbours' differences, in which levels and long seasons cancel: twice the mean where Poisson
    excess = np.diff(x, axis=1).var(1) / (2 * x.mean(1))
    assert np.quantile(excess, 0.1) == pytest.approx(1, abs=0.15)
    assert np.mean(excess > 2) > 0.3


def test_intermittent_demand_is_zero_most_of_the_time() -> None:
    x = draw_intermittent(np.random.default_rng(0), 1000, LENGTH)
    assert x.min() == 0
    assert 0.6 < np.mean(x == 0) < 0.85
    whole = (x == np.floor(x)).all(1)
    assert whole.mean() == pytest.approx(0.6, abs=0.05)
    assert x[x > 0].min() > 0.01
    waits = correlate((x > 0).astype(np.float64), 1)
    assert np.mean(waits > 0.05) > 0.4  # occurrences come together


def test_a_constant_series_gets_an_event() -> None:
    x = vary(np.random.default_rng(0), np.zeros((20, 8)))
    assert (x.sum(1) == 1).all()
    assert vary(np.random.default_rng(0), np.eye(4)).tolist() == np.eye(4).tolist()
