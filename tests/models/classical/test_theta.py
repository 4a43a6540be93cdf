"""The theta method."""

import numpy as np
import pytest

from models.classical.theta import forecast_theta

RNG = np.random.default_rng(0)


def test_half_of_a_trend_is_added_to_the_level() -> None:
    """Of a line without noise the smoothing follows the last value, and half of the slope goes on."""
    found = forecast_theta(10 + 2 * np.arange(40.0), 4, 1)
    assert np.diff(found) == pytest.approx([1, 1, 1])
    assert found[0] == pytest.approx(88.5, abs=1.5)


def test_a_season_is_repeated_whether_it_adds_or_multiplies() -> None:
    steps = np.arange(48 + 12)
    profile = np.sin(2 * np.pi * steps / 12)
    for y in (profile - 3, (100 + steps) * (1 + 0.3 * profile)):
        found = forecast_theta(y[:48] + RNG.normal(0, 0.01, 48), 12, 12)
        assert np.abs(found - y[48:]).max() < 0.1 * np.ptp(y)


def test_noise_has_no_season_and_short_histories_their_last_value() -> None:
    noise = RNG.normal(0, 1, 60)
    assert np.ptp(np.diff(forecast_theta(noise, 12, 12))) < 1e-9
    assert (forecast_theta(np.array([1.0, 2.0]), 3, 12) == 2).all()
    assert np.isnan(forecast_theta(np.array([np.nan]), 2, 1)).all()


def test_gaps_are_filled_along_a_line() -> None:
    y = np.arange(30.0)
    holed = y.copy()
    holed[[0, 5, 6, 29]] = np.nan
    assert np.isfinite(forecast_theta(holed, 5, 1)).all()
