"""Frequencies, grids across clock changes, and timestamps in and out."""

import numpy as np
import pandas as pd
import pytest

from models.calendar.features import calendar_features
from models.calendar.frequency import parse_frequency, season_lengths
from models.calendar.grid import Grid
from models.calendar.holidays import DAY_BEFORE, HOLIDAY
from models.calendar.timestamps import format_stamps, from_local, load_timezone, parse_stamps, to_local
from models.errors import FrequencyError, OffGridError, TimestampError, TimezoneError

ALIASES = [
    "s",
    "15min",
    "h",
    "4h",
    "D",
    "2D",
    "B",
    "W-WED",
    "MS",
    "ME",
    "2MS",
    "BMS",
    "BME",
    "QS",
    "QE-FEB",
    "BQS",
    "YS",
    "YE",
    "YS-APR",
    "BYE",
    "SMS",
    "WOM-2MON",
]


def grid_of(alias: str, timezone: str = "UTC", near: str = "2024-01-01T06:30:00") -> Grid:
    first = pd.date_range(near, periods=1, freq=parse_frequency(alias).alias)[0]
    return Grid(parse_frequency(alias), timezone, int(parse_stamps([first.isoformat()], timezone)[0]))


@pytest.mark.parametrize("alias", ALIASES)
def test_grid_equals_pandas_date_range(alias: str) -> None:
    grid = grid_of(alias)
    ours = grid.stamps(np.arange(-40, 100))
    start = pd.Timestamp(grid.anchor, unit="us")
    after = pd.date_range(start, periods=100, freq=grid.frequency.alias)
    np.testing.assert_array_equal(ours[40:].view("M8[us]"), after.to_numpy().astype("M8[us]"))
    before = pd.date_range(end=start, periods=41, freq=grid.frequency.alias)
    np.testing.assert_array_equal(ours[:41].view("M8[us]"), before.to_numpy().astype("M8[us]"))


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"])
@pytest.mark.parametrize("alias", ALIASES)
def test_index_inverts_stamps(alias: str, timezone: str) -> None:
    grid = grid_of(alias, timezone)
    index = np.arange(-50, 400)
    np.testing.assert_array_equal(grid.index(grid.stamps(index)), index)


def test_hours_are_absolute_and_days_are_wall_time() -> None:
    hours = grid_of("h", "Europe/Berlin", "2024-03-31T01:00:00").stamps(np.arange(3))
    assert format_stamps(hours, "Europe/Berlin") == [
        "2024-03-31T01:00:00+01:00",
        "2024-03-31T03:00:00+02:00",
        "2024-03-31T04:00:00+02:00",
    ]
    days = grid_of("D", "Europe/Berlin", "2024-03-30T08:00:00").stamps(np.arange(3))
    assert [t[11:] for t in format_stamps(days, "Europe/Berlin")] == [
        "08:00:00+01:00",
        "08:00:00+02:00",
        "08:00:00+02:00",
    ]


def test_off_grid_names_the_row_and_the_step_before() -> None:
    grid = grid_of("h")
    stamps = grid.stamps(np.arange(4))
    stamps[2] += 7_000_000
    with pytest.raises(
        OffGridError, match=r"2024-01-01T08:30:07\+00:00 is not on .* a step near it is 2024-01-01T08:30:00"
    ) as e:
        grid.index(stamps)
    assert e.value.row == 2


def test_anchor_must_be_a_date_of_the_frequency() -> None:
    with pytest.raises(OffGridError, match="not a date of the frequency 'W-SUN'"):
        Grid(parse_frequency("W-SUN"), "UTC", int(parse_stamps(["2024-01-01"], "UTC")[0]))


@pytest.mark.parametrize("alias", ["fortnightly-ish", "", "ms", "-1h", "0h", "2YS", "100000h", "ns", "1e9D"])
def test_refused_frequencies(alias: str) -> None:
    with pytest.raises(FrequencyError):
        parse_frequency(alias)


def test_old_spellings_are_canonical() -> None:
    assert [parse_frequency(a).alias for a in ("H", "T", "M", "W", "60min")] == [
        "h",
        "min",
        "ME",
        "W-SUN",
        "60min",
    ]


