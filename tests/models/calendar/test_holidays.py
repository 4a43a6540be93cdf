"""Holidays: codes of known dates."""

import numpy as np
import pytest

from models.calendar.holidays import DAY_AFTER, DAY_BEFORE, HOLIDAY, NONE, holiday_codes, is_country


@pytest.mark.parametrize(
    ("country", "date", "code"),
    [
        ("DE", "2024-10-02", DAY_BEFORE),
        ("DE", "2024-10-03", HOLIDAY),  # German unity
        ("DE", "2024-10-04", DAY_AFTER),
        ("DE", "2024-10-05", NONE),
        ("DE", "2024-05-09", HOLIDAY),  # Ascension, 39 days after Easter
        ("DE", "2024-12-25", HOLIDAY),
        ("DE", "2024-12-26", HOLIDAY),  # a holiday first, then the day after one
        ("DE", "2023-12-31", DAY_BEFORE),  # of a holiday in the next year
        ("DE", "2024-01-02", DAY_AFTER),
        ("DE", "2024-06-20", NONE),
        ("DE-BY", "2024-01-06", HOLIDAY),  # Epiphany, in Bavaria alone
        ("DE", "2024-01-06", NONE),
        ("US-NY", "2024-07-04", HOLIDAY),
        ("US-NY", "2024-11-28", HOLIDAY),  # fourth Thursday of November
        ("US-NY", "2024-02-12", HOLIDAY),  # Lincoln's birthday, in New York but not everywhere
        ("US", "2024-02-12", NONE),
        ("US-NY", "2024-10-03", NONE),
    ],
)
def test_known_dates(country: str, date: str, code: int) -> None:
    assert holiday_codes(np.array([date], "M8[D]"), country).tolist() == [code]


def test_codes_keep_the_shape() -> None:
    days = np.datetime64("2023-12-24") + np.arange(6).reshape(2, 3)
    expected = [[DAY_BEFORE, HOLIDAY, HOLIDAY], [DAY_AFTER, NONE, NONE]]
    np.testing.assert_array_equal(holiday_codes(days, "DE"), expected)


def test_years_without_known_holidays_have_none() -> None:
    assert holiday_codes(np.array(["1000-06-01", "8999-06-01"], "M8[D]"), "DE").tolist() == [NONE, NONE]


@pytest.mark.parametrize(
    ("country", "known"),
    [("DE", True), ("US-NY", True), ("XX", False), ("DE-XX", False), ("", False), ("DE-", False), ("Germany", False)],
)
def test_countries_and_their_parts(country: str, known: bool) -> None:
    assert is_country(country) is known
