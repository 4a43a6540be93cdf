"""The theta method."""

import numpy as np
import pytest

from models.classical.theta import forecast_theta

RNG = np.random.default_rng(0)


def test_half_of_a_trend_is_added_to_the_level() -> None:
    """Of a line without noise the smoothing follows the last value, and half of the slope goes on."""
    found = forecast_theta(10 + 2 * np.arange(40.0), 4)
    assert np.diff(found) == pytest.approx([1, 1, 1])
    assert found[0] == pytest.approx(88.5, abs=1.5)


def test_noise_stays_where_it_is_and_short_histories_have_their_last_value() -> None:
    noise = RNG.normal(0, 1, 200)
    assert np.abs(forecast_theta(noise, 12)).max() < 0.5
    assert (forecast_theta(np.array([1.0, 2.0]), 3) == 2).all()
    assert np.isnan(forecast_theta(np.array([np.nan]), 2)).all()


def test_gaps_are_filled_along_a_line() -> None:
    y = np.arange(30.0)
    holed = y.copy()
    holed[[0, 5, 6, 29]] = np.nan
    assert np.isfinite(forecast_theta(holed, 5)).all()
