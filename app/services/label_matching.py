"""Label matchers: equality, and regular expressions as Prometheus reads them.

Regular expressions are run by RE2, which Arrow carries: its time is linear in the text, whatever the expression, and
the memory of one is bounded. It is the syntax of Prometheus, whose own engine is a port of it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.errors import ErrorCode, Unreadable
from app.scope import storable

LONGEST_REGEX = 10_000
"""characters: Grafana writes each chosen value of a variable into one"""
_LITERALS = re.compile(r"(?:[^\\.+*?()|\[\]{}^$]|\\[^a-zA-Z0-9])*(?:\|(?:[^\\.+*?()|\[\]{}^$]|\\[^a-zA-Z0-9])*)*")
"""alternatives without any operator, as Grafana writes them"""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class LabelMatcher:
    """A condition on the value of a label; one that is missing is empty."""

    name: str
    value: str
    is_regex: bool = False
    is_negative: bool = False

    @cached_property
    def values(self) -> frozenset[str] | None:
        """The values that match, where they can be listed."""
        if self.is_negative:
            return None
        if not self.is_regex:
            return frozenset({self.value})
        if _LITERALS.fullmatch(self.value) is None or re.search(r"(?<!\\)(?:\\\\)*\\\|", self.value):
            return None
        return frozenset(_ESCAPED.sub(r"\1", part) for part in self.value.split("|"))

    def select(self, texts: Iterable[str]) -> frozenset[str]:
        """Return which of some values match. Raises Unreadable for an expression that is none."""
        candidates = list(dict.fromkeys(texts))
        if self.values is not None:
            return self.values.intersection(candidates)
        matching = _match_regex(self.value, candidates) if self.is_regex else {self.value}
        return frozenset(text for text in candidates if (text in matching) is not self.is_negative)

    def matches(self, text: str) -> bool:
        """Say whether one value matches. Raises Unreadable."""
        return bool(self.select([text]))


def _match_regex(pattern: str, texts: Sequence[str]) -> set[str]:
    """Return the texts that an expression matches from end to end."""
    import pyarrow as pa  # costs a tenth of a second, and most processes never need it
    import pyarrow.compute as pc

    if len(pattern) > LONGEST_REGEX:
        raise _misread(f"the regular expression has {len(pattern)} characters, the limit is {LONGEST_REGEX}")
    if not storable(pattern):
        raise _misread("the regular expression holds NUL or halves of characters, and no label does")
    array = pa.array(texts, pa.string())
    try:
        pc.match_substring_regex(pa.array([""]), pattern=pattern)  # it has to be one without what is put around it
        mask = pc.match_substring_regex(array, pattern=rf"\A(?s:{pattern})\z").to_pylist()
    except pa.ArrowInvalid as e:
        reason = str(e).partition(": ")[2].partition(": \\A")[0]
        raise _misread(f"the regular expression {pattern[:100]!r} cannot be read (RE2): {reason[:200]}") from e
    return {text for text, is_match in zip(texts, mask, strict=True) if is_match}


def _misread(detail: str) -> Unreadable:
    return Unreadable(ErrorCode.bad_request, detail)
