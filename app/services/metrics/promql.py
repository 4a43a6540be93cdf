"""Queries in PromQL: selectors and arithmetic on numbers are read, the rest is refused with what to do instead."""

import math
import operator
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import promql_parser as promql

from app.services.label_matching import LabelMatcher
from app.services.metrics.names import NAME
from app.services.metrics.refusing import misread, refuse

LONGEST_QUERY = 20_000
"""characters"""
LONGEST_DURATION = 40
"""characters of a step such as `1y2w3d4h5m6s7ms`"""
MOST_NESTED = 100
"""brackets and operators: the parser recurses, and some thousands end the process"""
FARTHEST_OFFSET = 1000 * 366 * 86_400 * 1_000_000
"""microseconds"""
PANIC = "pyo3_runtime"
"""module of the exceptions that a panic of native code becomes: they are no Exception"""
MICROSECONDS = timedelta(microseconds=1)
INSTEAD = (
    'this service answers selectors such as MODEL:predicted{series="…"} and arithmetic on numbers; '
    "let Grafana compute the rest: a transformation, or an expression (Reduce, Math, Resample) beside the query"
)
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*(?:"|\\?\Z)|'(?:\\.|[^'\\])*(?:'|\\?\Z)|`[^`]*(?:`|\Z)""", re.DOTALL)
"""texts; one without its end reaches to that of the query, which is refused then"""
_NESTING = re.compile(r"[(\[{+\-*/%^=<>!]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)


@dataclass(frozen=True)
class MetricSelector:
    """The series that a query wants, and when."""

    matchers: tuple[LabelMatcher, ...]
    """of `__name__` too"""
    offset: int = 0
    """microseconds that are looked back"""
    at: int | Literal["start", "end"] | None = None
    """`@`: microseconds of the epoch, or an end of the query's range, whatever the time"""


def parse_query(text: str) -> MetricSelector | float:
    """Return the selector of a query, or its number. Raises Unreadable for a query that is none, Invalid for others."""
    expression = _parse(text)
    while isinstance(expression, promql.ParenExpr):
        expression = expression.expr
    if isinstance(expression, promql.VectorSelector):
        return _read_selector(expression)
    number = _compute(expression)
    if number is None:
        raise refuse(f"{_describe(expression)} is not computed here: {INSTEAD}")
    return number


def parse_selector(text: str) -> MetricSelector:
    """Return the selector of a `match[]`. Raises Unreadable."""
    expression = _parse(text)
    if not isinstance(expression, promql.VectorSelector):
        raise misread(f'match[]={text[:100]!r} is no selector; send one such as {{series="…"}}')
    return _read_selector(expression)


def parse_seconds(text: str) -> float | None:
    """Return the seconds of a number, or of a duration such as `1h30m`; None for another text."""
    with suppress(ValueError):
        return float(text)  # the parser panics at one that is too large
    if len(text) > LONGEST_DURATION:
        return None
    try:
        return promql.parse_duration(text).total_seconds()
    except (ValueError, OverflowError):
        return None


def _parse(text: str) -> promql.Expr:
    if len(text) > LONGEST_QUERY:
        raise misread(f"the query has {len(text)} characters, the limit is {LONGEST_QUERY}")
    bare = _QUOTED.sub("", text)
    if "#" in bare:
        raise misread("comments are not read; send the query without them")
    if len(_NESTING.findall(bare)) > MOST_NESTED:
        raise refuse(f"the query has more than {MOST_NESTED} brackets and operators; {INSTEAD}")
    with _refuse_unreadable():
        return promql.parse(text)


@contextmanager
def _refuse_unreadable() -> Iterator[None]:
    """Raise Unreadable for what the parser raises, where it panics too: at `@ -1`, which lies before 1970."""
    try:
        yield
    except (ValueError, OverflowError, RecursionError) as e:  # a lone surrogate is a ValueError
        raise misread(f"the query cannot be read: {str(e)[:300]}") from e
    except BaseException as e:
        if type(e).__module__ != PANIC:
            raise
        raise misread("the query cannot be read: a time or a number in it is out of bounds") from e


def _read_selector(selector: promql.VectorSelector) -> MetricSelector:
    if selector.matchers.or_matchers:
        raise misread("'or' between matchers is not PromQL; send a regular expression, as in series=~\"a|b\"")
    named = [LabelMatcher(NAME, selector.name)] if selector.name is not None else []
    matchers = tuple(named + [_read_matcher(matcher) for matcher in selector.matchers.matchers])
    with _refuse_unreadable():
        offset = selector.offset // MICROSECONDS if selector.offset is not None else 0
        at = _read_at(selector.at)
    if abs(offset) > FARTHEST_OFFSET:
        raise misread("the offset is longer than a thousand years")
    return MetricSelector(matchers, offset, at)


def _read_matcher(matcher: promql.Matcher) -> LabelMatcher:
    is_regex = matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe)
    is_negative = matcher.op in (promql.MatchOp.NotEqual, promql.MatchOp.NotRe)
    return LabelMatcher(matcher.name, matcher.value, is_regex, is_negative)


def _read_at(modifier: promql.AtModifier | None) -> int | Literal["start", "end"] | None:
    if modifier is None:
        return None
    if modifier.type == promql.AtModifierType.Start:
        return "start"
    if modifier.type == promql.AtModifierType.End:
        return "end"
    assert modifier.at is not None, "a time stands behind @"
    return (modifier.at - datetime.fromtimestamp(0, modifier.at.tzinfo)) // MICROSECONDS


def _compute(expression: promql.Expr) -> float | None:
    """Return the value of arithmetic on numbers, None for anything else."""
    if isinstance(expression, promql.NumberLiteral):
        return expression.val
    if isinstance(expression, promql.ParenExpr):
        return _compute(expression.expr)
    if isinstance(expression, promql.UnaryExpr):
        value = _compute(expression.expr)
        return None if value is None else -value
    if not isinstance(expression, promql.BinaryExpr):
        return None
    left = _compute(expression.lhs)
    right = _compute(expression.rhs)
    operation = _OPERATIONS.get(str(expression.op))
    return None if left is None or right is None or operation is None else operation(left, right)


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


def _find_rest(left: float, right: float) -> float:
    return math.fmod(left, right) if right and math.isfinite(left) else math.nan


def _raise_to(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.copysign(math.inf, left) if right % 2 == 1 else math.inf
    except ValueError:  # a root of a negative number, or a negative power of 0
        return math.inf if left == 0 else math.nan


def _compare(operation: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda left, right: float(operation(left, right))


_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _find_rest,
    "^": _raise_to,
    "atan2": math.atan2,
    "==": _compare(operator.eq),
    "!=": _compare(operator.ne),
    "<": _compare(operator.lt),
    "<=": _compare(operator.le),
    ">": _compare(operator.gt),
    ">=": _compare(operator.ge),
}


def _describe(expression: promql.Expr) -> str:
    if isinstance(expression, promql.Call):
        return f"the function {expression.func.name}()"
    if isinstance(expression, promql.AggregateExpr):
        return f"the aggregation {expression.op}"
    if isinstance(expression, promql.BinaryExpr):
        return f"the operator {expression.op} on series"
    if isinstance(expression, (promql.MatrixSelector, promql.SubqueryExpr)):
        return "a range such as [5m]"
    return "a text" if isinstance(expression, promql.StringLiteral) else "this expression"
