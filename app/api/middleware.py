"""What every request gets: an id, a bound on its body, a line in the log, a place in the metrics."""

import re
import time
import uuid
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import internal_error, response
from app.errors import ErrorCode, TooLarge
from app.logs import get_logger

log = get_logger("app.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What /metrics tells of this process' requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = ["method", "route", "status"]
        self.requests = Counter("gatecast_http_requests", "Requests answered.", names, registry=registry)
        self.seconds = Histogram(
            "gatecast_http_request_seconds", "Time to answer.", names[:2], registry=registry, buckets=_BUCKETS
        )


@dataclass(frozen=True)
class Limits:
    """Bytes that a body may have."""

    body: int
    imports: int

    def of(self, path: str) -> int:
        """Return the bound for a path."""
        return self.imports if path == "/series/import" else self.body


class RequestContext:
    """Wraps the whole application; also answers what nothing else has caught."""

    def __init__(self, app: ASGIApp, metrics: Metrics, limits: Limits) -> None:
        self._app, self._metrics, self._limits = app, metrics, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, sent = time.perf_counter(), _Sent(send, _request_id(scope))
        with structlog.contextvars.bound_contextvars(request_id=sent.request_id):
            try:
                await self._answer(scope, receive, sent)
            except Exception:
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if sent.status is None:
                    await response(internal_error())(scope, receive, sent)
            self._note(scope, sent.status or 500, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._limits.of(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            detail = f"the body has {int(declared)} bytes, the limit is {limit}; send it in parts"
            await response(TooLarge(ErrorCode.body_too_large, detail))(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, limit), send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if scope["path"] not in _QUIET:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round(1000 * seconds, 2),
            )


def _request_id(scope: MutableMapping[str, Any]) -> str:
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class _Sent:
    """Passes messages on, adds the request's id, and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self.request_id = send, request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", []), (b"x-request-id", self.request_id.encode())]
        await self._send(message)


def _bounded(receive: Receive, limit: int) -> Receive:
    """Count a body that did not declare its length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, f"the body has more than {limit} bytes; send it in parts")
        return message

    return counted
