"""Checks of options that a user wrote: each error names its field."""

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from models.errors import ConfigError

T = TypeVar("T")


def parse_options(cls: type[T], options: Mapping[str, Any], prefix: str) -> T:
    """Build the dataclass `cls` from plain JSON values. Raises ConfigError."""
    return cls(**coerce_options(cls, options, prefix))


def coerce_options(cls: type[Any], options: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return `options` with each value coerced to its field's type. Raises ConfigError."""
    if not isinstance(options, Mapping):
        raise ConfigError(prefix, "must be an object of options")
    hints = get_type_hints(cls)
    fields = {f.name for f in dataclasses.fields(cls)}
    for name in options:
        if name not in fields:
            raise ConfigError(f"{prefix}.{name}", f"is not an option; choose among {', '.join(sorted(fields))}")
    return {name: _coerce(value, hints[name], f"{prefix}.{name}") for name, value in options.items()}


def _coerce(value: Any, hint: Any, field: str) -> Any:
    """Convert a JSON value to the type `hint`; lists become tuples. Raises ConfigError for another type."""
    origin = get_origin(hint)
    if origin is Literal:
        if value not in get_args(hint) or not isinstance(value, str):
            raise ConfigError(field, f"must be one of {', '.join(map(str, get_args(hint)))}, not {value!r}")
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (inner,) = (a for a in get_args(hint) if a is not type(None))
        return _coerce(value, inner, field)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise ConfigError(field, f"must be a list, not {value!r}")
        return tuple(_coerce(v, get_args(hint)[0], field) for v in value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigError(field, f"must be an object, not {value!r}")
        return {str(name): _coerce(inner, get_args(hint)[1], f"{field}.{name}") for name, inner in value.items()}
    return _coerce_scalar(value, hint, field)


def _coerce_scalar(value: Any, hint: Any, field: str) -> Any:
    if hint is bool and isinstance(value, bool):
        return value
    if hint is str and isinstance(value, str):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
        return float(value)
    words = {bool: "true or false", str: "text", int: "a whole number", float: "a finite number"}
    raise ConfigError(field, f"must be {words.get(hint, hint)}, not {value!r}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def require(condition: bool, field: str, detail: str) -> None:
    """Raise ConfigError unless `condition` holds."""
    if not condition:
        raise ConfigError(field, detail)
