"""The fast route: routes without the framework's generic resolution of parameters, for calls that cost little.

They are declared as any other, so that the documentation knows them: `services`, `caller`, `headers`, a `query`, and a
`body` where they take one. Their arguments are read straight from the request, and the response is sent as it is: a
bare route of the framework costs more than a forecast otherwise. Their endpoints are `post_forecast` and `get_forecast`
in app/api/forecasts.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import aclosing
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, Protocol, get_type_hints
from urllib.parse import parse_qsl

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.cookies import read_session
from app.api.deps import SeriesForecastScope, Services, admitted, allowed
from app.api.http.bodies import JSON, check_json, find_body, is_json, parse_json, refuse_body, refuse_media_type
from app.api.http.problems import HANDLED, answer_to
from app.api.http.query import declare_model
from app.api.schemas.base import Documented
from app.scope import Right
from app.services.access.keys import Caller
from app.services.forecasting.pending import Stream


def _resolve_caller(scope: SeriesForecastScope) -> Caller:
    """Return the caller, as the framework resolves it."""
    return Caller(scope)


CallerDep = Annotated[Caller, Depends(_resolve_caller)]


class Headers(NamedTuple):
    """The request headers that endpoints read."""

    accept: str | None = None
    if_none_match: str | None = None
    deadline_ms: str | None = None


HEADER_NAMES = (b"accept", b"if-none-match", b"x-deadline-ms")
"""names of the fields of Headers, in their order"""


def _resolve_headers(
    accept: Annotated[str | None, Header(description="media types of the formats")] = None,
    if_none_match: Annotated[str | None, Header(description="the ETag of an answer that the client has")] = None,
    x_deadline_ms: Annotated[
        Annotated[str, Documented("^0*[1-9][0-9]{0,6}$")] | None,
        Header(description="milliseconds after which nobody waits for the answer any more"),
    ] = None,
) -> Headers:
    return Headers(accept, if_none_match, x_deadline_ms)


HeadersDep = Annotated[Headers, Depends(_resolve_headers)]


class FastResponse(NamedTuple):
    """A response as it is sent."""

    content: bytes | Stream
    media_type: str | None
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})


class FastEndpoint(Protocol):
    """An endpoint of a fast route: one of app/api/forecasts. The others are a `query` and perhaps a `body`."""

    def __call__(
        self, *, services: Services, caller: Caller, headers: Headers, **parsed: BaseModel
    ) -> Awaitable[FastResponse]:
        """Respond to a request."""


BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
"""headers without one of which a request has no body"""
MAX_CACHED_QUERY = 2000
"""bytes of a query string that is parsed once for all clients that send the same"""


class FastRoute(APIRoute):
    """A route whose endpoint is a FastEndpoint."""

    endpoint: FastEndpoint

    def __init__(self, path: str, endpoint: FastEndpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        hints = get_type_hints(endpoint)
        self._body: type[BaseModel] | None = hints.get("body")
        self._query: type[BaseModel] = hints["query"]
        self._parameters = declare_model(self._query)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises what any route raises: ServiceError, RequestValidationError."""
        if self.methods and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        scope["route"] = self
        raw_headers = _read_headers(scope)
        services: Services = scope["app"].state.services
        caller = await _find_caller(services, raw_headers, scope)
        parsed = {"query": _parse_query(self._query, scope["query_string"])}
        if self._body is not None:
            parsed["body"] = _parse_body(self._body, await _receive_body(receive), raw_headers)
        elif not BODY_HEADERS.isdisjoint(raw_headers) and (await find_body(raw_headers, receive))[0]:
            raise refuse_body(self._parameters)
        headers = Headers(*[_decode_header(raw_headers, name) for name in HEADER_NAMES])
        response = await self.endpoint(services=services, caller=caller, headers=headers, **parsed)
        await _send(response, receive, send)


