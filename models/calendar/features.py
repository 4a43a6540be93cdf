"""Calendar features of timestamps."""

import numpy as np

from models.arrays import Ints
from models.calendar.frequency import SECOND, Frequency
from models.calendar.holidays import holiday_codes
from models.calendar.timestamps import DAY, Stamps, to_local

CALENDAR_FIELDS = ("second_of_day", "day_of_week", "day_of_month", "day_of_year", "holiday")
"""Columns of `calendar_features`: zero-based integers on the local wall clock; the last is a code of
`models.calendar.holidays`."""

CALENDAR_PERIODS = (86_400, 7, 31, 366, 4)
"""Length of each field's cycle, for encoding it on a circle."""

SECOND_OF_DAY, DAY_OF_WEEK, DAY_OF_MONTH, DAY_OF_YEAR, HOLIDAY_CODE = range(len(CALENDAR_FIELDS))
"""Column numbers."""


def calendar_features(stamps: Stamps, timezone: str, country: str | None = None) -> Ints:
    """Return the calendar integers (..., 5) of UTC microseconds (...), in the order of CALENDAR_FIELDS.

    Without a country no day is a holiday.
    """
    local = to_local(stamps, timezone)
    days = (local // DAY).astype("M8[D]")
    fields = (
        local % DAY // SECOND,
        (days.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday; Monday is 0
        (days - days.astype("M8[M]").astype("M8[D]")).astype(np.int64),
        (days - days.astype("M8[Y]").astype("M8[D]")).astype(np.int64),
        np.zeros(days.shape, np.int64) if country is None else holiday_codes(days, country),
    )
    return np.stack(fields, axis=-1)


def active_calendar_fields(frequency: Frequency, country: str | None = None) -> tuple[int, ...]:
    """Return which columns of `calendar_features` vary usefully at this frequency."""
    holiday = () if country is None else (HOLIDAY_CODE,)
    if frequency.kind == "tick" and frequency.step < DAY:
        return (SECOND_OF_DAY, DAY_OF_WEEK, DAY_OF_YEAR, *holiday)
    if frequency.approximate_us < 5 * DAY:
        return (DAY_OF_WEEK, DAY_OF_MONTH, DAY_OF_YEAR, *holiday)
    return (DAY_OF_YEAR,) if frequency.approximate_us < 300 * DAY else ()
