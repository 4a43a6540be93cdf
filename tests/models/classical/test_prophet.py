"""Prophet's models as linear maps: equal to Prophet where they can be, and what a worker without it says."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.classical.prophet import SAMPLED_SERIES, StructuralModel, fit_prophet_models
from models.data.series import Series
from models.errors import ConfigError
from models.training.fit import fit
from tests.models.examples import START, hourly, hourly_panel, small

pytestmark = pytest.mark.training

GRID = Grid(parse_frequency("h"), "UTC", START)


def seasonal(n: int = 24 * 28, noise: float = 0.5) -> Series:
    t = np.arange(n)
    y = 50 + 8 * np.sin(2 * np.pi * t / 24) + 3 * np.cos(2 * np.pi * t / 168) + 0.02 * t
    return Series("a", y + np.random.default_rng(0).normal(0, noise, n), GRID)


def test_it_finds_the_seasons_and_the_noise() -> None:
    (found,) = fit_prophet_models([seasonal()], [24 * 28], seed=0)
    daily = max(found.harmonics, key=lambda one: one[1])
    assert daily[0] == pytest.approx(24)
    # a wave of size 8 has the variance 32 of both its coefficients' mean; the noise's is 0.25
    assert daily[1] == pytest.approx(32 / 0.25, rel=0.1)


def test_the_map_forecasts_as_prophet_does() -> None:
    import pandas as pd
    from prophet import Prophet

    one, horizon = seasonal(), 48
    (found,) = fit_prophet_models([one], [len(one.y)], seed=0)
    stamps = one.stamps(0, len(one.y) + horizon).astype("datetime64[us]")
    theirs = Prophet().fit(pd.DataFrame({"ds": stamps[: len(one.y)], "y": one.y}), seed=0)
    expected = theirs.predict(pd.DataFrame({"ds": stamps[len(one.y) :]}))["yhat"].to_numpy()
    ours = found.forecast(one.y, horizon, 24)
    assert np.abs(ours - expected).max() < 0.3  # of noise 0.5, and waves of 8
    # another series of the same kind, which Prophet has not seen
    other = 3 * (one.y[100:500] - 7)
    ahead = 3 * (seasonal(noise=0.0).y[500 : 500 + horizon] - 7)
    assert np.abs(found.forecast(other, horizon, 24) - ahead).mean() < 1.0


def test_a_constant_stays_one_and_the_phase_does_not_matter() -> None:
    model = StructuralModel(1e-4, 1e-6, ((24.0, 5.0), (12.0, 1.0)))
    weights = model.forecast(np.eye(72), 10, 24)
    assert weights.sum(0) == pytest.approx(np.ones(10), abs=1e-9)
    wave = np.sin(2 * np.pi * np.arange(100) / 24)
    for first in (0, 5, 13):
        found = model.forecast(100 * wave[first : first + 72], 10, 24)
        assert np.abs(found - 100 * wave[first + 72 : first + 82]).max() < 1.5


@pytest.mark.filterwarnings("error")
def test_only_what_lies_before_the_ends_is_read() -> None:
    one = seasonal()
    spoiled = replace(one, y=np.where(np.arange(len(one.y)) < 500, one.y, 1e6))
    assert fit_prophet_models([one], [500], seed=0) == fit_prophet_models([spoiled], [500], seed=0)


def test_gaps_short_and_constant_series() -> None:
    gaps = seasonal()
    gaps.y[::7] = np.nan
    constant = Series("c", np.full(200, 3.0), GRID)
    short = Series("s", hourly(10), GRID)
    assert len(fit_prophet_models([gaps, constant, short], [600, 200, 10], seed=0)) == 1
    many = hourly_panel(60, SAMPLED_SERIES + 3).series
    assert len(fit_prophet_models(many, [60] * len(many), seed=0)) == SAMPLED_SERIES


def test_any_seed_of_a_training_will_do(caplog: pytest.LogCaptureFixture) -> None:
    one = seasonal()
    assert fit_prophet_models([one], [600], seed=2**62 + 1) == fit_prophet_models([one], [600], seed=1)
    assert not caplog.records


def test_without_prophet_the_training_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prophet", None)  # what importing it meets where it is not installed
    with pytest.raises(ConfigError, match=r"pip install 'gatecast\[prophet\]'") as caught:
        fit(hourly_panel(), small(prophet=1))
    assert caught.value.field == "network.prophet"
