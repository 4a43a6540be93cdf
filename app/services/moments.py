"""Times that stand for themselves, and not for a step of a series: of UTC where no offset is said."""

from app.errors import ErrorCode, invalid
from models.calendar.timestamps import parse_stamps
from models.errors import TimestampError


def parse_moment(text: str, field_name: str) -> int:
    """Return the microseconds of a time. Raises Invalid."""
    try:
        return int(parse_stamps([text], "UTC")[0])
    except TimestampError as e:
        raise invalid(field_name, ErrorCode(e.code), f"{field_name.rpartition('.')[2]}: {e.detail}") from e