class FastRouter:
    """Hands calls of fast routes over to them, past the framework's router and its other layers."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, FastRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        try:
            await route.handle(scope, receive, send)
        except HANDLED as e:
            await answer_to(Request(scope), e)(scope, receive, send)


def _read_headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name; of one that is repeated, all its values."""
    pairs = scope["headers"]
    headers: dict[bytes, bytes] = dict(pairs)
    if len(headers) < len(pairs):
        headers = {name: b", ".join(value for other, value in pairs if other == name) for name in headers}
    return headers


def _decode_header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    return headers[name].decode("latin-1") if name in headers else None


async def _find_caller(services: Services, headers: Mapping[bytes, bytes], scope: Scope) -> Caller:
    """Return the caller, as this process knows them. Raises Unauthorized, TooManyRequests, Forbidden."""
    scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    key = secret if scheme.lower() == "bearer" else None
    cookie = _read_session(headers, scope) if key is None and b"cookie" in headers else None
    caller = services.authentication.find_cached(key, cookie)
    if caller is None:
        caller = Caller(await run_in_threadpool(services.authentication.identify, key, cookie))
    allowed(Right.forecast, admitted(caller.scope, services, scope), by_series=True)
    return caller


def _read_session(headers: Mapping[bytes, bytes], scope: Scope) -> str | None:
    """Return the cookie of a session. Raises Forbidden for a call of a page of another site."""
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    return read_session(scope["method"], named)


async def _receive_body(receive: Receive) -> bytes:
    """Return a whole body. Raises ClientDisconnect."""
    parts: list[bytes] = []
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _parse_body(model: type[BaseModel], body: bytes, headers: Mapping[bytes, bytes]) -> BaseModel:
    """Return a body by its schema. Raises RequestValidationError, Invalid, Unreadable, Unsupported."""
    kind = headers.get(b"content-type")
    if kind != JSON and body and not (kind is not None and is_json(kind)):
        raise refuse_media_type(kind)
    check_json(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as e:
        if not body:
            raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": ""}]) from e
        value = parse_json(body)
        if e.errors()[0]["type"] != "json_invalid":
            raise _to_request_error(e, "body", value) from e
    return _parse_value(model, value)


def _parse_value(model: type[BaseModel], value: Any) -> BaseModel:
    """Return a body that is JSON, but not as the schema's own parser reads it: in UTF-16, or with a byte order mark."""
    try:
        return model.model_validate(value)
    except ValidationError as e:
        raise _to_request_error(e, "body", value) from e


def _parse_query(model: type[BaseModel], query: bytes) -> BaseModel:
    return (_parse_short_query if len(query) <= MAX_CACHED_QUERY else _parse_any_query)(model, query)


def _parse_any_query(model: type[BaseModel], query: bytes) -> BaseModel:
    declared = declare_model(model)
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"):
        parameters.setdefault(name, []).append(value)
    if any(name not in declared.names or len(items) > 1 for name, items in parameters.items()):
        declared.check(query)
    values = {name: items if name in declared.lists else items[-1] for name, items in parameters.items()}
    try:
        return model.model_validate(values)
    except ValidationError as e:
        raise _to_request_error(e, "query", None) from e


_parse_short_query = lru_cache(maxsize=1000)(_parse_any_query)
"""for clients that poll: nobody may change what it returns"""


def _to_request_error(error: ValidationError, part: str, body: Any) -> RequestValidationError:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**error, "loc": (part, *error["loc"])} for error in errors], body=body)


async def _send(response: FastResponse, receive: Receive, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items()]
    if response.media_type is not None:
        headers.append((b"content-type", response.media_type.encode()))
    if isinstance(response.content, bytes):
        if response.status != 304:
            headers.append((b"content-length", str(len(response.content)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    leaving = asyncio.ensure_future(_wait_for_leave(receive))
    try:
        async with aclosing(response.content.parts()) as parts:
            async for part in parts:
                if leaving.done():  # nothing more is made for nobody
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
    finally:
        leaving.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _wait_for_leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
