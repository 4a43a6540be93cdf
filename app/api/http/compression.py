"""Answers in a content coding: by Accept-Encoding, compressed as they are sent.

An entity tag names bytes, so that of a compressed answer ends in the coding's name. The application never sees that:
the name is taken off what `If-None-Match` brings back.
"""

import zlib
from collections.abc import Callable, Iterable
from functools import lru_cache

import zstandard
from fastapi.concurrency import run_in_threadpool
from starlette.types import Message, Scope, Send

MINIMUM = 1000
"""bytes; less is not worth the work"""
INLINE = 64 * 1024
"""bytes that are compressed without leaving the event loop, in about a millisecond"""
ZSTD_LEVEL = GZIP_LEVEL = 1
"""numbers as text hardly get smaller with more work"""
VARY = (b"vary", b"Accept-Encoding")

_GZIP_HEADER = 31  # zlib's number for a gzip member with a window of 32 KiB
_PREFERRED = ("zstd", "gzip")
_LONGEST = 500
_TYPES = frozenset({
    "application/javascript",
    "application/json",
    "application/problem+json",
    "application/vnd.apache.arrow.stream",
    "application/x-ndjson",
    "image/svg+xml",
})  # fmt: skip
_NEVER = frozenset({"text/event-stream"})
"""each event has to arrive at once, through every proxy"""
_WITHOUT_BODY = frozenset({204, 205, 206, 304})

Headers = Iterable[tuple[bytes, bytes]]
Step = Callable[[bytes, bool], bytes]
"""(data, whether it is the last) -> all that can be sent by then"""


def varies(status: int, headers: Headers) -> bool:
    """Say whether an answer depends on Accept-Encoding."""
    for name, value in headers:
        if name == b"content-type":
            return compressible(value)
    return status == 304


@lru_cache(maxsize=128)
def compressible(content_type: bytes) -> bool:
    """Say whether answers of a type get smaller by compression, and may be held back for it."""
    name = content_type.partition(b";")[0].strip().lower().decode("latin-1")
    return name in _TYPES or (name.startswith("text/") and name not in _NEVER)


@lru_cache(maxsize=128)
def chosen(accept: bytes) -> str | None:
    """Return the coding that an Accept-Encoding prefers of those that are made here; None for none."""
    weights: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        name, *parameters = (field.strip() for field in part.split(";"))
        weights[name] = _weight(parameters)
    rest = weights.get("*", 0.0)
    best = max(_PREFERRED, key=lambda coding: weights.get(coding, rest))  # the first of equals
    weight = weights.get(best, rest)
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


class Encoding:
    """Compresses the answers of one process."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL)  # used on the event loop alone

    def of(self, scope: Scope, headers: dict[bytes, bytes], send: Send) -> Send:
        """Return what sends the answer of a request with an Accept-Encoding."""
        coding = chosen(headers[b"accept-encoding"][:_LONGEST])
        if coding is None or scope["method"] == "HEAD":
            return send
        suffix = f'-{coding}"'.encode()
        tagged = suffix in headers.get(b"if-none-match", b"")
        if tagged:
            scope["headers"] = [
                (name, value.replace(suffix, b'"') if name == b"if-none-match" else value)
                for name, value in scope["headers"]
            ]
        return _Encoded(send, coding, self, tagged=tagged)

    async def compressed(self, body: bytes, coding: str) -> bytes:
        """Return a whole body compressed."""
        if len(body) > INLINE:
            return await run_in_threadpool(_steps(coding), body, True)
        return self._zstd.compress(body) if coding == "zstd" else _gzip_steps()(body, True)


class _Encoded:
    """Sends one answer compressed, where that pays."""

    def __init__(self, send: Send, coding: str, encoding: Encoding, *, tagged: bool) -> None:
        self._send = send
        self._coding = coding
        self._encoding = encoding
        self._tagged = tagged
        self._start: Message | None = None
        """held back until the first of the body is there"""
        self._step: Step | None = None

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and _may_shrink(message):
            self._start = message
        elif kind == "http.response.start" and message["status"] == 304 and self._tagged:
            await self._send({**message, "headers": _tagged(message["headers"], self._coding)})
        elif kind == "http.response.body" and self._start is not None:
            start = self._start
            self._start = None
            await (self._begin if message.get("more_body") else self._whole)(start, message)
        elif kind == "http.response.body" and self._step is not None:
            await self._next(self._step, message)
        else:
            if self._start is not None:  # something that is no body, such as a file to send by its path
                start = self._start
                self._start = None
                await self._send(start)
            await self._send(message)

    async def _whole(self, start: Message, message: Message) -> None:
        body = message.get("body", b"")
        if len(body) >= MINIMUM:
            smaller = await self._encoding.compressed(body, self._coding)
            if len(smaller) < len(body):
                body = smaller
                length = (b"content-length", b"%d" % len(body))
                start["headers"] = [*_coded(start["headers"], self._coding), length]
        await self._send(start)
        await self._send({**message, "body": body})

    async def _begin(self, start: Message, message: Message) -> None:
        start["headers"] = _coded(start["headers"], self._coding)
        self._step = _steps(self._coding)
        await self._send(start)
        await self._next(self._step, message)

    async def _next(self, step: Step, message: Message) -> None:
        """Send a part of a stream at once, so that nobody waits for what was made already."""
        body, last = message.get("body", b""), not message.get("more_body", False)
        if not body and not last:
            return
        part = await run_in_threadpool(step, body, last) if len(body) > INLINE else step(body, last)
        await self._send({**message, "body": part})


def _may_shrink(start: Message) -> bool:
    """Say whether an answer may be compressed: it has a body, of a type that gets smaller, and no coding yet."""
    shrinks = False
    for name, value in start["headers"]:
        if name == b"content-type":
            shrinks = compressible(value)
        elif name in (b"content-encoding", b"content-range") or (name == b"cache-control" and b"no-transform" in value):
            return False
    return shrinks and start["status"] not in _WITHOUT_BODY


def _coded(headers: Headers, coding: str) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in _tagged(headers, coding) if name != b"content-length"]
    return [*kept, (b"content-encoding", coding.encode())]


def _tagged(headers: Headers, coding: str) -> list[tuple[bytes, bytes]]:
    """Return the headers with the entity tag of the compressed answer; a weak tag names meaning, and stays."""
    suffix = f'-{coding}"'.encode()
    return [
        (name, value[:-1] + suffix if name == b"etag" and value.startswith(b'"') else value) for name, value in headers
    ]


def _steps(coding: str) -> Step:
    return _zstd_steps() if coding == "zstd" else _gzip_steps()


def _zstd_steps() -> Step:
    stream = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()

    def step(data: bytes, last: bool) -> bytes:
        end = zstandard.COMPRESSOBJ_FLUSH_FINISH if last else zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return stream.compress(data) + stream.flush(end)

    return step


def _gzip_steps() -> Step:
    stream = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_HEADER)

    def step(data: bytes, last: bool) -> bytes:
        return stream.compress(data) + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)

    return step
