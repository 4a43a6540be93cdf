"""Prediction with any runner, and interpolation between levels."""

import numpy as np
import pytest

from models.arrays import Floats
from models.config.model import Config
from models.data.series import Panel, Series
from models.data.windows import Batch
from models.inference.predict import interpolate_quantiles, predict
from tests.models.data.test_wall_clock import build
from tests.models.examples import small


def reading(context: int, horizon: int) -> Config:
    return small(horizon, context_length=context, segment=1)


def echo(batch: Batch) -> Floats:
    """Forecast the last value, and the hour of the day around it."""
    y = batch["y"]
    hour = batch["calendar"][:, y.shape[1] :, 0] / 3600  # (B, H)
    return y[:, -1, None, None] + hour[..., None] * np.array([-1.0, 0.0, 1.0])


def test_forecast_starts_after_the_last_observed_value() -> None:
    panel = Panel.from_arrays({"a": [1, 2, 3, np.nan], "b": [4, 5, 6, 7]}, "h", "2024-01-01")
    a, b = predict(panel.series, echo, reading(2, 2))
    hour = 3_600_000_000
    assert (a.stamps - a.origin).tolist() == [hour, 2 * hour]
    assert b.origin - a.origin == hour
    np.testing.assert_array_equal(a.yhat, [3, 3])
    np.testing.assert_array_equal(a.quantiles[0], [0, 3, 6])
    np.testing.assert_array_equal(b.quantiles[0], [3, 7, 11])


def test_a_tail_of_the_series_is_enough() -> None:
    whole = Panel.from_arrays({"a": np.arange(100.0)}, "h", "2024-01-01").series[0]
    tail = Series("a", whole.y[90:], whole.grid, start=90)
    found = [predict([s], echo, reading(8, 3))[0] for s in (whole, tail)]
    np.testing.assert_array_equal(found[0].stamps, found[1].stamps)
    np.testing.assert_array_equal(found[0].quantiles, found[1].quantiles)


def test_more_windows_than_a_batch() -> None:
    panel = Panel.from_arrays({str(k): [float(k)] for k in range(2100)}, "h", "2024-01-01")
    found = predict(panel.series, echo, reading(2, 1))
    assert [f.yhat[0] for f in found] == list(range(2100))


@pytest.mark.parametrize("change", ["2025-03-30T03:00:00", "2025-10-26T04:00:00"])
@pytest.mark.parametrize("hours", [-30, -20, -1, 0, 5, 100])
def test_a_runner_reads_and_forecasts_the_wall_clock(change: str, hours: int) -> None:
    series = build("Europe/Berlin", change, "h")
    config = small(24, len(series.y), context_length=336, segment=24, season_lengths=[24, 168])
    origin = 60 * 24 + hours

    def repeat(batch: Batch) -> Floats:
        assert (np.diff(batch["calendar"][..., 0]) % 86_400 == 3600).all(), "no hour is skipped, and none comes twice"
        return np.repeat(batch["y"][:, -168:-144, None], 3, axis=2)

    (found,) = predict([series], repeat, config, [origin])
    np.testing.assert_array_equal(found.yhat, series.y[origin + 1 : origin + 25])
    np.testing.assert_array_equal(found.stamps, series.stamps(origin + 1, origin + 25))


def test_a_runner_reads_no_spike() -> None:
    values = 50 + np.sin(np.arange(200.0))
    values[[150, 199]] = 5000
    (series,) = Panel.from_arrays({"a": values}, "h", "2024-01-01").series
    contexts: list[Floats] = []

    def keep(batch: Batch) -> Floats:
        contexts.append(batch["y"])
        return np.full((1, 12, 3), 50.0)

    predict([series], keep, small(12, 200, context_length=96, segment=12))
    assert np.flatnonzero(np.isnan(contexts[0][0])).tolist() == [46, 95]
    assert series.y[199] == 5000


def test_interpolation_between_levels() -> None:
    values = np.array([[10.0, 20.0, 40.0]])
    found = interpolate_quantiles(values, (0.1, 0.5, 0.9), (0.1, 0.3, 0.5, 0.8, 0.9))
    np.testing.assert_allclose(found, [[10, 15, 20, 35, 40]])
    np.testing.assert_allclose(interpolate_quantiles(values[:, 1:2], (0.5,), (0.5,)), [[20]])


@pytest.mark.parametrize("level", [0.05, 0.95])
def test_no_extrapolation(level: float) -> None:
    with pytest.raises(ValueError, match="outside the trained range"):
        interpolate_quantiles(np.ones((1, 3)), (0.1, 0.5, 0.9), (level,))
