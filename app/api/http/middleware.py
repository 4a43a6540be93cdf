"""What every request gets: an id, a bound on its body, content codings, a line in the log, a place in the metrics."""

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.cookies import keep_own
from app.api.deps import ANSWER_HEADERS, AnswerHeaders
from app.api.http.addresses import Network, find_address, is_proxy
from app.api.http.bodies import SMALL
from app.api.http.body_budget import BodyBudget, HeldBody
from app.api.http.compression import VARY, Encoding, varies
from app.api.http.decompression import Decoded, decoder_of
from app.api.http.problems import BodyRefused, internal_error, response
from app.api.http.security import secure_headers
from app.errors import ErrorCode, ServiceError, TooLarge
from app.logs import RequestLines, client_address, get_logger, request_id

log = get_logger(__name__)

Headers = dict[bytes, bytes]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_IDS = random.Random()
"""for ids that have to differ, not to be secret"""
_ID = b"x-request-id"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What /metrics tells of this process' requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = ["method", "route", "status"]
        self._requests = Counter("gatecast_http_requests", "Requests answered.", names, registry=registry)
        self._seconds = Histogram(
            "gatecast_http_request_seconds", "Time to answer.", names[:2], registry=registry, buckets=_BUCKETS
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        key = (method, route, status)
        try:
            requests, taken = self._children[key]
        except KeyError:  # finding them by their labels costs more than counting does
            requests = self._requests.labels(*key)
            taken = self._seconds.labels(*key[:2])
            self._children[key] = requests, taken
        requests.inc()
        taken.observe(seconds)


@dataclass(frozen=True)
class Limits:
    """Bytes that a body may have."""

    body: int
    imports: int
    held: int
    """of all bodies that are in memory at a time"""

    def of(self, path: str) -> int:
        """Return the bound for a path."""
        return self.imports if self.is_spooled(path) else self.body

    def is_spooled(self, path: str) -> bool:
        """Say whether the bodies of a path lie on disk."""
        return path.rstrip("/") == "/series/import"


class RequestContext:
    """Wraps the whole application; also answers what nothing else has caught."""

    def __init__(self, app: ASGIApp, metrics: Metrics, limits: Limits, trusted: Sequence[Network] = ()) -> None:
        self._app = app
        self._trusted = trusted
        self._metrics = metrics
        self._limits = limits
        self._budget = BodyBudget(limits.held)
        self._encoding = Encoding()
        self._lines = RequestLines()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        if b"cookie" in headers:
            scope["headers"] = [
                (name, keep_own(value) if name == b"cookie" else value) for name, value in scope["headers"]
            ]
        named = _request_id(headers)
        sent = _Sent(send, named, scope, headers, behind_proxy=is_proxy(scope, self._trusted))
        bound = request_id.set(named.decode())
        bound_address = client_address.set(find_address(scope, self._trusted))
        try:
            await self._answer(scope, headers, receive, sent)
            self._note(scope, sent.status or 500, time.perf_counter() - started)
        finally:
            request_id.reset(bound)
            client_address.reset(bound_address)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, sent: "_Sent") -> None:
        try:
            body = self._body(scope, headers, receive)
        except ServiceError as e:
            await response(e)(scope, receive, sent)
            return
        send = self._encoding.of(scope, headers, sent) if b"accept-encoding" in headers else sent
        try:
            await self._app(scope, body, send)
        except Exception:
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if sent.status is None:
                await response(internal_error())(scope, receive, sent)
        finally:
            if isinstance(body, HeldBody):
                body.release()

    def _body(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """Return what receives the body as the application reads it. Raises TooLarge, Unsupported."""
        limit = self._limits.of(scope["path"])
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(f"the body has {int(declared)} bytes, the limit is {limit}")
        bounded = receive if b"content-length" in headers else _bounded(receive, limit)  # the server cuts at that
        decoder = decoder_of(scope) if b"content-encoding" in headers else None
        received = bounded if decoder is None else Decoded(bounded, decoder, limit)
        is_short = declared.isdigit() and int(declared) <= SMALL and b"transfer-encoding" not in headers
        is_small = is_short and decoder is None
        return received if is_small or self._limits.is_spooled(scope["path"]) else self._budget.hold(received)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        path = scope["path"]
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.count(method if method in _METHODS else "other", route, status, seconds)
        if path not in _QUIET:
            self._lines.add(method, path, status, round(1000 * seconds, 2))


def _request_id(headers: Headers) -> bytes:
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return b"%032x" % _IDS.getrandbits(128)


class _Sent:
    """Passes messages on, adds what every answer carries, and remembers the status."""

    def __init__(self, send: Send, named: bytes, scope: Scope, given: Headers, *, behind_proxy: bool) -> None:
        self._send = send
        self._named = named
        self._scope = scope
        self._given = given
        self._behind_proxy = behind_proxy
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.get("headers", ())
            added = secure_headers(self._scope, self._given, headers, behind_proxy=self._behind_proxy)
            added.append((_ID, self._named))
            further: AnswerHeaders | None = self._scope.get(ANSWER_HEADERS)
            if further is not None:
                added.extend(further())
            message["headers"] = [*headers, *added, VARY] if varies(message["status"], headers) else [*headers, *added]
        await self._send(message)


def _bounded(receive: Receive, limit: int) -> Receive:
    """Count a body that did not declare its length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise BodyRefused(_too_large(f"the body has more than {limit} bytes"))
        return message

    return counted


def _too_large(reason: str) -> TooLarge:
    return TooLarge(ErrorCode.body_too_large, f"{reason}; send it in parts")
