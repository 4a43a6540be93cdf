"""Why timestamps are not on the grid of their series, and what to name instead."""

from typing import Protocol

import numpy as np

from models.arrays import Ints
from models.calendar.frequency import Frequency, parse_frequency
from models.calendar.infer_frequency import suggest_frequency
from models.calendar.iso import Mask
from models.calendar.timestamps import DAY, MINUTE, spell_offset
from models.calendar.zones import find_timezone_of_midnights, has_offsets, suggest_timezones

_WEEKDAYS = {
    "MON": "Mondays",
    "TUE": "Tuesdays",
    "WED": "Wednesdays",
    "THU": "Thursdays",
    "FRI": "Fridays",
    "SAT": "Saturdays",
    "SUN": "Sundays",
}


class GridFields(Protocol):
    """The fields that place timestamps on a grid: of a stored series, or of one that comes with a request."""

    freq: str
    timezone: str
    anchor: int | None
    """None before the first observation"""


def find_cause(row: GridFields, stamps: Ints, on_grid: Mask, offsets: Ints | None, *, is_new: bool) -> str:
    """Say, as the end of a sentence, why some of the stamps (N,) are off the grid; empty where nothing is known.

    Args:
        on_grid: (N,)
        offsets: (N,) microseconds ahead of UTC as they were written; None where some were not
        is_new: the series has no observations yet, so that its frequency may be at fault
    """
    frequency = parse_frequency(row.freq)
    off = stamps[~on_grid]
    if frequency.is_daily:
        if offsets is not None and not has_offsets(row.timezone, off, offsets[~on_grid]):
            return f"; {explain_offsets(off, offsets[~on_grid])}, and the series has the days of {row.timezone}"
        zone = explain_days(off if row.anchor is None else np.append(off, row.anchor), row.timezone)
        if zone is not None:
            return f"; {zone}"
    return _explain_frequency(frequency, stamps, off, row.timezone) if is_new else ""


def explain_days(stamps: Ints, timezone: str) -> str | None:
    """Say that timestamps (N,) are days of another timezone than the given one; None where that cannot be seen."""
    zone = find_timezone_of_midnights(stamps, timezone)
    return None if zone is None else f"the timestamps are midnights of {zone}: name timezone={zone}"


def explain_offsets(stamps: Ints, offsets: Ints) -> str:
    """Say which timezones have the offsets (N,), microseconds, that timestamps were written with."""
    distinct = [spell_offset(offset // MINUTE) for offset in np.unique(offsets).tolist()]
    shown = " and ".join(distinct[:2]) + (" and others" if len(distinct) > 2 else "")
    carried = f"the timestamps carry the offset{'s' if len(distinct) > 1 else ''} {shown}"
    zones = suggest_timezones(stamps, offsets)
    if not zones:
        return f"{carried}: name the timezone whose days they are, such as timezone=Europe/Berlin"
    return f"{carried}, as in {' or '.join(zones)}: name timezone={zones[0]}"


def _explain_frequency(frequency: Frequency, stamps: Ints, off: Ints, timezone: str) -> str:
    """Name the frequency that most rows have, where it is not the one that was named."""
    is_absolute_day = frequency.kind == "tick" and frequency.step % DAY == 0
    if not is_absolute_day and 2 * len(off) <= len(stamps):
        return ""
    other = suggest_frequency(frequency, stamps if is_absolute_day else off, timezone)
    if other is None:
        return ""
    what = _WEEKDAYS[other.alias[-3:]] if other.kind == "week" else f"dates of the frequency {other.alias}"
    return f"; these are {what}: name freq={other.alias}"