def test_season_lengths() -> None:
    expected = {
        "h": (24, 168),
        "15min": (96, 672),
        "D": (7,),
        "MS": (12,),
        "QS": (4,),
        "YS": (),
        "s": (3600, 86400),
        "B": (5,),
        "W-SUN": (52,),
        "7h": (24,),
    }
    assert {a: season_lengths(parse_frequency(a)) for a in expected} == expected


def test_calendar_features_are_local() -> None:
    stamps = parse_stamps(["2024-12-31T23:30:00+00:00"], "UTC")
    assert calendar_features(stamps, "UTC").tolist() == [[84_600, 1, 30, 365, 0]]
    assert calendar_features(stamps, "Europe/Berlin").tolist() == [[1_800, 2, 0, 0, 0]]
    # New Year has begun in Berlin, and is a day away from London
    assert calendar_features(stamps, "Europe/Berlin", "DE")[0, 4] == HOLIDAY
    assert calendar_features(stamps, "Europe/London", "GB")[0, 4] == DAY_BEFORE


def test_timestamps_beyond_nanoseconds_round_trip() -> None:
    texts = ["1000-01-01T00:00:00+00:00", "8999-07-01T00:00:00+00:00"]
    assert format_stamps(parse_stamps(texts, "UTC"), "UTC") == texts


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2024-03-31T02:30:00", "nonexistent_time"),
        ("2024-10-27T02:00:00", "ambiguous_time"),
        ("yesterday", "invalid_timestamp"),
    ],
)
def test_bad_local_times_name_the_row(text: str, code: str) -> None:
    with pytest.raises(TimestampError) as e:
        parse_stamps(["2024-01-01T00:00:00", text], "Europe/Berlin")
    assert (e.value.row, e.value.code) == (1, code)


def test_offsets_win_over_the_timezone() -> None:
    stamps = parse_stamps(["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"], "Europe/Berlin")
    assert stamps[1] - stamps[0] == 3_600_000_000
    assert format_stamps(stamps, "Europe/Berlin") == [
        "2024-10-27T02:00:00+02:00",
        "2024-10-27T02:00:00+01:00",
    ]


def test_local_conversions_invert_each_other() -> None:
    stamps = parse_stamps(["2024-07-01T12:00:00Z", "2024-12-01T12:00:00Z"], "UTC")
    np.testing.assert_array_equal(from_local(to_local(stamps, "Asia/Tokyo"), "Asia/Tokyo"), stamps)


def test_unknown_timezone() -> None:
    with pytest.raises(TimezoneError, match="Mars/Base"):
        load_timezone("Mars/Base")


@pytest.mark.parametrize("alias", ["bh", "9999999SME", "500SMS", "99999999999D", "10000000h"])
def test_frequencies_without_sense(alias: str) -> None:
    with pytest.raises(FrequencyError):
        parse_frequency(alias)


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(
    "text", ["9999-12-31T23:00:00-14:00", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00", "9999-12-31T23:00:00"]
)
def test_years_out_of_reach_are_refused(text: str, timezone: str) -> None:
    with pytest.raises(TimestampError, match="1000 to 8999"):
        parse_stamps([text], timezone)


@pytest.mark.parametrize("timezone", ["Africa/Cairo", "America/Sao_Paulo"])
def test_a_daily_series_may_begin_where_midnight_is_skipped(timezone: str) -> None:
    first = {"Africa/Cairo": "2024-04-26T01:00:00", "America/Sao_Paulo": "2018-11-04T01:00:00"}[timezone]
    grid = Grid(parse_frequency("D"), timezone, int(parse_stamps([first], timezone)[0]))
    walls = [t[11:19] for t in format_stamps(grid.stamps(np.arange(3)), timezone)]
    assert walls == ["01:00:00", "00:00:00", "00:00:00"]
    np.testing.assert_array_equal(grid.index(grid.stamps(np.arange(-5, 5))), np.arange(-5, 5))


def test_a_walk_is_bounded() -> None:
    grid = grid_of("SMS")
    far = parse_stamps(["8999-01-01T00:00:00"], "UTC")
    with pytest.raises(OffGridError, match="20000 steps"):
        grid.index(far)


def test_localtime_is_no_timezone() -> None:
    with pytest.raises(TimezoneError):
        load_timezone("localtime")
