"""Checks of a series' id, frequency and timezone."""

import re

from app.errors import ErrorCode, FieldError, Invalid
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import load_timezone
from models.errors import FrequencyError, TimezoneError

MAX_ID = 200
"""characters"""

_ROUTE_WORDS = re.compile(r"(^|/)(import|export)/*$|(^|/)(observations|health)/*$|(^|/)\.{1,2}(/|$)")
"""ids that a URL would take for a route of the API, or for a relative path"""


MISSING_IDS = frozenset({"", "nan", "<na>"})
"""ids, in lower case, that stand for a missing one in a table, so that no series may have them"""


def is_series_id(text: str) -> bool:
    """Say whether a series may have this id: 1 to 200 printable characters, and no route of the API."""
    return 1 <= len(text) <= MAX_ID and text.isprintable() and not _ROUTE_WORDS.search(text)


def check_id(series_id: str) -> str:
    """Return a new series' id, without the blanks around it. Raises Invalid for one that no series may have."""
    series_id = series_id.strip()
    if series_id.lower() in MISSING_IDS or not is_series_id(series_id):
        raise Invalid(
            ErrorCode.invalid_series_id,
            f"a series id has 1 to {MAX_ID} printable characters, does not end in a word of the API (import, export, "
            "observations, health), and is not nan, which stands for a missing id in a table",
            errors=[FieldError("id", ErrorCode.invalid_series_id, f"{series_id[:60]!r} cannot be an id")],
        )
    return series_id


def check_frequency(alias: str) -> str:
    """Return the canonical alias of a frequency. Raises Invalid."""
    try:
        return parse_frequency(alias).alias
    except FrequencyError as e:
        error = FieldError("freq", ErrorCode.invalid_frequency, str(e))
        raise Invalid(ErrorCode.invalid_frequency, str(e), errors=[error]) from e


def check_timezone(name: str, field: str = "timezone") -> str:
    """Return the timezone's name. Raises Invalid, which names the field of the request."""
    try:
        load_timezone(name)
    except TimezoneError as e:
        error = FieldError(field, ErrorCode.invalid_timezone, str(e))
        raise Invalid(ErrorCode.invalid_timezone, str(e), errors=[error]) from e
    return name
