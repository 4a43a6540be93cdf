"""JSON bodies on their way to the framework: whole, looked at, and of callers who may call.

The framework parses a body before it asks who sends it, and cannot be told to wait. So whoever sends much is asked
before it is received.
"""

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope

from app.api.deps import identify
from app.api.http.bodies import SMALL, check_json
from app.api.http.problems import BodyRefused
from app.errors import ServiceError
from app.services.outages import DATABASE_ERRORS, explain_outage


class JsonBody:
    """Receives a JSON body in one message. Raises BodyRefused for one that is not to be parsed."""

    def __init__(self, scope: Scope, receive: Receive, *, needs_key: bool) -> None:
        self._scope = scope
        self._receive = receive
        self._is_checked = not needs_key
        self._is_over = False

    async def __call__(self) -> Message:
        if self._is_over:
            return await self._receive()
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > SMALL and not self._is_checked:
                await self._check_caller()
        self._is_over = True
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        try:
            check_json(body)
        except ServiceError as e:
            raise BodyRefused(e) from e
        return {"type": "http.request", "body": body, "more_body": False}

    async def _check_caller(self) -> None:
        """Find out that a caller may call at all; the route does it again, with all that it asks for."""
        self._is_checked = True
        request = Request(self._scope)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        bearer = secret if scheme.lower() == "bearer" and secret else None
        try:
            await run_in_threadpool(identify, request, request.app.state.services, bearer)
        except ServiceError as e:
            raise BodyRefused(e) from e
        except DATABASE_ERRORS as e:
            outage = explain_outage(e)
            if outage is not None:  # of a bug the route tells, which asks again
                raise BodyRefused(outage) from e
