"""Cron expressions: five fields, read in a timezone."""

import datetime as dt
import re

from croniter import CroniterError, croniter

from app.errors import ErrorCode, invalid
from models.calendar.timestamps import load_timezone

FIELDS = 5
SECOND = 1_000_000
"""microseconds"""
RANDOM = re.compile(r"(?<![a-z])r", re.IGNORECASE)
"""croniter's sign for a time that it chooses by chance, another one at every call"""


def find_next_due(expression: str, timezone: str, moment: int, field: str) -> int:
    """Return when an expression is next due after a moment, both in microseconds UTC.

    A time that the clocks skip is due when they have gone forward, and a time that they show twice is due twice.
    Raises Invalid, which names the field of the body, for text that is not an expression or is never due.
    """
    try:
        if len(expression.split()) != FIELDS:
            raise ValueError(f"it has {len(expression.split())} fields")
        if RANDOM.search(expression):
            raise ValueError("random times are not supported")
        now = dt.datetime.fromtimestamp(moment // SECOND, load_timezone(timezone))
        due: dt.datetime = croniter(expression, now).get_next(dt.datetime)
    except (CroniterError, ValueError, KeyError, OverflowError) as e:
        detail = (
            f"{expression[:100]!r} is not a schedule ({e}); write five cron fields: minute, hour, day of month, month, "
            "day of week, such as '0 3 * * *' for three o'clock every day"
        )
        raise invalid(f"body.{field}", ErrorCode.invalid_schedule, detail) from e
    return round(due.timestamp()) * SECOND
