"""Shapes: a patch that was there before is near, one that was not is far, in any unit and at any level."""

import numpy as np
import pytest

from models.anomaly.shapes import LENGTH, measure_shapes
from models.anomaly.stages import FIRST


def waves(count: int = 1200) -> np.ndarray:
    noise = np.random.default_rng(0).normal(scale=0.05, size=count)
    return np.sin(2 * np.pi * np.arange(count) / 24) + noise


def test_a_shape_that_never_was_is_far_though_each_value_is_ordinary() -> None:
    y = waves()
    y[700:730] = 0.4
    for measure in measure_shapes(y):
        assert np.isnan(measure[:FIRST]).all()
        assert np.isfinite(measure[FIRST:]).all()
        assert measure[720] > 2.5 * np.quantile(measure[FIRST:700], 0.99)
        assert np.nanargmax(measure) in range(700, 730 + LENGTH)


@pytest.mark.parametrize(("factor", "level"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e6)])
def test_distances_have_the_unit_of_the_series(factor: float, level: float) -> None:
    y = waves()
    for one, other in zip(measure_shapes(y), measure_shapes(factor * y + level), strict=True):
        np.testing.assert_allclose(other[FIRST:], factor * one[FIRST:], rtol=1e-4, atol=1e-5 * factor)


def test_nothing_is_told_by_later_values() -> None:
    y = waves()
    changed = np.concatenate([y[:650], 100 * y[650:]])
    for one, other in zip(measure_shapes(y), measure_shapes(changed), strict=True):
        np.testing.assert_array_equal(one[:650], other[:650])


@pytest.mark.parametrize("count", [0, LENGTH - 1, LENGTH, FIRST])
def test_a_short_series_has_no_distances(count: int) -> None:
    assert np.isnan(np.stack(measure_shapes(waves(count)))).all()


def test_a_constant_series_is_near_to_itself() -> None:
    distance, rebuilt = measure_shapes(np.full(500, 3.0))
    assert np.nanmax(distance) == np.nanmax(rebuilt) == 0
