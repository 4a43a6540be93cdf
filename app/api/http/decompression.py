"""Request bodies in a content coding: decompressed as they are read, and bounded by what they become."""

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import zstandard
from fastapi.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope

from app.api.http.problems import BodyRefused
from app.errors import ErrorCode, TooLarge, Unreadable, Unsupported

ACCEPTED = "gzip, zstd"
LEFT_CODED = {"/api/v1/write": b"snappy"}
"""by path, the coding that a protocol demands and its route reads: this one is no stream, and tells its size first"""
PIECE = 256 * 1024
"""bytes that are handed on at once, about"""
SLICE = 512
"""bytes of zstd that are read at once: 4 bytes become 128 KiB at most, so a slice becomes 16 MiB at most"""
LARGEST_WINDOW = 8 * 1024 * 1024
"""memory that a zstd frame may ask for; RFC 9659 allows no more over HTTP"""
LARGEST_RATIO = 1000
"""how many times as large a body may become: tables of real values become ten times as large"""
ALWAYS_ALLOWED = 16 * 1024 * 1024
"""bytes that it may become, however few were sent"""
INLINE = 4096
"""bytes that are decompressed without leaving the event loop"""
_GZIP_HEADER = 31  # zlib's number for a gzip member with a window of 32 KiB


class ContentDecoder(Protocol):
    """Decompresses a body that comes in parts."""

    @property
    def complete(self) -> bool:
        """Whether what was read so far is whole."""
        ...

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next part becomes, in pieces of bounded size, empty ones too."""
        ...


class _Gzip:
    """One gzip member after another."""

    def __init__(self) -> None:
        self._member: Any = None

    @property
    def complete(self) -> bool:
        return self._member is None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member is None:
                self._member = zlib.decompressobj(_GZIP_HEADER)
            yield self._member.decompress(data, PIECE)
            data = self._member.unconsumed_tail
            if self._member.eof:
                data = self._member.unused_data
                self._member = None


class _Zstd:
    """One zstd frame after another."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        self._frame: Any = None

    @property
    def complete(self) -> bool:
        return self._frame is None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), SLICE):
            part = data[at : at + SLICE]
            while part:
                if self._frame is None:
                    self._frame = self._context.decompressobj()
                yield self._frame.decompress(part)
                part = b""
                if self._frame.eof:
                    part = self._frame.unused_data
                    self._frame = None


_MAGIC: dict[bytes, type[_Gzip] | type[_Zstd]] = {b"\x1f\x8b": _Gzip, b"\x28\xb5\x2f\xfd": _Zstd}
LONGEST_MAGIC = max(map(len, _MAGIC))
_DECODERS: dict[bytes, type[_Gzip] | type[_Zstd]] = {b"gzip": _Gzip, b"x-gzip": _Gzip, b"zstd": _Zstd}


def decoder_of(scope: Scope) -> ContentDecoder | None:
    """Return what decompresses a request's body, and take the coding out of its headers; None for `identity`.

    Raises Unsupported for another coding, or several of them.
    """
    headers = scope["headers"]
    named = b",".join(value for name, value in headers if name == b"content-encoding")
    codings = [c for c in (part.strip().lower() for part in named.split(b",")) if c not in (b"", b"identity")]
    if not codings or codings == [LEFT_CODED.get(scope["path"])]:
        return None
    if len(codings) > 1 or codings[0] not in _DECODERS:
        coding = named.decode("latin-1")[:100]
        detail = f"a body in {coding!r} is not read; send it as Content-Encoding: gzip or zstd, or uncompressed"
        raise Unsupported(ErrorCode.unsupported_media_type, detail, headers={"Accept-Encoding": ACCEPTED})
    # whoever comes after reads a plain body of unknown length
    about_coding = (b"content-encoding", b"content-length", b"transfer-encoding")
    plain = [(name, value) for name, value in headers if name not in about_coding]
    scope["headers"] = [*plain, (b"transfer-encoding", b"chunked")]
    return _DECODERS[codings[0]]()


def recognize_coding(head: bytes) -> ContentDecoder | None:
    """Return what decompresses a file that begins with these bytes (LONGEST_MAGIC of them); None where it is plain."""
    return next((decoder() for magic, decoder in _MAGIC.items() if head.startswith(magic)), None)


def check_ratio(sent: int, made: int) -> None:
    """Raise TooLarge for what becomes too many times as large as it was sent."""
    if made > ALWAYS_ALLOWED and made > LARGEST_RATIO * sent:
        detail = f"{sent} compressed bytes became more than {LARGEST_RATIO} times as many; compress them less"
        raise TooLarge(ErrorCode.body_too_large, detail)


class Decoded:
    """Receives a body decompressed.

    Raises BodyRefused: 413 beyond `limit` bytes, before more is made of them, and 400 for what cannot be decompressed.
    """

    def __init__(self, receive: Receive, decoder: ContentDecoder, limit: int) -> None:
        self._receive = receive
        self._decoder = decoder
        self._limit = limit
        self._sent = 0
        self._taken = 0
        self._more = True
        self._inline = True
        self._pieces: Iterator[bytes] | None = None

    async def __call__(self) -> Message:
        while self._more or self._pieces is not None:
            if self._pieces is None:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                data = message.get("body", b"")
                self._sent += len(data)
                self._more = message.get("more_body", False)
                self._pieces = self._gathered(data)
                self._inline = len(data) <= INLINE
            pieces = self._pieces
            piece = next(pieces, None) if self._inline else await run_in_threadpool(next, pieces, None)
            if piece is not None:
                return {"type": "http.request", "body": piece, "more_body": True}
            self._pieces = None
            if not self._more:
                return self._end()
        return await self._receive()

    def _end(self) -> Message:
        if not self._decoder.complete:
            raise _corrupt("it ends too early")
        return {"type": "http.request", "body": b"", "more_body": False}

    def _gathered(self, data: bytes) -> Iterator[bytes]:
        """Yield what a part becomes, in pieces of a size that is worth a message."""
        gathered = []
        size = 0
        try:
            for piece in self._decoder.pieces(data):
                size += len(piece)
                self._taken += len(piece)
                if self._taken > self._limit:
                    detail = f"the decompressed body has more than {self._limit} bytes; send it in parts"
                    raise BodyRefused(TooLarge(ErrorCode.body_too_large, detail))
                check_ratio(self._sent, self._taken)
                gathered.append(piece)
                if size >= PIECE:
                    yield b"".join(gathered)
                    gathered = []
                    size = 0
        except (zlib.error, zstandard.ZstdError) as e:
            raise _corrupt(str(e)) from e
        except TooLarge as e:
            raise BodyRefused(e) from e
        if size:
            yield b"".join(gathered)


def _corrupt(why: str) -> BodyRefused:
    detail = f"the body cannot be decompressed ({why}); send what Content-Encoding says, whole"
    return BodyRefused(Unreadable(ErrorCode.body_corrupt, detail))
