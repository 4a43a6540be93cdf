"""Metrics against numbers worked out by hand."""

import numpy as np
import pytest

from models import metrics

ACTUAL = np.array([[1.0, 2.0, np.nan], [4.0, 0.0, -1.0]])
POINT = np.array([[2.0, 2.0, 9.0], [1.0, 0.0, 1.0]])


def test_point_measures() -> None:
    assert metrics.mae(ACTUAL, POINT) == pytest.approx((1 + 0 + 3 + 0 + 2) / 5)
    assert metrics.mse(ACTUAL, POINT) == pytest.approx((1 + 9 + 4) / 5)
    assert metrics.rmse(ACTUAL, POINT) == pytest.approx((14 / 5) ** 0.5)
    assert metrics.smape(ACTUAL, POINT) == pytest.approx(200 * (1 / 3 + 0 + 3 / 5 + 0 + 2 / 2) / 5)


def test_mase_is_in_units_of_the_season_error() -> None:
    history = np.array([1.0, 2.0, 4.0, np.nan, 5.0])
    assert metrics.season_error(history, 2) == pytest.approx((3 + 1) / 2)
    scale = np.array([[2.0], [np.nan]])
    assert metrics.mase(ACTUAL, POINT, scale) == pytest.approx((0.5 + 0) / 2)
    assert np.isnan(metrics.season_error(history, 5))


def test_quantile_measures() -> None:
    actual = np.array([10.0, 20.0])
    quantiles = np.array([[8.0, 12.0], [21.0, 25.0]])
    losses = [0.1 * 2, (1 - 0.9) * 2, (1 - 0.1) * 1, (1 - 0.9) * 5]
    assert metrics.pinball(actual, quantiles, (0.1, 0.9)) == pytest.approx(sum(losses) / 4)
    assert metrics.wql(actual, quantiles, (0.1, 0.9)) == pytest.approx(2 * sum(losses) / 30 / 2)
    assert metrics.coverage(actual, quantiles[:, 0], quantiles[:, 1]) == 0.5


def test_nothing_observed_is_nan() -> None:
    nothing = np.full((2, 3), np.nan)
    assert np.isnan(metrics.mae(nothing, POINT))
    assert np.isnan(metrics.wql(nothing, POINT[..., None], (0.5,)))
    assert np.isnan(metrics.coverage(nothing, POINT, POINT))
