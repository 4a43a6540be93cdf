"""Durations as requests write them."""

import pytest

from app.errors import Invalid
from app.services.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("10min", 600), ("24h", 86_400), ("7D", 604_800), ("2W", 1_209_600)]
)
def test_durations_have_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text, "x") == seconds * 1_000_000


@pytest.mark.parametrize("text", ["", "10", "0h", "1.5h", "10m", "-1h", "1 h", "h", "1M", "24H", "999999999W", "١h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_duration(text, "body.for")
