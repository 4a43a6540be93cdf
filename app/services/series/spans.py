"""Spans of time, as a query says them: from `start` (inclusive) to `end` (exclusive), either of them left out."""

from typing import NamedTuple

from app.errors import ErrorCode, FieldError, Invalid
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import parse_stamps
from models.errors import TimestampError

EVER = 2**62
"""beyond every stamp, on both sides"""


class Span(NamedTuple):
    """First and last stamp of a span, both in it; stamps beyond all others where it has no bound."""

    first: int
    last: int


EVERY_TIME = Span(-EVER, EVER)


def parse_bound(freq: str, timezone: str, text: str | None, name: str) -> int | None:
    """Return the stamp of a bound, read in the timezone of a series; None stays None. Raises Invalid."""
    if text is None:
        return None
    try:
        return int(parse_stamps([text], timezone, daily=parse_frequency(freq).is_daily)[0])
    except TimestampError as e:
        raise Invalid(
            ErrorCode(e.code), f"{name}: {e.detail}", errors=[FieldError(f"query.{name}", e.code, e.detail)]
        ) from e


def parse_span(freq: str, timezone: str, start: str | None, end: str | None) -> Span:
    """Return the span between two bounds, read in the timezone of a series. Raises Invalid."""
    first = parse_bound(freq, timezone, start, "start")
    last = parse_bound(freq, timezone, end, "end")
    return Span(-EVER if first is None else first, EVER if last is None else last - 1)
