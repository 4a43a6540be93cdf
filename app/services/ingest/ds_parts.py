"""The parts of a time as its text spells them: years to decimals, offsets, and numbers since 1970.

`parts` are the groups of a layout, {directive: (N,) strings}: digits, and null where the layout does not match.
"""

from typing import TYPE_CHECKING

import numpy as np

from models.arrays import Ints
from models.calendar.iso import Mask
from models.calendar.timestamps import DAY, EARLIEST, LATEST, MINUTE

if TYPE_CHECKING:
    import pyarrow as pa

EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1000, "epoch_us": 1, "epoch_ns": -1000}
"""microseconds in one unit; those of a nanosecond are negative, and divide"""
SHORT_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"


def count_epoch(parts: "dict[str, pa.Array]", size: int) -> tuple[Ints, Mask]:
    """Return numbers since 1970 (N,) as microseconds, and which are of the years 1000 to 8999."""
    import pyarrow as pa
    import pyarrow.compute as pc

    negative = pc.starts_with(parts["whole"], "-").fill_null(False).to_numpy(zero_copy_only=False)
    whole = pc.cast(pc.replace_substring(parts["whole"], "-", "").fill_null("0"), pa.uint64()).to_numpy()
    per_unit = 1 / -size if size < 0 else size
    in_range = whole < np.where(negative, -EARLIEST, LATEST) / per_unit
    number = np.where(in_range, whole, 0).astype(np.int64)
    if size < 0:
        wall = number // -size
        return np.where(negative, -wall, wall), in_range
    wall = number * size
    if size > 1:
        places = len(str(size)) - 1
        cut = pc.utf8_slice_codeunits(parts["decimals"].fill_null(""), 0, places)
        wall += pc.cast(pc.utf8_rpad(cut, places, "0"), pa.int64()).to_numpy()
    return np.where(negative, -wall, wall), in_range


def _read_number(parts: "dict[str, pa.Array]", name: str, absent: int) -> Ints:
    """Return the digits of a directive as integers (N,): 0 where the layout does not match."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name not in parts:
        some = next(iter(parts.values()))
        return np.full(len(some), absent, np.int64)
    digits = pc.if_else(pc.equal(parts[name], ""), "0", parts[name]).fill_null("0")
    numbers: Ints = pc.cast(digits, pa.int64()).to_numpy()
    return numbers


def compose_dates(parts: "dict[str, pa.Array]") -> tuple[Ints, Mask]:
    """Return midnights (N,) in microseconds, and which of the dates are in the calendar."""
    if "G" in parts:
        return _compose_weeks(parts)
    year = _read_number(parts, "Y", 0)
    if "y" in parts:
        short = _read_number(parts, "y", 0)
        year = short + np.where(short < 69, 2000, 1900)  # as POSIX has it
    if "j" in parts:
        first = _find_first_day(year * 12)
        day = _read_number(parts, "j", 1)
        return (first + day - 1) * DAY, (day > 0) & (first + day <= _find_first_day(year * 12 + 12))
    month = (_read_number(parts, "q", 1) - 1) * 3 + 1
    if "m" in parts:
        month = _read_number(parts, "m", 1)
    elif "b" in parts or "B" in parts:
        month = _read_months(parts.get("b", parts.get("B")))
    day = _read_number(parts, "d", 1)
    first = _find_first_day(year * 12 + month - 1)
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (first + day <= _find_first_day(year * 12 + month))
    return (first + day - 1) * DAY, exists


def _find_first_day(months: Ints) -> Ints:
    """Return the first days, in days since 1970, of months (N,) that are counted from the year 0."""
    days: Ints = (months - 1970 * 12).astype("M8[M]").astype("M8[D]").astype(np.int64)
    return days


def _read_months(names: "pa.Array") -> Ints:
    """Return months (N,) from 1 of their English names, or of the first three letters."""
    import pyarrow as pa
    import pyarrow.compute as pc

    short = pc.utf8_slice_codeunits(pc.utf8_lower(names), 0, 3)
    found = pc.index_in(short, value_set=pa.array(SHORT_MONTHS.split("|")))
    months: Ints = found.fill_null(-1).to_numpy().astype(np.int64) + 1
    return months


def _compose_weeks(parts: "dict[str, pa.Array]") -> tuple[Ints, Mask]:
    """Return midnights (N,) in microseconds of days of ISO weeks, Mondays where no day is named, and which exist."""
    year = _read_number(parts, "G", 0)
    week = _read_number(parts, "V", 1)
    first = _find_first_monday(year)
    monday = first + (week - 1) * 7
    exists = (week >= 1) & (monday < _find_first_monday(year + 1))
    return (monday + _read_number(parts, "u", 1) - 1) * DAY, exists


def _find_first_monday(years: Ints) -> Ints:
    """Return the Monday of the first ISO week of years (N,), which holds January 4, in days since 1970."""
    fourth = _find_first_day(years * 12) + 3
    return fourth - (fourth + 3) % 7  # 1970-01-01 was a Thursday


def compose_times(parts: "dict[str, pa.Array]") -> tuple[Ints, Mask]:
    """Return times of day (N,) in microseconds, and which a clock shows."""
    import pyarrow.compute as pc

    hour = _read_number(parts, "H", 0)
    in_day = hour < 24
    if "I" in parts:
        twelve = _read_number(parts, "I", 0)
        in_day = (twelve >= 1) & (twelve <= 12)
        afternoon = pc.starts_with(parts["p"], "p", ignore_case=True).fill_null(False).to_numpy(zero_copy_only=False)
        hour = twelve % 12 + 12 * afternoon
    minute = _read_number(parts, "M", 0)
    second = _read_number(parts, "S", 0)
    time = (hour * 60 + minute) * MINUTE + second * 1_000_000
    if "f" in parts:
        decimals = pc.utf8_slice_codeunits(pc.utf8_rpad(parts["f"], 6, "0"), 0, 6)
        time += _read_number({"f": decimals}, "f", 0)
    return time, in_day & (minute < 60) & (second < 60)


def read_offsets(texts: "pa.Array") -> Ints:
    """Return microseconds ahead of UTC (N,); those of an offset that is none are a day or longer."""
    distinct = texts.dictionary_encode()
    offsets = np.array([0, *map(_read_offset, distinct.dictionary.to_pylist())], np.int64)
    ahead: Ints = offsets[distinct.indices.fill_null(-1).to_numpy() + 1]
    return ahead


def _read_offset(text: str) -> int:
    digits = text.lstrip("+-").replace(":", "")
    if not digits.isdecimal():
        return 0
    hours = int(digits[:2])
    minutes = int(digits[2:] or 0)
    if hours > 23 or minutes > 59:
        return DAY
    ahead = (hours * 60 + minutes) * MINUTE
    return -ahead if text[0] == "-" else ahead
