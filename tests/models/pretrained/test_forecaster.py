"""What the pretrained network forecasts, as the service runs it."""

import numpy as np
import pytest

from app.serving.pretrained import run_network
from models.arrays import Floats
from models.pretrained.contexts import LONGEST, lay_out
from models.pretrained.forecaster import ALL_LEVELS, LEVELS, MEDIAN, forecast_any, map_levels

RNG = np.random.default_rng(0)
HOUR = (24, 168)


def daily(steps: int, noise: float = 0.1) -> Floats:
    """Return hours with a daily wave."""
    return 10 + np.sin(2 * np.pi * np.arange(steps) / 24) + RNG.normal(0, noise, steps)


def test_a_wave_is_continued_for_days_and_for_a_month() -> None:
    y = daily(1024 + 720)
    quantiles = forecast_any(run_network, y[None, :1024], HOUR, 720)[0]  # (720, 9)
    missed = np.abs(quantiles[:, MEDIAN] - y[1024:])
    assert missed[:24].mean() < 0.2
    assert missed.mean() < 0.4
    assert quantiles.shape == (720, len(LEVELS))


@pytest.mark.parametrize("length", [1, 2, 3, 8, 25, 300, 1023, 10_000])
def test_any_length_has_a_forecast(length: int) -> None:
    quantiles = forecast_any(run_network, daily(length)[None], HOUR, 30)[0]
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (np.abs(quantiles - 10) < 15).all()


@pytest.mark.parametrize("season", [(), (4,), (7, 365), (12,), (24, 168), (60, 3600), (96, 672)])
def test_every_frequency_has_a_forecast(season: tuple[int, ...]) -> None:
    quantiles = forecast_any(run_network, daily(200)[None], season, 12)
    assert np.isfinite(quantiles).all()


def test_windows_do_not_depend_on_those_beside_them() -> None:
    y = np.stack([daily(512), 1e6 * daily(512), RNG.normal(0, 1, 512).cumsum(), np.full(512, 3.0)])
    together = forecast_any(run_network, y, HOUR, 48)
    for row in range(len(y)):
        alone = forecast_any(run_network, y[row : row + 1], HOUR, 48)[0]
        assert np.abs(alone - together[row]).max() <= 1e-6 * np.abs(y[row]).max()


def test_scale_and_place_of_a_series_say_nothing() -> None:
    y = daily(400)
    forecast = forecast_any(run_network, y[None], HOUR, 24)
    moved = forecast_any(run_network, 5000 + 1e3 * y[None], HOUR, 24)
    assert np.abs(moved - (5000 + 1e3 * forecast)).max() < 1e-2


def test_gaps_are_read_as_such() -> None:
    y = daily(600)
    gaps = np.where(RNG.random(600) < 0.3, np.nan, y)
    whole, holed = (forecast_any(run_network, one[None], HOUR, 24)[0, :, MEDIAN] for one in (y, gaps))
    assert np.isfinite(holed).all()
    assert np.abs(whole - holed).mean() < 0.3


@pytest.mark.parametrize("value", [0.0, 42.7, -1e6])
def test_a_constant_is_itself(value: float) -> None:
    assert (forecast_any(run_network, np.full((1, 50), value), HOUR, 10) == value).all()


def test_smoothing_models_have_their_share_of_weeks_and_coarser_steps() -> None:
    """A line goes on, which the network alone bends; so does a growth of 2 % a month."""
    line = np.arange(1.0, 101)[None]
    actual = np.arange(101, 113)
    alone = forecast_any(run_network, line, (12,), 12)[0, :, MEDIAN]
    together = forecast_any(run_network, line, (12,), 12, is_coarse=True)[0, :, MEDIAN]
    assert np.abs(alone - actual).max() < 6
    assert np.abs(together - actual).max() < 0.5
    growth = 100 * 1.02 ** np.arange(48)
    months = forecast_any(run_network, growth[None, :36], (12,), 12, is_coarse=True)[0, :, MEDIAN]
    assert np.abs(months / growth[36:] - 1).max() < 0.02
    flat = 100 + RNG.normal(0, 1, 40)
    assert np.abs(forecast_any(run_network, flat[None], (), 6, is_coarse=True)[0, :, MEDIAN] - 100).max() < 3


def test_months_do_not_depend_on_those_beside_them_however_long_they_are() -> None:
    y = np.full((4, 96), np.nan)
    for row, length in enumerate((96, 40, 11, 3)):
        y[row, -length:] = 50 + 10 * np.sin(np.arange(length) * np.pi / 6) + RNG.normal(0, 1, length)
    together = forecast_any(run_network, y, (12,), 18, is_coarse=True)
    for row in range(len(y)):
        alone = forecast_any(run_network, y[row : row + 1], (12,), 18, is_coarse=True)[0]
        assert np.abs(alone - together[row]).max() < 1e-4


def test_nothing_after_the_context_is_read() -> None:
    """The same context has the same forecast whatever came later, and older values than the network reads are none."""
    y = daily(2000)
    cut = forecast_any(run_network, y[None, :1500], HOUR, 24)
    assert (cut == forecast_any(run_network, y[None, :1500].copy(), HOUR, 24)).all()
    laid_out, segments = lay_out(y[None, :1500], 24)
    assert laid_out.shape[1] == LONGEST
    assert laid_out[0, -1] == y[1499]
    assert segments.tolist() == [LONGEST // 8 - 1]


def test_tails_are_exponential() -> None:
    """Of an exponential distribution's quantiles the upper tail is exact."""
    quantiles = -np.log(1 - np.array(LEVELS))
    found = quantiles @ map_levels(ALL_LEVELS)
    assert found[-1] == pytest.approx(-np.log(0.01))
    assert found[-2] == pytest.approx(-np.log(0.05))
    assert len(found) == len(ALL_LEVELS)
    assert (np.diff(found) > 0).all()


def test_levels_between_those_of_the_network_lie_on_lines() -> None:
    quantiles = np.arange(1.0, 10.0) ** 2
    found = quantiles @ map_levels([0.1, 0.25, 0.5, 0.9])
    assert found == pytest.approx([1, 6.5, 25, 81])
