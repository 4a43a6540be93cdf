"""Timezones by their offsets."""

import numpy as np
import pandas as pd
import pytest

from models.calendar.iso import read_times
from models.calendar.timestamps import spell_offset
from models.calendar.zones import find_timezone_of_midnights, suggest_timezones


def suggest(*texts: str) -> list[str]:
    times = read_times(texts)
    return suggest_timezones(times.wall - times.offset, times.offset)


@pytest.mark.parametrize(
    ("texts", "zone"),
    [
        (["2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"], "Europe/Berlin"),
        (["2024-03-30T00:00:00+00:00", "2024-04-01T00:00:00+01:00"], "Europe/London"),
        (["2024-03-10T00:00:00-05:00", "2024-03-11T00:00:00-04:00"], "America/New_York"),
        (["2024-03-10T00:00:00-06:00", "2024-03-11T00:00:00-05:00"], "America/Chicago"),
        (["2024-04-07T00:00:00+11:00", "2024-04-08T00:00:00+10:00"], "Australia/Sydney"),
        (["2018-11-03T00:00:00-03:00", "2018-11-05T00:00:00-02:00"], "America/Sao_Paulo"),
        (["2024-01-01T00:00:00+05:30"], "Asia/Kolkata"),
        (["2024-01-01T00:00:00+05:45"], "Asia/Kathmandu"),
        (["2024-01-01T00:00:00+01:00"], "Europe/Berlin"),
    ],
)
def test_the_common_zone_of_these_offsets_comes_first(texts: list[str], zone: str) -> None:
    assert suggest(*texts)[0] == zone


def test_no_zone_has_offsets_without_rules() -> None:
    assert suggest("2024-01-01T00:00:00+01:00", "2024-01-02T00:00:00+07:00") == []


def test_the_change_is_looked_at_even_among_many_rows() -> None:
    hours = np.datetime64("2024-01-01T00:00:00") + np.arange(20_000).astype("m8[h]")
    berlin = np.where((hours >= np.datetime64("2024-03-31T01")) & (hours < np.datetime64("2024-10-27T01")), 2, 1)
    berlin = np.where((hours >= np.datetime64("2025-03-30T01")) & (hours < np.datetime64("2025-10-26T01")), 2, berlin)
    berlin = np.where(hours >= np.datetime64("2026-03-29T01"), 2, berlin)
    stamps = hours.astype("M8[us]").astype(np.int64)
    assert suggest_timezones(stamps, berlin * 3_600_000_000)[0] == "Europe/Berlin"
    assert suggest_timezones(stamps, np.roll(berlin, 1) * 3_600_000_000) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles"])
def test_midnights_that_are_written_in_utc_show_their_timezone(zone: str) -> None:
    days = pd.date_range("2024-03-01", periods=40, freq="D", tz=zone)
    stamps = days.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy().view(np.int64)
    assert find_timezone_of_midnights(stamps, "UTC") == zone
    assert find_timezone_of_midnights(stamps, zone) is None
    assert find_timezone_of_midnights(stamps[:3], "UTC") is None  # of one time of day in UTC as well
    assert find_timezone_of_midnights(stamps + 7, "UTC") is None


def test_offsets_are_spelt_with_their_sign() -> None:
    assert [spell_offset(minutes) for minutes in (60, -210, 0)] == ["+01:00", "-03:30", "+00:00"]
