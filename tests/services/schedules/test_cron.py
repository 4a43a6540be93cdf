"""When a cron expression is due next, in a timezone, when the clocks change, and what is no expression."""

import datetime as dt

import pytest

from app.errors import ErrorCode, Invalid
from app.services.schedules.cron import find_next_due


def us(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("expression", "timezone", "moment", "due"),
    [
        ("* * * * *", "UTC", "2024-03-01T12:00:00+00:00", "2024-03-01T12:01:00+00:00"),
        ("0 3 * * *", "UTC", "2024-03-01T03:00:00+00:00", "2024-03-02T03:00:00+00:00"),
        ("0 3 * * *", "UTC", "2024-03-01T02:59:59+00:00", "2024-03-01T03:00:00+00:00"),
        ("0 3 * * *", "America/New_York", "2024-01-10T12:00:00+00:00", "2024-01-11T08:00:00+00:00"),
        ("*/15 * * * *", "Asia/Kathmandu", "2024-03-01T12:00:01+00:00", "2024-03-01T12:15:00+00:00"),
        ("0 0 * * *", "Asia/Kathmandu", "2024-03-01T12:00:00+00:00", "2024-03-01T18:15:00+00:00"),
        ("0 0 29 2 *", "UTC", "2024-03-01T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
        ("0 0 * mar,apr fri", "UTC", "2024-04-26T00:00:00+00:00", "2025-03-07T00:00:00+00:00"),
        ("0 6 * * mon-fri", "UTC", "2024-03-01T06:00:00+00:00", "2024-03-04T06:00:00+00:00"),
    ],
)
def test_next(expression: str, timezone: str, moment: str, due: str) -> None:
    assert find_next_due(expression, timezone, us(moment), "train") == us(due)


def test_a_moment_within_a_second_is_not_due_again() -> None:
    due = us("2024-03-01T12:01:00+00:00")
    assert find_next_due("* * * * *", "UTC", due + 400_000, "train") == us("2024-03-01T12:02:00+00:00")


def test_a_skipped_time_is_due_when_the_clocks_have_been_put_forward() -> None:
    """Half past two does not exist in Berlin on the last Sunday of March: three o'clock follows two."""
    first = find_next_due("30 2 * * *", "Europe/Berlin", us("2024-03-30T12:00:00+01:00"), "train")
    assert first == us("2024-03-31T03:00:00+02:00")
    assert find_next_due("30 2 * * *", "Europe/Berlin", first, "train") == us("2024-04-01T02:30:00+02:00")


def test_a_time_that_comes_twice_is_due_twice() -> None:
    first = find_next_due("30 2 * * *", "Europe/Berlin", us("2024-10-26T12:00:00+02:00"), "train")
    assert first == us("2024-10-27T02:30:00+02:00")
    second = find_next_due("30 2 * * *", "Europe/Berlin", first, "train")
    assert second == us("2024-10-27T02:30:00+01:00")
    assert find_next_due("30 2 * * *", "Europe/Berlin", second, "train") == us("2024-10-28T02:30:00+01:00")


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "daily",
        "@daily",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "-1 0 * * *",
        "*/0 * * * *",
        "0 0 30 2 *",
        "0 0 * * 1#9",
        "H H * * *",
        "R R * * *",
        "0 r(1-5) * * *",
        "0,R 0 * * *",
        "٣ * * * *",
        "*\x00 * * * *",
        "9" * 90 + " * * * *",
    ],
)
def test_what_is_no_expression_is_named(expression: str) -> None:
    with pytest.raises(Invalid) as caught:
        find_next_due(expression, "UTC", us("2024-03-01T12:00:00+00:00"), "forecast")
    assert caught.value.code == ErrorCode.invalid_schedule
    assert [error.field for error in caught.value.errors] == ["body.forecast"]
    assert "five cron fields" in caught.value.detail
