"""Frequencies, grids across clock changes, and timestamps in and out."""

import numpy as np
import pandas as pd
import pytest

from models.calendar.features import calendar_features
from models.calendar.frequency import parse_frequency, season_lengths, share_dates
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


@pytest.mark.parametrize(
    "alias", ["fortnightly-ish", "", "ms", "-1h", "0h", "2YS", "100000h", "ns", "1e9D", "m", "15m"]
)
def test_refused_frequencies(alias: str) -> None:
    with pytest.raises(FrequencyError):
        parse_frequency(alias)


@pytest.mark.parametrize(
    ("canonical", "aliases"),
    [
        ("h", ["H", "60min", "3600s"]),
        ("min", ["T", "60s"]),
        ("24h", ["1440min"]),
        ("90min", ["1h30min", "1.5h"]),
        ("W-SUN", ["W"]),
        ("ME", ["M"]),
        ("QE-DEC", ["Q", "QE", "QE-MAR", "QE-JUN", "QE-SEP"]),
        ("QE-OCT", ["QE-JAN", "QE-APR", "QE-JUL"]),
        ("QS-JAN", ["QS", "QS-APR", "QS-JUL", "QS-OCT"]),
        ("BQE-DEC", ["BQE", "BQE-MAR"]),
        ("2QS-FEB", ["2QS-AUG"]),
        ("YE-DEC", ["Y", "A", "YE"]),
        ("B", ["C"]),
        ("BMS", ["CBMS"]),
        ("3MS", ["3MS"]),
        ("7D", ["7D"]),
    ],
)
def test_aliases_of_one_meaning_have_one_spelling(canonical: str, aliases: list[str]) -> None:
    assert [parse_frequency(alias).alias for alias in aliases] == [canonical] * len(aliases)
    assert parse_frequency(canonical).alias == canonical


@pytest.mark.parametrize(
    ("alias", "anchor", "other", "same"),
    [
        ("3MS", "2024-01-01", "QS", True),
        ("3MS", "2024-02-01", "QS", False),
        ("QS-FEB", "2024-02-01", "3MS", True),
        ("QS", "2024-01-01", "QE", False),
        ("12MS", "2024-01-01", "YS", True),
        ("12MS", "2024-04-01", "YS", False),
        ("4QS", "2024-01-01", "YS", True),
        ("7D", "2024-01-07", "W", True),
        ("7D", "2024-01-08", "W", False),
        ("W-MON", "2024-01-08", "7D", True),
        ("5B", "2024-01-08", "W-MON", True),
        ("W-MON", "2024-01-08", "W-SUN", False),
        ("B", "2024-01-08", "D", False),
        ("60min", "2024-01-08", "h", True),
        ("2h", "2024-01-08", "h", False),
    ],
)
def test_grids_of_other_names_are_equal_by_their_anchor(alias: str, anchor: str, other: str, same: bool) -> None:
    grid = Grid(parse_frequency(alias), "Europe/Berlin", int(parse_stamps([anchor], "Europe/Berlin")[0]))
    assert grid.follows(parse_frequency(other)) is same
    if same:
        twin = Grid(parse_frequency(other), grid.timezone, grid.anchor)
        np.testing.assert_array_equal(grid.stamps(np.arange(-9, 9)), twin.stamps(np.arange(-9, 9)))


def test_24_hours_are_a_day_where_the_clocks_never_change() -> None:
    hours, days = parse_frequency("24h"), parse_frequency("D")
    assert Grid(hours, "UTC", 0).follows(days)
    assert Grid(days, "Etc/GMT-1", 0).follows(hours)
    assert not Grid(hours, "Europe/Berlin", 0).follows(days)
    assert hours != days


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [("3MS", "QS", True), ("QS-FEB", "QS", False), ("7D", "W", True), ("W-MON", "W", False), ("24h", "D", False)],
)
def test_frequencies_that_may_share_a_grid(one: str, other: str, shared: bool) -> None:
    assert share_dates(parse_frequency(one), parse_frequency(other)) is shared


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
        "7D": (52,),
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


def test_a_name_of_a_thousand_folders_is_no_timezone() -> None:
    with pytest.raises(TimezoneError, match="not an IANA timezone"):
        load_timezone("Europe/" * 1000 + "Berlin")


def test_an_alias_of_thousands_of_digits_is_refused_at_once() -> None:
    with pytest.raises(FrequencyError, match="it has 4001 characters"):
        parse_frequency("1" * 4000 + "h")
