"""What texts that are no timestamps look like."""

import pytest

from models.calendar.lookalikes import explain_unreadable


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("1704121200", "seconds since 1970: 2024-01-01T15:00:00+00:00"),
        ("1704121200000", "milliseconds since 1970: 2024-01-01T15:00:00+00:00"),
        ("1704121200000000", "microseconds since 1970: 2024-01-01T15:00:00+00:00"),
        ("1704121200000000000", "nanoseconds since 1970: 2024-01-01T15:00:00+00:00"),
        ("1704121200.5", "seconds since 1970: 2024-01-01T15:00:00.500000+00:00"),
        ("1.7041212e12", "milliseconds since 1970: 2024-01-01T15:00:00+00:00"),
        ("20240101130000", "without separators: 2024-01-01T13:00:00"),
        ("2024010113", "without separators: 2024-01-01T13:00:00 or seconds since 1970"),
        ("45292", "serial number of Excel: 2024-01-01; send that text, or import with ds_start="),
        ("45292.5", "serial number of Excel: 2024-01-01T12:00:00"),
        ("17", "import with ds_start= and freq="),
        ("-3", "import with ds_start= and freq="),
        ("31/01/2024", "begins with the day; send 2024-01-31"),
        ("01/31/2024", "begins with the month; send 2024-01-31"),
        ("01/02/2024", "2024-02-01 if the day comes first and 2024-01-02 if the month does"),
        ("1/2/2024 5:00", "2024-02-01 if the day comes first and 2024-01-02 if the month does"),
        ("31.01.2024 13:00", "send 2024-01-31"),
        ("01.02.24", "year has two digits"),
        ("2024/01/02", "send 2024-01-02"),
        ("2024-1-5", "send 2024-01-05"),
        ("2024.01.02", "send 2024-01-02"),
        ("2024-W01-1", "week of the year; send 2024-01-01"),
        ("2024-W02", "send 2024-01-08, the week's Monday"),
        ("2024-060", "day of the year; send 2024-02-29"),
        ("2024001", "day of the year; send 2024-01-01"),
        ("2024-01", "a month; send its first day, 2024-01-01"),
        ("202401", "a month, whose first day is 2024-01-01"),
        ("2024M07", "send its first day, 2024-07-01"),
        ("2024-Q3", "a quarter; send its first day, 2024-07-01"),
        ("13:00", "time of day without a date"),
        ("2024-01-31T24:00", "send the next one's beginning, 2024-02-01T00:00:00"),
        ("2024-01-01x00:00", "send 2024-01-01T00:00"),
        ("2024-01-01_00:00", "send 2024-01-01T00:00"),
        ("2024-01-01+01:00", "send 2024-01-01T00:00:00+01:00"),
        ("2024-01-01T00:00:00+01:00:30", "offset has seconds"),
        ("2024-01-01 00:00:00 +0100", "send 2024-01-01 00:00:00+0100"),
        ("2024-01-01T00:00:00 01:00", "%2B01:00"),
        ("2024-01-01 00:00:00 UTC", "send Z in place of 'UTC'"),
        ("2024-01-01T00:00:00+01:00[Europe/Berlin]", "send 2024-01-01T00:00:00+01:00"),
        ("2024-01-01 09:00 PM", "clock of twelve hours"),
        ("2024-01-01 9:00", "send 2024-01-01T09:00"),
        ("2024-02-30", "not in the calendar"),
        (" 2024-01-01", "blanks around it; send '2024-01-01'"),
        ("", "missing"),
        ("NaT", "missing"),
        (None, "not text"),
        ("yesterday", "'yesterday' is not an ISO 8601 timestamp of the years 1000 to 8999"),
        ("9999-12-31", "the years 1000 to 8999"),
        ("9" * 400, "ISO 8601"),
        ("1e400", "ISO 8601"),
    ],
)
def test_the_meaning_is_told(text: object, meaning: str) -> None:
    assert meaning in explain_unreadable(text)
    assert len(explain_unreadable(text)) < 300
