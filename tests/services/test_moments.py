"""Times in requests that are of no series."""

import pytest

from app.errors import ErrorCode, Invalid
from app.services.moments import parse_moment


def test_times_are_of_utc_where_no_offset_is_said() -> None:
    for text in ("1970-01-01T01:00:00", "1970-01-01T01:00:00Z", "1970-01-01T03:00:00+02:00"):
        assert parse_moment(text, "query.since") == 3_600_000_000


@pytest.mark.parametrize("text", ["yesterday", "", "2024-02-30T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_what_is_no_time_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_moment(text, "query.since")
    assert refused.value.code == ErrorCode.invalid_timestamp
    assert [error.field for error in refused.value.errors] == ["query.since"]
    assert refused.value.detail.startswith("since: ")
