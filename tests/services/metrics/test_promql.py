"""Queries that are read; the API's test holds what is refused."""

import math
import time

import pytest

from app.errors import ServiceError
from app.services.label_matching import LabelMatcher
from app.services.metrics.promql import MetricSelector, parse_query, parse_seconds, parse_selector


def test_a_selector_with_everything() -> None:
    query = 'm:actual{a="1",b!="2",c=~"3",d!~"4"} offset 90m @ 7.5'
    assert parse_query(f"({query})") == MetricSelector(
        (
            LabelMatcher("__name__", "m:actual"),
            LabelMatcher("a", "1"),
            LabelMatcher("b", "2", is_negative=True),
            LabelMatcher("c", "3", is_regex=True),
            LabelMatcher("d", "4", is_regex=True, is_negative=True),
        ),
        5_400_000_000,
        7_500_000,
    )
    assert parse_selector('{__name__="x", a="#(("}').matchers == (
        LabelMatcher("__name__", "x"),
        LabelMatcher("a", "#(("),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h30m", 5400),
        ("15", 15),
        ("0.5", 0.5),
        ("7d", 604_800),
        ("soon", None),
        ("-1", -1),
        ("1e400", math.inf),
        ("9" * 5000, math.inf),
        ("99999999999999999999y", None),
        ("1y" * 10_000, None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "query", ["(" * 19_000, '"' * 19_999, '"' + '\\"' * 9999, "'`\"" * 6000, "#" * 19_000, "a or " * 3900]
)
def test_a_hostile_query_is_refused_at_once(query: str) -> None:
    started = time.process_time()
    with pytest.raises(ServiceError):
        parse_query(query)
    assert time.process_time() - started < 2
