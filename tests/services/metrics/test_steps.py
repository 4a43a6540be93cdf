"""What is answered between steps, and what forecasts say of the time ahead."""

import numpy as np
import pytest

from app.services.metrics.steps import (
    NOTHING,
    DatedForecast,
    StepValues,
    chain,
    find_greatest,
    find_next,
    find_seconds_until,
)
from models.arrays import Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import format_stamps, parse_stamps

GRID = Grid(parse_frequency("h"), "UTC", 0)
HOUR = 3_600_000_000


def hours(*numbers: float) -> Ints:
    return (np.array(numbers) * HOUR).astype(np.int64)


def build_forecast(origin: int, count: int, replaced_at: int | None = None) -> DatedForecast:
    """Return a forecast of 100 times its origin, + 1, + 2 …"""
    steps = np.arange(1, count + 1)
    quantiles = (100.0 * origin + steps)[:, None]
    until = {} if replaced_at is None else {"replaced_at": replaced_at * HOUR}
    return DatedForecast(origin * HOUR, hours(*(origin + steps)), quantiles, (0.5,), **until)


def test_a_value_is_answered_for_one_step() -> None:
    values = StepValues(hours(1, 2, 5), np.array([1.0, 2.0, 5.0]), hours(2, 3, 6))
    positions, sampled = values.sample(hours(0.5, 1, 1.5, 2, 3, 3.1, 4.9, 5, 6, 6.1))
    assert positions.tolist() == [1, 2, 3, 4, 7, 8]
    assert sampled.tolist() == [1, 1, 2, 2, 5, 5]
    assert NOTHING.sample(hours(1))[0].tolist() == []


@pytest.mark.parametrize(
    ("frequency", "timezone", "ds", "following"),
    [
        ("D", "Europe/Berlin", "2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"),
        ("MS", "UTC", "2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00"),
        ("B", "UTC", "2024-03-29T00:00:00+00:00", "2024-04-01T00:00:00+00:00"),
        ("15min", "UTC", "2024-03-29T00:00:00+00:00", "2024-03-29T00:15:00+00:00"),
    ],
)
def test_a_step_is_that_of_the_calendar(frequency: str, timezone: str, ds: str, following: str) -> None:
    ts = parse_stamps([ds], timezone)
    grid = Grid(parse_frequency(frequency), timezone, int(ts[0]))
    assert format_stamps(find_next(grid, ts), timezone) == [following]


def test_each_step_is_that_of_the_newest_forecast_before_it() -> None:
    forecasts = [build_forecast(1, 5, 3), build_forecast(3, 2, 8), build_forecast(8, 3)]
    values = chain(forecasts, [forecast.quantiles[:, 0] for forecast in forecasts], GRID)
    assert (values.ts // HOUR).tolist() == [2, 3, 4, 5, 9, 10, 11]
    assert values.y.tolist() == [101, 102, 301, 302, 801, 802, 803]
    assert chain([], [], GRID).ts.tolist() == []


def test_the_greatest_value_within_a_time() -> None:
    forecasts = [build_forecast(1, 5, 3), build_forecast(3, 4)]
    columns = [forecast.quantiles[:, 0] * [1, -1][number] for number, forecast in enumerate(forecasts)]
    positions, greatest = find_greatest(forecasts, columns, hours(0, 1, 2.5, 3, 4, 6.5, 7, 7.5), 2 * HOUR)
    assert positions.tolist() == [1, 2, 3, 4, 5, 6]
    assert greatest.tolist() == [102, 103, -301, -301, -304, -304]


def test_seconds_until_a_step_is_beyond() -> None:
    forecasts = [build_forecast(1, 5, 3), build_forecast(3, 4)]
    beyond = [forecast.quantiles[:, 0] % 100 == 3 for forecast in forecasts]
    positions, seconds = find_seconds_until(forecasts, beyond, hours(0, 1, 2.5, 3, 6, 6.5))
    assert positions.tolist() == [1, 2, 3, 4]
    assert seconds.tolist() == [3 * 3600, 1.5 * 3600, 3 * 3600, 0]
