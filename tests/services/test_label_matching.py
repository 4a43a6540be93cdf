"""Label matchers."""

import time

import pytest

from app.errors import Unreadable
from app.services.label_matching import LONGEST_REGEX, LabelMatcher

TEXTS = ("", "a", "b", "ab", "a.b", "A", "a|b", "a\nb", "ü")


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("a", {"a"}),
        ("a|b", {"a", "b"}),
        ("a\\|b", {"a|b"}),
        ("a\\.b|", {"a.b", ""}),
        ("a.b", {"a.b", "a|b", "a\nb"}),
        (".*", set(TEXTS)),
        (".+", set(TEXTS) - {""}),
        ("(?i)a", {"a", "A"}),
        ("[^a]", {"b", "A", "ü"}),
        ("a|", {"a", ""}),
        ("\\pL", {"a", "b", "A", "ü"}),
    ],
)
def test_a_regular_expression_matches_from_end_to_end(pattern: str, matching: set[str]) -> None:
    assert LabelMatcher("x", pattern, is_regex=True).select(TEXTS) == matching
    assert LabelMatcher("x", pattern, is_regex=True, is_negative=True).select(TEXTS) == set(TEXTS) - matching


def test_equality() -> None:
    assert LabelMatcher("x", "a").select(TEXTS) == {"a"}
    assert LabelMatcher("x", "a", is_negative=True).select(TEXTS) == set(TEXTS) - {"a"}
    assert LabelMatcher("x", "").matches("")


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("a|b c|d\\.e", {"a", "b c", "d.e"}),
        ("", {""}),
        ("eu\\-west\\/1", {"eu-west/1"}),
        ("a.b", None),
        ("\\d", None),
        ("a\\|b", None),
    ],
)
def test_alternatives_are_listed_where_there_is_nothing_else(pattern: str, values: set[str] | None) -> None:
    assert LabelMatcher("x", pattern, is_regex=True).values == values
    assert LabelMatcher("x", pattern, is_regex=True, is_negative=True).values is None


@pytest.mark.parametrize("pattern", ["(", "a)|(b", "(?=a)", "(a{1000}){1000}", "\\1", "[" + "a" * LONGEST_REGEX + "]"])
def test_what_is_no_expression_or_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(Unreadable, match="regular expression"):
        LabelMatcher("x", pattern, is_regex=True).select(TEXTS)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+c", "(.*)*(.*)*(.*)*x", "((a?){100})+b"])
def test_no_expression_takes_long(pattern: str) -> None:
    started = time.process_time()
    assert LabelMatcher("x", pattern, is_regex=True).select(["a" * 200] * 1000) == frozenset()
    assert time.process_time() - started < 5


def test_an_expression_with_half_a_character_is_refused() -> None:
    with pytest.raises(Unreadable, match="halves of characters"):
        LabelMatcher("job", "a+\ud800", is_regex=True).matches("a")
