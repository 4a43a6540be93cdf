"""Between a request and its route: which operation it asks for, and what that does not take.

What is held here holds for every route by construction. A request is refused before anything of it has an effect:
a path or method that is not there (404, 405), a query parameter or body that would be ignored (422), a body that is not
said to be JSON (415). `HEAD` is answered by what answers `GET`, `OPTIONS` by the path's methods.
"""

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.bodies import find_body, is_json, refuse_body, refuse_media_type
from app.api.http.json_bodies import JsonBody
from app.api.http.operations import Operation, OperationTable, PathItem
from app.api.http.problems import BodyRefused, response
from app.api.http.spelling import LONGEST, join_names
from app.errors import ErrorCode, MethodNotAllowed, NotFound, ServiceError


class Dispatcher:
    """Hands requests on that an operation takes as they are, and answers the others."""

    def __init__(self, app: ASGIApp, table: OperationTable) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            item = self._find_item(scope)
            if item.whole and scope["method"] not in item.operations:
                await self._answer_for(item, scope, receive, send)
                return
            if item.whole:
                operation = item.operations[scope["method"]]
                scope["route"] = operation.route
                receive = await _check(operation, scope, receive)
        except ServiceError as e:
            await response(e)(scope, receive, send)
            return
        except BodyRefused as e:
            await response(e.error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _find_item(self, scope: Scope) -> PathItem:
        """Return the item of a request's path, and take off the path what its routes do not match. Raises NotFound."""
        path = scope["path"]
        found = self._table.find(path)
        if found is None:
            nearest = self._table.suggest(path)
            advice = "" if nearest is None else f"did you mean {nearest[:LONGEST]!r}? "
            detail = f"there is no {path[:200]!r} here; {advice}/docs lists every call"
            raise NotFound(ErrorCode.not_found, detail)
        item, scope["path"] = found
        return item

    async def _answer_for(self, item: PathItem, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a method that no route of a path declares. Raises MethodNotAllowed."""
        method = scope["method"]
        scope["route"] = next(iter(item.operations.values())).route
        if method == "OPTIONS":
            headers = [(b"allow", ", ".join(item.allow).encode())]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        elif method == "HEAD" and "GET" in item.operations:
            # the server goes by its own scope when it leaves the body out
            await _send_head(self, {**scope, "method": "GET"}, receive, send)
        else:
            raise _refuse_method(item, scope)


async def _check(operation: Operation, scope: Scope, receive: Receive) -> Receive:
    """Return what receives the body of a request that an operation takes. Raises Invalid, Unsupported."""
    if scope["query_string"] and operation.parameters is not None:
        operation.parameters.check(scope["query_string"])
    if operation.body == "any":
        return receive
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type")
    if operation.body == "json" and kind is not None and is_json(kind):
        return JsonBody(scope, receive, needs_key=operation.needs_key)
    has_body, receive = await find_body(headers, receive)
    if has_body:
        raise refuse_body(operation.parameters) if operation.body == "none" else refuse_media_type(kind)
    return receive


def _refuse_method(item: PathItem, scope: Scope) -> MethodNotAllowed:
    method = scope["method"][:LONGEST]
    detail = f"{method} is not a method of {scope['path'][:200]!r}, which takes {join_names(item.allow)}"
    if method == "PUT" and "POST" in item.operations:
        detail += "; `curl -T FILE` sends a PUT, `curl --data-binary @FILE` a POST"
    headers = {"Allow": ", ".join(item.allow)}
    return MethodNotAllowed(ErrorCode.method_not_allowed, f"{detail}; /docs lists every call", headers=headers)


async def _send_head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as GET does, without the body; one that is made while it is sent is not made to its end."""
    with CancelScope() as stream:

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                return
            if not stream.cancel_called:
                await send({"type": "http.response.body", "body": b""})
            if message.get("more_body", False):
                stream.cancel()

        await app(scope, receive, send_headers)
