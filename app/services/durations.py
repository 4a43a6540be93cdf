"""Durations as requests write them, such as `10min`, `24h` and `7D`."""

import re

from app.errors import ErrorCode, invalid

SECOND_US = 1_000_000
UNITS = {"s": 1, "min": 60, "h": 3600, "D": 86_400, "W": 7 * 86_400}
"""seconds"""
LONGEST_US = 3660 * UNITS["D"] * SECOND_US
_DURATION = re.compile(r"([1-9][0-9]{0,8})(s|min|h|D|W)")


def parse_duration(text: str, field_name: str) -> int:
    """Return the microseconds of a duration such as `10min`, `24h` or `7D`. Raises Invalid."""
    match = _DURATION.fullmatch(text)
    if match is None:
        detail = f"{text[:40]!r} is no duration here: send a whole number of s, min, h, D or W, such as 10min or 24h"
        raise invalid(field_name, ErrorCode.invalid_duration, detail)
    duration = int(match[1]) * UNITS[match[2]] * SECOND_US
    if duration > LONGEST_US:
        raise invalid(field_name, ErrorCode.invalid_duration, f"{text} is longer than ten years, the most")
    return duration
