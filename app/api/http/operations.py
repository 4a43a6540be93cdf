"""The service's operations by path and method, as its routes declare them: made once, and asked at every request."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fastapi import params
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Mount

from app.api.deps import needs_key
from app.api.http.query import QueryParameters, declare
from app.api.http.spelling import find_nearest

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""in the order in which `Allow` lists them"""
_SLASHES = re.compile("/{2,}")


class OwnQueryRoute(APIRoute):
    """A route that checks its query parameters itself, because something else comes first."""


class OpenRoute(OwnQueryRoute):
    """A route that is not held to the query parameters and the body that it declares.

    A router of another service's protocol has this `route_class`: its clients may add what they like.
    """


@dataclass(frozen=True)
class Operation:
    """What one method of a path takes."""

    route: BaseRoute
    parameters: QueryParameters | None
    """None: not checked"""
    body: Literal["none", "json", "any"]
    needs_key: bool


@dataclass
class PathItem:
    """A path with its methods."""

    template: str
    pattern: re.Pattern[str]
    position: int
    """its place among all paths: a path that several match belongs to the first of them"""
    operations: dict[str, Operation] = field(default_factory=dict)
    whole: bool = True
    """False: an application of its own, which answers every method itself"""

    def matches(self, path: str) -> bool:
        """Say whether a path is this one, with no parameter empty."""
        match = self.pattern.match(path)
        return match is not None and (not self.whole or all(match.groups()))

    @property
    def allow(self) -> list[str]:
        """Methods that the path answers."""
        more = {"OPTIONS"} | ({"HEAD"} if "GET" in self.operations else set())
        return [method for method in METHODS if method in more or method in self.operations]


class OperationTable:
    """All paths, in the order in which the framework's router tries them."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        items: dict[str, PathItem] = {}
        for context in iter_route_contexts(routes):
            template = context.path or ""
            item = items.setdefault(template, PathItem(template, _pattern_of(context), len(items)))
            item.whole = not isinstance(context.original_route, Mount)
            for method in context.methods or ():
                item.operations.setdefault(method, _describe(context))
        self._items = list(items.values())
        self._words = {item.template.split("/")[1] for item in self._items} - {""}

    def __iter__(self) -> Iterator[PathItem]:
        return iter(self._items)

    def find(self, path: str) -> tuple[PathItem, str] | None:
        """Return the path item of a path, and the path as its routes match it: without a slash that was added."""
        item = self._match(path)
        trimmed = path.rstrip("/")
        if trimmed and trimmed != path:
            other = self._match(trimmed)
            # an id may end in a slash, but no id is a more special path than itself
            if other is not None and (item is None or other.position < item.position):
                return other, trimmed
        return None if item is None else (item, path)

    def suggest(self, path: str) -> str | None:
        """Return the path that was probably meant by one that no route has."""
        plain = _SLASHES.sub("/", path)
        word, slash, rest = plain.removeprefix("/").partition("/")
        nearest = find_nearest(word, self._words)
        candidates = [plain, f"/{rest}"]  # the second: behind a version or a prefix of somebody else's
        if nearest is not None:
            candidates[1:1] = [f"/{nearest}{slash}{rest}", f"/{nearest}{slash}{rest.lower()}"]
        for candidate in candidates:
            found = self.find(candidate) if candidate not in (path, "/") else None
            if found is not None:
                return found[1]
        return None

    def _match(self, path: str) -> PathItem | None:
        for item in self._items:
            if item.matches(path):
                return item
        return None


def _pattern_of(context: RouteContext) -> re.Pattern[str]:
    pattern: re.Pattern[str] = context.path_regex
    return pattern


def _describe(context: RouteContext) -> Operation:
    """Return what a route takes; only what the OpenAPI document shows is held to what that says."""
    route = context.original_route
    if not isinstance(route, APIRoute) or isinstance(route, OpenRoute) or not route.include_in_schema:
        return Operation(route, None, "any", needs_key=False)
    parameters = None if isinstance(route, OwnQueryRoute) else declare(context.dependant)
    return Operation(route, parameters, _find_body(route), needs_key=needs_key(context.dependant))


def _find_body(route: APIRoute) -> Literal["none", "json", "any"]:
    if route.body_field is not None:
        return "any" if isinstance(route.body_field.field_info, params.Form) else "json"
    return "any" if "requestBody" in (route.openapi_extra or {}) else "none"
