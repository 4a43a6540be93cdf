"""Query parameters by name: one that a call does not know, or is sent twice, is refused and never left out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import isclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from app.api.http.spelling import LONGEST, advise
from app.errors import ErrorCode, FieldError, Invalid

UNKNOWN = "unknown_parameter"
REPEATED = "repeated_parameter"
SHOWN = 100
"""names that an error looks for a nearer one of"""


@dataclass(frozen=True)
class QueryParameters:
    """The parameters that a call declares."""

    names: tuple[str, ...]
    """in the order of their declaration"""
    lists: frozenset[str]
    """those that may be repeated"""

    def check(self, query: bytes) -> None:
        """Raise Invalid for a query string with names that the call does not know, or with one of them twice."""
        self.check_names(name for name, _ in parse_query(query))

    def check_names(self, names: Iterable[str]) -> None:
        """Raise Invalid for names of decoded parameters, each as often as it is sent."""
        counts = Counter(names)
        wrong = [name for name, count in counts.items() if self._is_wrong(name, count)]
        if wrong:
            errors = [self._describe(name, counts[name]) for name in wrong[:SHOWN]]
            others = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise Invalid(ErrorCode.invalid_input, errors[0].detail + others, errors=errors)

    def _is_wrong(self, name: str, count: int) -> bool:
        return name not in self.names or (count > 1 and name not in self.lists)

    def _describe(self, name: str, count: int) -> FieldError:
        field = f"query.{name[:LONGEST]}"
        shown = repr(name[:LONGEST])
        if name in self.names:
            return FieldError(field, REPEATED, f"{shown} has one value and is sent {count} times; send it once")
        advice = advise(name, self.names) if self.names else "it takes none"
        return FieldError(field, UNKNOWN, f"{shown} is not a query parameter of this call: {advice}")


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """Return the decoded parameters of a query string, those without a value too."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace")


@cache
def declare_model(model: type[BaseModel]) -> QueryParameters:
    """Return the parameters that a model of a whole query declares."""
    return _declare(_list_model_fields(model))


def declare(dependant: Dependant) -> QueryParameters:
    """Return the parameters that an endpoint and what it depends on declare."""
    return _declare(_list_fields(dependant))


def _declare(fields: Iterable[tuple[str, Any]]) -> QueryParameters:
    annotations = dict(fields)
    return QueryParameters(tuple(annotations), frozenset(name for name, of in annotations.items() if _is_list(of)))


def _list_fields(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isclass(annotation) and issubclass(annotation, BaseModel):
            yield from _list_model_fields(annotation)
        else:
            yield field.alias, annotation
    for dependency in dependant.dependencies:
        yield from _list_fields(dependency)


def _list_model_fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field.annotation


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_list(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return any(_is_list(part) for part in get_args(annotation))
    return origin in (list, set, tuple)
