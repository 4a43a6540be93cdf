"""Surprise: levels that never followed those before are improbable, whatever their size."""

import numpy as np
import pytest

from models.anomaly.stages import FIRST
from models.anomaly.symbols import measure_surprise


def test_what_always_follows_surprises_nobody_and_what_never_did_does() -> None:
    y = np.tile([0.0, 1.0, 2.0, 3.0], 200)
    surprise = measure_surprise(y, 8, 3)
    assert np.isnan(surprise[:FIRST]).all()
    assert np.isfinite(surprise[FIRST:]).all()
    assert surprise[-50:].max() < 0.01
    y[600] = 2.0  # in the place of 0, within the range
    assert measure_surprise(y, 8, 3)[600] > 1.5
    assert measure_surprise(y, 8, 0)[600] < 0.7, "without its context it is ordinary"


def test_what_lies_beyond_the_range_is_a_symbol_of_its_own() -> None:
    y = np.tile([0.0, 1.0], 200)
    y[300] = 50.0
    surprise = measure_surprise(y, 4, 1)
    assert surprise[300] == np.nanmax(surprise)


def test_an_independent_series_has_the_entropy_of_its_symbols() -> None:
    y = np.random.default_rng(0).integers(0, 4, 20_000).astype(float)
    assert measure_surprise(y, 4, 1)[5000:].mean() == pytest.approx(np.log10(4), rel=0.02)


def test_nothing_is_told_by_later_values() -> None:
    y = np.random.default_rng(1).normal(size=1000)
    changed = np.concatenate([y[:650], 100 * y[650:]])
    np.testing.assert_array_equal(measure_surprise(y, 32, 1)[:650], measure_surprise(changed, 32, 1)[:650])


def test_a_constant_series_is_no_surprise() -> None:
    surprise = measure_surprise(np.full(500, 7.0), 32, 1)
    assert surprise[-1] < 0.01
