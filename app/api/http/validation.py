"""What is wrong with a request, in its own names: pydantic's errors without branches of unions and functions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from inspect import isclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from app.api.http.spelling import advise
from app.errors import FieldError

Location = Sequence[str | int]

KEY = "[key]"
"""pydantic's last part of the location of an object's key"""
NEW_NAMES = frozenset({"missing"})
"""errors whose location ends in a name that was not sent"""
EXTRA = "extra_forbidden"
LONGEST = 100
"""characters of a name that are shown"""
MESSAGES: Mapping[str, str] = {
    "bool_type": "send true or false",
    "dict_type": "send an object, as in {…}",
    "float_type": "send a number",
    "int_type": "send a whole number",
    "list_type": "send a list, as in […]",
    "model_type": "send an object, as in {…}",
    "string_type": "send text",
}
"""where pydantic's own words name Python"""
NEEDED = {
    "body": "this field is needed",
    "header": "this header is needed",
    "query": "this parameter is needed",
}
NEEDED_BODY = "this call needs a JSON object as its body; /docs shows an example"
_PREFIX = re.compile(r"^(Value|Assertion) error, ")


def describe_errors(errors: Sequence[Mapping[str, Any]], body: Any, annotation: Any) -> list[FieldError]:
    """Return pydantic's errors as a client knows them, each once.

    `body` is what was sent as parsed, `annotation` the type that it should be of.
    """
    return list(dict.fromkeys(_describe(error, body, annotation) for error in errors))


def _describe(error: Mapping[str, Any], body: Any, annotation: Any) -> FieldError:
    part, *location = error["loc"]
    kind = "model_type" if error["type"] == "model_attributes_type" else error["type"]
    path = _resolve(location, body, kind) if part == "body" else [name for name in location if name != KEY]
    field = ".".join(str(name)[:LONGEST] for name in (part, *path)).encode("utf-8", "replace").decode()
    return FieldError(field, kind, _word(kind, error["msg"], part, path, location, annotation))


def _word(kind: str, message: str, part: str, path: Location, location: Location, annotation: Any) -> str:
    if kind == "missing":
        return NEEDED.get(part, NEEDED["body"]) if path else NEEDED_BODY
    if kind == EXTRA and path:
        return f"there is no such field: {advise(str(path[-1]), _list_fields(annotation, path[:-1]))}"
    text = MESSAGES.get(kind, _PREFIX.sub("", message))
    return f"as a name: {text}" if KEY in location else text


def _resolve(location: Location, body: Any, kind: str) -> list[str | int]:
    """Return the parts of a location that stand in the body: the others name a branch that was tried."""
    path: list[str | int] = []
    value = body
    for part in location:
        if _holds(value, part):
            value = value[part]
            path.append(part)
    if kind in NEW_NAMES and location:
        path.append(location[-1])
    return path


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _list_fields(annotation: Any, path: Location) -> list[str]:
    """Return the fields that an object at a path may have."""
    candidates = list(list_types(annotation))
    for part in path:
        candidates = [inner for candidate in candidates for inner in _step(candidate, part)]
    models = [candidate for candidate in candidates if _is_model(candidate)]
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def list_types(annotation: Any) -> Iterator[Any]:
    """Yield the types that a value may be of."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from list_types(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from list_types(part)
    else:
        yield annotation


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    """Yield the types of what stands under a name or an index."""
    arguments = get_args(annotation)
    if _is_model(annotation):
        if part in annotation.model_fields:
            yield from list_types(annotation.model_fields[part].annotation)
    elif arguments:
        yield from list_types(arguments[-1])


def _is_model(annotation: Any) -> bool:
    return isclass(annotation) and issubclass(annotation, BaseModel)
