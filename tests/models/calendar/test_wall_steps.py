"""Steps on the wall clock against the wall times themselves."""

import numpy as np
import pytest

from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps, to_local
from models.calendar.wall_steps import count_day, count_wall_steps, find_offsets, has_changes

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Pacific/Auckland"),
    *("Asia/Kolkata", "Africa/Casablanca", "Pacific/Apia", "Etc/GMT+5", "Asia/Tehran"),
)


@pytest.mark.parametrize("zone", ZONES)
def test_offsets_are_those_of_the_timezone(zone: str) -> None:
    first, last = parse_stamps(["2009-12-25", "2026-02-01"], "UTC").tolist()
    stamps = np.arange(first, last, 1800 * 1_000_000)
    np.testing.assert_array_equal(find_offsets(zone, stamps), to_local(stamps, zone) - stamps)


def test_changes_are_known_to_the_second() -> None:
    change = int(parse_stamps(["2026-03-29T01:00:00"], "UTC")[0])
    assert has_changes("Europe/Berlin", change - 1_000_000, change)
    assert not has_changes("Europe/Berlin", change, change + 10**12)
    assert not has_changes("Europe/Berlin", change - 10**12, change - 1_000_000)
    assert not has_changes("UTC", 0, change)


@pytest.mark.parametrize(
    ("freq", "day"), [("h", 24), ("15min", 96), ("2h", 12), ("7h", None), ("D", None), ("24h", None)]
)
def test_a_day_is_whole_steps_or_none(freq: str, day: int | None) -> None:
    assert count_day(parse_frequency(freq)) == day


@pytest.mark.parametrize(
    ("zone", "start", "freq", "jumps"),
    [
        ("Europe/Berlin", "2026-03-28", "h", [2]),
        ("Europe/Berlin", "2026-10-24", "h", [0]),
        ("Europe/Berlin", "2026-03-28", "15min", [5]),
        ("Australia/Lord_Howe", "2026-04-04", "30min", [0]),
        ("Australia/Lord_Howe", "2026-10-03", "10min", [4]),
    ],
)
def test_one_step_follows_another_but_at_a_change(zone: str, start: str, freq: str, jumps: list[int]) -> None:
    frequency = parse_frequency(freq)
    grid = Grid(frequency, zone, int(parse_stamps([start], zone)[0]))
    steps = np.diff(count_wall_steps(grid, 0, 2 * (count_day(frequency) or 0)))
    assert steps[steps != 1].tolist() == jumps
