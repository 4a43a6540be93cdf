import re

import pytest
from pydantic import TypeAdapter

from app.api.schemas.alerts import Address
from app.api.schemas.backtests import VERSION
from app.api.schemas.base import DURATION, MOMENT, Documented
from app.api.schemas.retention import KEEP
from app.errors import Invalid
from app.services.durations import parse_duration
from app.services.moments import parse_moment
from app.services.registry.lookup import parse_reference
from app.services.series.retention import parse_keep

MOMENTS = (
    "2024-01-31",
    "20240131",
    "2024-01-31T13",
    "2024-01-31t13:00z",
    "2024-01-31 13:00:00.123456789+01:00",
    "20240131T1300-0130",
    "2024-01-31T13:00:00,5+01",
    "1000-01-01T00:00:00Z",
    "8999-12-31",
)
NO_MOMENTS = (
    "",
    "0",
    "00000101",
    "2024-13-01",
    "2024-01-32",
    "2024-01-31T24:01",
    "31.01.2024",
    "9999-01-01",
    "0999-01-01",
)


def fits(documented: Documented, text: str) -> bool:
    return re.search(documented.pattern, text) is not None


@pytest.mark.parametrize("text", MOMENTS)
def test_times_that_are_read_fit_what_is_documented(text: str) -> None:
    parse_moment(text, "body.at")
    assert fits(MOMENT, text)


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_what_is_no_time_does_not_fit(text: str) -> None:
    with pytest.raises(Invalid):
        parse_moment(text, "body.at")
    assert not fits(MOMENT, text)


@pytest.mark.parametrize("text", ["1s", "316224000s", "5270400min", "87840h", "3660D", "522W"])
def test_the_longest_durations_fit_what_is_documented(text: str) -> None:
    parse_duration(text, "body.for")
    assert fits(DURATION, text)


@pytest.mark.parametrize("text", ["70000000h", "2900000D", "410000W"])
def test_the_longest_retention_fits_what_is_documented(text: str) -> None:
    parse_keep(text)
    assert fits(KEEP, text)


@pytest.mark.parametrize("text", ["0s", "1.5h", "1 h", "h", "99999W"])
def test_what_is_no_duration_does_not_fit(text: str) -> None:
    with pytest.raises(Invalid):
        parse_duration(text, "body.for")
    assert not fits(DURATION, text)


@pytest.mark.parametrize("text", ["bikes", "auto", "auto:15min", "bikes@7", "bikes@7.3"])
def test_references_of_models_fit_what_is_documented(text: str) -> None:
    parse_reference(text)
    assert fits(VERSION, text)


def test_the_pattern_stands_in_the_schema() -> None:

    schema = TypeAdapter(Address).json_schema()
    assert schema == {
        "type": "string",
        "minLength": 1,
        "maxLength": 2000,
        "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^ @]+$",
    }
