"""The phase of a new series: that of most of its timestamps."""

import numpy as np
import pandas as pd
import pytest

from models.calendar.frequency import parse_frequency
from models.calendar.phase import choose_grid
from models.calendar.timestamps import Stamps, format_stamp, parse_stamps
from models.errors import OffGridError


def build_stamps(alias: str, start: str, count: int, timezone: str = "UTC") -> Stamps:
    dates = pd.date_range(start, periods=count, freq=alias).to_numpy().astype("M8[s]")
    return parse_stamps([str(d) for d in dates], timezone, daily=parse_frequency(alias).is_daily)


@pytest.mark.parametrize(
    ("alias", "start", "stray"),
    [
        ("h", "2024-01-01T00:00", "2023-12-31T23:07"),
        ("2h", "2024-01-01T00:00", "2023-12-31T23:00"),
        ("D", "2024-01-02", "2024-01-01T00:07"),
        ("2D", "2024-01-02", "2024-01-01"),
        ("7D", "2024-01-02", "2024-01-01"),
        ("W-MON", "2024-01-08", "2024-01-03"),
        ("2W-MON", "2024-01-08", "2024-01-01"),
        ("B", "2024-01-08", "2024-01-06"),
        ("2B", "2024-01-09", "2024-01-08"),
        ("MS", "2024-02-01", "2024-01-15"),
        ("3MS", "2024-02-01", "2024-01-01"),
        ("QS", "2024-04-01", "2024-02-01"),
        ("2QE", "2024-06-30", "2024-03-31"),
        ("12ME", "2024-04-30", "2024-03-31"),
        ("SMS", "2024-01-15", "2024-01-02"),
        ("2SMS", "2024-01-15", "2024-01-01"),
        ("WOM-2MON", "2024-02-01", "2024-01-01"),
    ],
)
@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
def test_a_stray_first_stamp_does_not_set_the_phase(alias: str, start: str, stray: str, timezone: str) -> None:
    good = build_stamps(alias, start, 12, timezone)
    stamps = np.concatenate([parse_stamps([stray], timezone), good])
    grid = choose_grid(parse_frequency(alias), timezone, stamps)
    assert format_stamp(grid.anchor, timezone) == format_stamp(int(good[0]), timezone)
    assert grid.locate(stamps)[1].tolist() == [False] + [True] * 12


def test_of_two_common_phases_the_earliest_stamps_wins_whatever_the_order() -> None:
    stamps = parse_stamps(["2024-01-04", "2024-01-01", "2024-01-02", "2024-01-03"], "UTC")
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        assert choose_grid(parse_frequency("2D"), "UTC", stamps[order]).anchor == stamps[1]


def test_no_stamp_on_a_date_of_the_frequency() -> None:
    with pytest.raises(OffGridError, match=r"2024-01-01T00:00:00\+00:00 is not a date of the frequency 'W-SUN'"):
        choose_grid(parse_frequency("W-SUN"), "UTC", parse_stamps(["2024-01-08", "2024-01-01"], "UTC"))


def test_a_time_that_the_clocks_move_lies_on_the_grid_of_the_others() -> None:
    texts = [f"2024-03-{day}T02:30:00" for day in (31, 30, 29)]
    stamps = parse_stamps([*texts, "2024-04-01T02:30:00"], "Europe/Berlin", daily=True)
    grid = choose_grid(parse_frequency("D"), "Europe/Berlin", stamps[[0, 3]])
    assert grid.locate(stamps)[1].sum() >= 1
    assert choose_grid(parse_frequency("D"), "Europe/Berlin", stamps).locate(stamps)[1].all()
