"""Routes without the framework's generic resolution of parameters, for calls that cost little themselves.

They are declared as any other, so that the documentation knows them: `caller`, a `body` or a `query`, and `asked`. What
they are given is read straight from the request, and what they return is sent as it is: a bare route of the framework
costs more than a forecast otherwise.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, get_type_hints
from urllib.parse import parse_qsl

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.deps import Credentials, Services, allowed, reader
from app.api.http.problems import HANDLED, answer_to
from app.scope import Right
from app.services.access.keys import Caller
from app.services.forecasting.pending import Stream


def _reader(request: Request, credentials: Credentials) -> Caller:
    """Return who asks, for routes that are resolved by the framework."""
    return Caller(reader(request.app.state.services, credentials))


CallerDep = Annotated[Caller, Depends(_reader)]


class Asked(NamedTuple):
    """What the headers say."""

    accept: str | None = None
    match: str | None = None
    deadline_ms: str | None = None


def _headers(
    accept: Annotated[str | None, Header(description="application/json, text/csv, Arrow or an image")] = None,
    if_none_match: Annotated[str | None, Header(description="the ETag of an answer that the client has")] = None,
    x_deadline_ms: Annotated[
        str | None, Header(description="milliseconds after which nobody waits for the answer any more")
    ] = None,
) -> Asked:
    return Asked(accept, if_none_match, x_deadline_ms)


_ASKED = (b"accept", b"if-none-match", b"x-deadline-ms")
AskedDep = Annotated[Asked, Depends(_headers)]


class Reply(NamedTuple):
    """An answer as it is sent."""

    content: bytes | Stream
    media_type: str | None
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})


Endpoint = Callable[..., Awaitable[Reply]]


SHORT = 2000
"""bytes of a query that is read once for all who ask the same"""


class DirectRoute(APIRoute):
    """A route whose endpoint is `async`, takes `found`, `caller`, `asked` and a `body` or a `query`, and returns a
    Reply."""

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        hints = get_type_hints(endpoint)
        self._direct = endpoint
        self._body: type[BaseModel] | None = hints.get("body")
        self._query: type[BaseModel] | None = hints.get("query")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises what any route raises: ServiceError, RequestValidationError."""
        if self.methods and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        scope["route"] = self
        headers = _read(scope)
        services: Services = scope["app"].state.services
        caller = await _caller(services, headers)
        given: dict[str, Any]
        if self._body is not None:
            given = {"body": _validated(self._body, await _received(receive), headers)}
        else:
            assert self._query is not None, "a direct route has a body or a query"
            query = scope["query_string"]
            given = {"query": (_queried_before if len(query) <= SHORT else _queried)(self._query, query)}
        asked = Asked(*[headers[name].decode("latin-1") if name in headers else None for name in _ASKED])
        await _send(await self._direct(found=services, caller=caller, asked=asked, **given), send)


class Shortcut:
    """Hands calls of direct routes over to them, past the framework's router and its other layers."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, DirectRoute)
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


def _read(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name; of one that is repeated, all its values."""
    given = scope["headers"]
    headers: dict[bytes, bytes] = dict(given)
    if len(headers) < len(given):
        headers = {name: b", ".join(value for other, value in given if other == name) for name in headers}
    return headers


async def _caller(services: Services, headers: Mapping[bytes, bytes]) -> Caller:
    """Return who asks, as this process knows them. Raises Unauthorized, Forbidden."""
    scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    key = secret if scheme.lower() == "bearer" else None
    caller = services.keys.find_cached(key)
    if caller is None:
        caller = Caller(await run_in_threadpool(services.keys.authenticate, key))
    allowed(Right.read, caller.scope)
    return caller


async def _received(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message: Message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _validated(model: type[BaseModel], body: bytes, headers: Mapping[bytes, bytes]) -> BaseModel:
    kind = headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        # as the framework does: what is not said to be JSON is not an object
        raise RequestValidationError(
            [{"type": "model_attributes_type", "loc": ("body",), "msg": "send a JSON object as application/json"}]
        )
    try:
        return model.model_validate_json(body)
    except ValidationError as e:
        raise _refused(e, "body") from e


def _queried(model: type[BaseModel], query: bytes) -> BaseModel:
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"):
        given.setdefault(name, []).append(value)
    lists = {name for name, one in model.model_fields.items() if "list" in str(one.annotation)}
    values = {name: found if name in lists else found[-1] for name, found in given.items()}
    try:
        return model.model_validate(values)
    except ValidationError as e:
        raise _refused(e, "query") from e


_queried_before = lru_cache(maxsize=1000)(_queried)
"""for clients that poll: nobody may change what it returns"""


def _refused(error: ValidationError, where: str) -> RequestValidationError:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**one, "loc": (where, *one["loc"])} for one in found])


async def _send(reply: Reply, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
    if reply.media_type is not None:
        headers.append((b"content-type", reply.media_type.encode()))
    if isinstance(reply.content, bytes):
        if reply.status != 304:
            headers.append((b"content-length", str(len(reply.content)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.content})
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    async for part in reply.content.parts():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
