"""Windows on the wall clock: against a series that was made by it, and one that was not."""

from dataclasses import replace

import numpy as np
import pytest

from models.arrays import Floats
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps, to_local
from models.calendar.wall_steps import count_day
from models.config.model import Config
from models.data.off_clock import find_off_clock
from models.data.series import Panel, Series
from models.data.wall_clock import read_clock, read_clocks, read_history
from models.data.windows import assemble, cut_actuals
from models.planning.defaults import default_config, default_config_for_lengths

HOUR = 3_600_000_000
CHANGES = [
    ("Europe/Berlin", "2025-03-30T03:00:00", "h"),
    ("Europe/Berlin", "2025-10-26T04:00:00", "h"),
    ("America/New_York", "2025-03-09T03:00:00", "15min"),
    ("America/Santiago", "2025-04-06T02:00:00", "h"),
    ("Pacific/Auckland", "2025-09-28T03:00:00", "30min"),
    ("Australia/Lord_Howe", "2025-10-05T02:30:00", "30min"),
    ("Australia/Lord_Howe", "2025-04-06T03:00:00", "10min"),
    ("Australia/Lord_Howe", "2025-10-05T02:30:00", "h"),
]
"""zone, the wall time of a change, frequency"""


def office(wall: Floats, hours: tuple[int, int] = (8, 18)) -> Floats:
    """Return 50 in office hours, 10 at night and on Sundays."""
    hour = wall // HOUR % 24
    weekday = (wall // (24 * HOUR) + 3) % 7
    return np.where((hour >= hours[0]) & (hour < hours[1]) & (weekday < 6), 50.0, 10.0)


def build(zone: str, change: str, freq: str, days: int = 60, ahead: int = 30, *, on_clock: bool = True) -> Series:
    """Return a series of some days before a change and after it, which follows the wall clock or the sun."""
    frequency = parse_frequency(freq)
    day = count_day(frequency) or 0
    middle = int(parse_stamps([change], zone)[0]) // HOUR * HOUR
    grid = Grid(frequency, zone, middle - days * 24 * HOUR)
    stamps = grid.stamps(np.arange((days + ahead) * day, dtype=np.int64))
    wall = to_local(stamps, zone) if on_clock else stamps + (to_local(stamps[:1], zone) - stamps[:1])
    return Series("a", office(wall), grid)


def configure(series: Series, horizon: int, days: int = 14) -> Config:
    day = count_day(series.grid.frequency) or 0
    network = {"context_length": days * day, "segment": day // 2}
    return default_config_for_lengths(series.grid.frequency, horizon, (0.1, 0.5, 0.9), [len(series.y)], network)


def repeat_week(y: Floats, horizon: int, week: int) -> Floats:
    """Repeat the last week, day by day where it has not been seen."""
    return y[len(y) - week + np.arange(horizon) % week]


@pytest.mark.parametrize(("zone", "change", "freq"), CHANGES)
@pytest.mark.parametrize("hours", [-30, -5, -1, 0, 3, 40, 120, 165])
def test_a_week_repeated_on_the_clock_is_what_comes(zone: str, change: str, freq: str, hours: int) -> None:
    series = build(zone, change, freq)
    day = count_day(series.grid.frequency) or 0
    origin = 60 * day + hours * day // 24 - 1
    config = configure(series, 2 * day)
    clock = read_clock(series, origin, config)
    actual = cut_actuals([series], np.array([origin]), 2 * day)[0]
    if clock is None:  # a half hour may be no whole step, and two hours lie on either side of it
        forecast = repeat_week(series.y[: origin + 1], 2 * day, 7 * day)
    else:
        forecast = clock.restore(repeat_week(clock.series.y, 2 * day, 7 * day))
    assert np.abs(forecast - actual).mean() == 0
    if -5 < hours < 165 and zone != "Australia/Lord_Howe":
        shifted = repeat_week(series.y[: origin + 1], 2 * day, 7 * day)
        assert np.abs(shifted - actual).mean() > 0.8


def test_the_skipped_hour_is_drawn_and_of_a_repeated_one_the_later_stays() -> None:
    origin = 60 * 24 + 2  # the third value after the change
    read = []
    for change in ("2025-03-30T03:00:00", "2025-10-26T02:00:00+01:00"):
        series = build("Europe/Berlin", change, "h")
        series = replace(series, y=np.arange(len(series.y), dtype=float))
        clock = read_clock(series, origin, configure(series, 24))
        assert clock is not None
        read.append(clock.series.y[-6:].tolist())
    assert read == [[1438, 1439, 1439.5, 1440, 1441, 1442], [1436, 1437, 1438, 1440, 1441, 1442]]


def test_nothing_after_the_origin_is_read() -> None:
    series = build("Europe/Berlin", "2025-10-26T04:00:00", "h")
    origin = 60 * 24 + 3
    config = configure(series, 24)
    changed = replace(series, y=np.where(np.arange(len(series.y)) > origin, -99.0, series.y))
    one, other = (read_clock(item, origin, config) for item in (series, changed))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.series.y, other.series.y)
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_array_equal(
        read_history(series, origin + 1, config, 24).y, read_history(changed, origin + 1, config, 24).y
    )


def test_without_a_change_and_without_a_clock_nothing_is_moved() -> None:
    series = build("Europe/Berlin", "2025-03-30T03:00:00", "h")
    config = configure(series, 24)
    assert read_clock(series, 40 * 24, config) is None, "no change within the window"
    plain = replace(series, grid=replace(series.grid, timezone="UTC"))
    assert read_clock(plain, 60 * 24, config) is None
    windows = read_clocks([plain, series], np.array([60 * 24, 40 * 24]), config)
    assert windows.series == [plain, series]
    assert windows.clocks == {}
    assert read_history(plain, 60 * 24, config, 24) is plain
    daily = replace(config, network=replace(config.network, season_lengths=()))
    assert read_clock(series, 60 * 24, daily) is None, "without a season of a day there is nothing to keep"


def test_a_series_that_follows_the_sun_is_read_as_it_is() -> None:
    sun = build("Europe/Berlin", "2025-03-30T03:00:00", "h", on_clock=False)
    config = configure(sun, 24)
    assert read_clock(sun, 60 * 24 - 1, config) is not None, "nothing has shown it yet"
    assert read_clock(sun, 67 * 24 - 1, config) is None
    panel = Panel(sun.grid.frequency, (sun, replace(build("Europe/Berlin", "2025-03-30T03:00:00", "h"), id="b")))
    assert find_off_clock(panel, (24, 168)) == ("a",)
    learned = default_config(panel, 24)
    assert learned.off_clock == ("a",)
    assert read_clock(sun, 60 * 24 - 1, replace(config, off_clock=("a",))) is None
    assert Config.from_dict(learned.to_dict()) == learned


def test_covariates_follow_their_own_times() -> None:
    series = build("Europe/Berlin", "2025-10-26T04:00:00", "h")
    sun = np.arange(len(series.y), dtype=float)
    series = replace(series, covariates={"sun": sun})
    panel = Panel(series.grid.frequency, (series,))
    config = default_config(panel, 24, known_future=["sun"], network={"context_length": 336, "segment": 12})
    origin = 60 * 24 - 10
    windows = read_clocks([series], np.array([origin]), config)
    covariates = assemble(windows.series, windows.origins, config)["covariates"][0, :, 0]
    clock = windows.clocks[0]
    np.testing.assert_array_equal(covariates[:336], clock.positions)
    # the forecast of each step is made with the covariate of that step, but for the hour that is there twice
    restored = clock.restore(covariates[336:])
    later = restored - sun[origin + 1 : origin + 25]
    assert (later == 0).sum() == 23
    assert windows.gather(series.y[None, origin + 1 : origin + 25]).shape == (1, 24)


def test_the_step_beyond_the_horizon_goes_on_as_before() -> None:
    series = build("Europe/Berlin", "2025-03-30T03:00:00", "h")
    wall = np.arange(len(series.y)) - 60 * 24  # up to the change
    series = replace(series, y=30.0 + wall % 24)
    origin = 60 * 24 - 1  # 01:00
    short, long = (read_clock(series, origin, configure(series, horizon)) for horizon in (3, 200))
    assert short is not None
    assert long is not None
    # three o'clock to five, of which two to four were forecast: it moves on as it did at five on the days before
    assert short.steps.tolist() == [1, 2, 3]
    assert short.restore(np.array([[100.0, 200.0, 300.0], [10.0, 20.0, 30.0]])).tolist() == [
        [200, 300, 301],
        [20, 30, 31],
    ]
    # two hundred steps hold the same hour a week before
    assert long.restore(np.arange(200.0)[None])[0].tolist() == [*range(1, 200), 32]
