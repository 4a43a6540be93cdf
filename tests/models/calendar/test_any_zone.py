"""Every frequency in timezones whose clocks change in odd ways; pandas and zoneinfo are the oracles."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.arrays import Ints
from models.calendar.frequency import parse_frequency, share_dates
from models.calendar.grid import Grid
from models.calendar.infer_frequency import MONTHS, WEEKDAYS, infer_frequency
from models.calendar.phase import choose_grid
from models.calendar.timestamps import format_stamps, from_local, read_stamps, to_local

ZONES = {
    "UTC": 2024,
    "Europe/Berlin": 2024,
    "Europe/Dublin": 2024,
    "America/New_York": 2024,
    "America/St_Johns": 2024,
    "America/Havana": 2024,
    "America/Santiago": 2024,
    "America/Sao_Paulo": 2018,
    "America/Asuncion": 2023,
    "America/Scoresbysund": 2024,
    "Asia/Beirut": 2024,
    "Asia/Tehran": 2021,
    "Asia/Kathmandu": 2024,
    "Africa/Cairo": 2024,
    "Africa/Casablanca": 2024,
    "Antarctica/Troll": 2024,
    "Australia/Lord_Howe": 2024,
    "Pacific/Chatham": 2024,
}
"""and a year in which their clocks are changed"""
TICKS = ("s", "90s", "15min", "30min", "h", "4h")
DAYS = ("D", "2D", "10D", "B", "2B", "ME", "MS", "BME", "BMS", "2MS", "3ME", "5ME", "SMS", "SME", "2W-TUE")
DATED = (
    *DAYS,
    *(f"W-{day}" for day in WEEKDAYS),
    *(f"{edge}-{month}" for edge in ("QS", "QE", "BQS", "BQE") for month in MONTHS[:3]),
    *(f"{edge}-{month}" for edge in ("YS", "YE", "BYS", "BYE") for month in MONTHS),
)
NAMED_ALONE = ("7D", "5B", "WOM-2TUE", "SMS-10", "2SME-15")
"""frequencies that are inferred as another of the same dates, or not at all"""
LENGTHS = {"tick": 1000, "day": 400, "business": 300, "week": 60, "month": 30, "walk": 60}
"""steps that go over both changes of the clocks"""


def exists(wall: pd.Timestamp, timezone: str) -> bool:
    """Say whether the clocks of a timezone ever show a wall time."""
    local = np.array([wall.value // 1000])
    return bool(to_local(from_local(local, timezone), timezone)[0] == local[0])


def build(alias: str, timezone: str, hour: int = 0) -> tuple[Grid, Ints, Ints]:
    """Return a grid that begins with a year, its stamps (N,), and those by pandas (N,)."""
    frequency = parse_frequency(alias)
    count = LENGTHS[frequency.kind]
    walls = pd.date_range(f"{ZONES[timezone]}-01-01", periods=count + 1, freq=frequency.alias) + pd.Timedelta(
        hours=hour
    )
    # of an anchor on the day of a change, a time that is skipped or that midnight is moved to does not show
    is_shown = hour == 0 or (exists(walls[0], timezone) and exists(walls[0].normalize(), timezone))
    first = walls[0] if is_shown else walls[1]
    anchor = int(from_local(np.array([first.value // 1000]), timezone)[0])
    grid = Grid(frequency, timezone, anchor)
    if frequency.kind == "tick":
        expected = pd.date_range(pd.Timestamp(anchor, unit="us", tz="UTC"), periods=count, freq=frequency.alias)
    else:
        walls = pd.date_range(first, periods=count, freq=frequency.alias)
        earlier = np.ones(count, np.bool_)
        expected = walls.tz_localize(ZoneInfo(timezone), ambiguous=earlier, nonexistent="shift_forward")
    micros = expected.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[us]").view(np.int64)
    return grid, grid.stamps(np.arange(count)), micros


frequencies = st.sampled_from([*TICKS, *DATED, *NAMED_ALONE])
zones = st.sampled_from(list(ZONES))


@settings(max_examples=120, deadline=None)
@given(alias=frequencies, timezone=zones, hour=st.sampled_from([0, 1, 2, 8, 23]), seed=st.integers(0, 1000))
@example(alias="SME", timezone="Antarctica/Troll", hour=1, seed=0)
def test_grids_are_those_of_pandas_and_are_found_again(alias: str, timezone: str, hour: int, seed: int) -> None:
    grid, stamps, expected = build(alias, timezone, hour)
    assert np.array_equal(stamps, expected)
    index, on_grid = grid.locate(stamps)
    assert on_grid.all()
    assert np.array_equal(index, np.arange(len(stamps)))
    assert not grid.locate(stamps + 1)[1].any()
    kept = np.sort(np.random.default_rng(seed).choice(stamps, len(stamps) * 2 // 3, replace=False))
    assert choose_grid(grid.frequency, timezone, kept).locate(stamps)[1].all()


@settings(max_examples=100, deadline=None)
@given(alias=st.sampled_from([*TICKS, *DATED]), timezone=zones, seed=st.integers(0, 1000))
def test_a_frequency_is_inferred_despite_gaps(alias: str, timezone: str, seed: int) -> None:
    grid, stamps, _ = build(alias, timezone)
    gone = np.random.default_rng(seed).choice(len(stamps), len(stamps) // 8, replace=False)
    inferred = infer_frequency(np.delete(stamps, gone), timezone)
    assert share_dates(inferred, grid.frequency)


@settings(max_examples=80, deadline=None)
@given(alias=frequencies, timezone=zones, hour=st.sampled_from([0, 1, 2, 8, 23]))
def test_stamps_are_read_as_they_are_written(alias: str, timezone: str, hour: int) -> None:
    grid, stamps, _ = build(alias, timezone, hour)
    texts = format_stamps(stamps, timezone)
    again, problems = read_stamps(texts, timezone)
    assert (np.array_equal(again, stamps), problems) == (True, [])
    if grid.frequency.is_daily:
        again, problems = read_stamps([text[:19] for text in texts], timezone, daily=True)
        assert (np.array_equal(again, stamps), problems) == (True, [])


@pytest.mark.parametrize(("timezone", "day"), [("Pacific/Apia", "2011-12-30"), ("Pacific/Kiritimati", "1994-12-31")])
def test_a_day_that_is_left_out_has_a_step_and_no_rows(timezone: str, day: str) -> None:
    around = [str(np.datetime64(day) + shift) for shift in (-2, -1, 1, 2)]
    stamps, problems = read_stamps(around, timezone, daily=True)
    assert problems == []
    index, on_grid = Grid(parse_frequency("D"), timezone, int(stamps[0])).locate(stamps)
    assert (index.tolist(), on_grid.all()) == ([0, 1, 3, 4], True)
    assert np.diff(stamps).tolist() == [86_400_000_000] * 3
    assert read_stamps([day], timezone, daily=True)[1][0].code == "nonexistent_time"
    assert infer_frequency(stamps, timezone).alias == "D"
