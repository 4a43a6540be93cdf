"""What a text that is no ISO 8601 timestamp looks like, in words for whoever sent it."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

_EXAMPLE = "an ISO 8601 timestamp of the years 1000 to 8999, such as 2024-01-31T13:00:00+01:00"
_STEPS = "import with ds_start= and freq="
_UNITS = (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
_EPOCH_YEARS = range(1973, 2100)
"""years whose seconds since 1970 have nine or ten digits: a number is taken for a time in these alone"""
_EXCEL_DAYS = range(20_000, 80_000)
"""serial numbers of the years 1954 to 2118"""
_EXCEL_EPOCH = datetime(1899, 12, 30)
_COMPACT = {4: "%Y", 6: "%Y%m", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_MISSING = {"nat", "nan", "null", "none", "na", "n/a", "<na>"}


def explain_unreadable(text: object) -> str:
    """Say what an unreadable timestamp looks like, and what to send instead."""
    shown = repr(str(text)[:60])
    if not isinstance(text, str):
        return f"{shown} is not text; send {_EXAMPLE}"
    bare = text.strip()
    if not bare or bare.lower() in _MISSING:
        return f"the timestamp is missing ({shown}); send {_EXAMPLE}"
    for pattern, explain in _PATTERNS:
        match = pattern.fullmatch(bare[:60])
        meaning = None if match is None else explain(match)
        if meaning is not None:
            return f"{shown} looks like {meaning}"
    if bare != text:
        return f"{shown} has blanks around it; send {bare[:60]!r}"
    return f"{shown} is not {_EXAMPLE}"


def _explain_number(match: re.Match[str]) -> str | None:
    value = float(match[0])
    if not abs(value) < 1e22:
        return None
    readings = _read_compact(match[0])
    for unit, size in _UNITS:
        moment = _add_seconds(value / size)
        if moment is not None and moment.year in _EPOCH_YEARS and abs(value) >= 1e8 * size:
            readings.append(f"{unit} since 1970: {moment.isoformat()}")
    if readings:
        return f"{' or '.join(readings)}; send the time as such a text, not as a number"
    if int(value) in _EXCEL_DAYS:
        day = (_EXCEL_EPOCH + timedelta(days=value)).isoformat(timespec="seconds").removesuffix("T00:00:00")
        return f"a serial number of Excel: {day}; send that text, or {_STEPS} where ds counts steps"
    return f"a whole number; {_STEPS} where ds counts steps, else send {_EXAMPLE}" if value == int(value) else None


def _read_compact(text: str) -> list[str]:
    """Return the reading of digits as a year, month, and so on without separators, where they are one."""
    form = _COMPACT.get(len(text))
    if form is None or not text.isdecimal() or int(text[:4]) not in range(1900, 2100):
        return []
    try:
        moment = datetime.strptime(text, form)
    except ValueError:
        return []
    if len(text) <= 6:
        return [f"a {'year' if len(text) == 4 else 'month'}, whose first day is {moment.date()}"]
    return [f"a date and time without separators: {moment.isoformat()}"]


def _add_seconds(seconds: float) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds, 6))
    except OverflowError:
        return None


def _explain_day_and_month(match: re.Match[str]) -> str | None:
    by_day = _spell_date(int(match[4]), int(match[3]), int(match[1]))
    by_month = _spell_date(int(match[4]), int(match[1]), int(match[3]))
    if by_day is None and by_month is None:
        return None
    if match[2] == "." or by_month is None:
        return f"a date that begins with the day; send {by_day or by_month}"
    if by_day is None:
        return f"a date that begins with the month; send {by_month}"
    if by_day == by_month:
        return f"a date with the year last; send {by_day}"
    return f"a date, {by_day} if the day comes first and {by_month} if the month does; send it in one of these forms"


def _explain_year_first(match: re.Match[str]) -> str | None:
    day = _spell_date(int(match[1]), int(match[2]), int(match[3]))
    if day is None:
        return f"a date that is not in the calendar; send {_EXAMPLE}"
    if match[0].startswith(day):
        return None
    return f"a date; send {day} with hyphens and two digits each for month and day, and any time after a T"


def _explain_week(match: re.Match[str]) -> str | None:
    try:
        day = date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        return None
    return f"a date by week of the year; send {day}" + ("" if match[3] else ", the week's Monday")


def _explain_ordinal(match: re.Match[str]) -> str | None:
    if not 1 <= int(match[2]) <= 366 or int(match[1]) not in range(1900, 2100):
        return None
    return f"a date by day of the year; send {date(int(match[1]), 1, 1) + timedelta(days=int(match[2]) - 1)}"


def _explain_month(match: re.Match[str]) -> str | None:
    day = _spell_date(int(match[1]), int(match[2]), 1)
    return None if day is None else f"a month; send its first day, {day}"


def _explain_quarter(match: re.Match[str]) -> str:
    return f"a quarter; send its first day, {match[1]}-{int(match[2]) * 3 - 2:02d}-01"


def _explain_midnight(match: re.Match[str]) -> str | None:
    day = _spell_date(int(match[1]), int(match[2]), int(match[3]))
    if day is None or day.startswith("9999"):
        return None
    return f"the end of a day; send the next one's beginning, {date.fromisoformat(day) + timedelta(days=1)}T00:00:00"


def _explain_date_with_offset(match: re.Match[str]) -> str:
    return f"a date with an offset and no time; send {match[1]}T00:00:00{match[2]}"


def _explain_zone(match: re.Match[str]) -> str:
    if match[2]:
        return f"a time with the name of a timezone; send {match[1]}{match[2]}"
    what = "Z" if match[3].upper() in ("UTC", "GMT") else "its offset, such as +01:00,"
    return f"a time with the name of a timezone; send {what} in place of {match[3]!r}"


def _explain_blank(match: re.Match[str]) -> str:
    if match[2][0] in "+-":
        return f"a time with a blank before its offset; send {match[1]}{match[2]}"
    return f"a time whose + a URL has made a blank; send {match[1]}%2B{match[2]} in a URL, + elsewhere"


def _explain_half_day(match: re.Match[str]) -> str:
    return "a time of a clock of twelve hours; send hours from 00 to 23, such as 2024-01-31T13:00:00"


def _explain_short_hour(match: re.Match[str]) -> str:
    return f"a time whose hour has one digit; send {match[1]}T0{match[2]}"


def _explain_short_year(match: re.Match[str]) -> str:
    return "a date whose year has two digits; send all four, such as 2024-01-31"


def _explain_seconds(match: re.Match[str]) -> str:
    return "a time whose offset has seconds; send it in UTC, with Z"


def _explain_time(match: re.Match[str]) -> str:
    return "a time of day without a date; send both, such as 2024-01-31T13:00:00"


def _explain_separator(match: re.Match[str]) -> str | None:
    return f"a date and a time with {match[2]!r} between them; send {match[1]}T{match[3]}"


def _spell_date(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]], ...] = tuple(
    (re.compile(pattern, re.ASCII | re.IGNORECASE), explain)
    for pattern, explain in (
        (r"(\d{4})-?(\d{3})", _explain_ordinal),
        (r"[+-]?\d+(?:\.\d*)?(?:e[+]?\d+)?", _explain_number),
        (r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:\D.*)?", _explain_day_and_month),
        (r"\d{1,2}([./-])\d{1,2}\1\d{2}(?:\D.*)?", _explain_short_year),
        (r"(\d{4})-?W(\d\d)(?:-?(\d))?(?:T.*)?", _explain_week),
        (r"(\d{4})[-/M](\d{1,2})", _explain_month),
        (r"(\d{4})[- ]?Q([1-4])", _explain_quarter),
        (r"(\d{4})-(\d\d)-(\d\d)[T ]24:?00(?::?00(?:\.0*)?)?.*", _explain_midnight),
        (r"(\d{4}-\d\d-\d\d)(Z|[+-]\d\d(?::?\d\d)?)", _explain_date_with_offset),
        (r"(\d{4}-\d\d-\d\d[T ][\d:.]+) +([+-]?\d\d:?\d\d)", _explain_blank),
        (r"\d{4}-\d\d-\d\d[T ][\d:.]+ ?[AP]\.?M\.?", _explain_half_day),
        (r"(\d{4}-\d\d-\d\d[T ][\d:.]+)(Z|[+-]\d\d:?\d\d)? ?\[?([A-Z][A-Z_/]+)\]?", _explain_zone),
        (r"(\d{4}-\d\d-\d\d)[T ](\d:\d\d.*)", _explain_short_hour),
        (r"\d{4}-\d\d-\d\d[T ][\d:.]+[+-]\d\d:?\d\d:?\d\d(?:\.\d+)?", _explain_seconds),
        (r"(\d{4}-\d\d-\d\d)([^\dT ]| {2,})(\d\d:\d\d.*)", _explain_separator),
        (r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:\D.*)?", _explain_year_first),
        (r"\d{1,2}:\d\d.*", _explain_time),
    )
)
"""what is tried in this order: the first that has a meaning is told"""
