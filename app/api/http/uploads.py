"""Tables as they are sent: raw or in a form, compressed or not, received without being held in memory."""

import hashlib
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, BinaryIO, TypeVar, cast

import zstandard
from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from app.api.http.decompression import LONGEST_MAGIC, ContentDecoder, check_ratio, recognize_coding
from app.api.http.forms import FileForm
from app.api.http.media_types import Description, describe_table, find_coding, is_form, refuse_unknown
from app.errors import ErrorCode, TooLarge, Unreadable, invalid
from app.formats.csv_text import check_encoding
from app.formats.signatures import HEAD, find_format
from app.formats.table import Guess, TableFormat, TableOptions
from app.services.ingest.options import TableUpload

T = TypeVar("T")
IMPORTS_AT_ONCE = 8
"""threads that read tables"""
IN_MEMORY = 4_000_000
"""bytes up to which a body stays in memory"""


async def run_import(call: Callable[..., T], *arguments: Any) -> T:
    """Call what reads a table, in one of few threads: it may take minutes, and other calls need the others."""
    return await to_thread.run_sync(call, *arguments, limiter=_imports())


@cache
def _imports() -> CapacityLimiter:
    return CapacityLimiter(IMPORTS_AT_ONCE)


@dataclass(frozen=True)
class Received:
    """A table that was received whole, and the digest of its bytes as they were sent, and of its format."""

    upload: TableUpload
    digest: str


@asynccontextmanager
async def received(
    request: Request, format: TableFormat | None, options: TableOptions, limit: int
) -> AsyncIterator[Received]:
    """Receive the table of a request, of at most `limit` bytes when it is decompressed.

    Raises Unsupported, Invalid, TooLarge, Unreadable.
    """
    content_type = request.headers.get("content-type", "")
    form = is_form(content_type)
    if not form:
        describe_table(format, "", content_type)  # before the body is read
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
        file = cast(BinaryIO, spool)
        sink = _Spooler(file, limit)
        reader = FileForm(content_type, sink) if form else None
        target = sink if reader is None else reader
        async for chunk in request.stream():
            if chunk:
                await run_in_threadpool(target.write, chunk)
        file_name = ""
        if reader is not None:
            reader.close()
            file_name = reader.file_name or ""
            content_type = reader.content_type
        await run_in_threadpool(sink.close)
        coding = find_coding(content_type)
        if coding is not None and not sink.is_packed:
            detail = f"Content-Type says {coding}, and the file is not compressed; send the media type of the table"
            raise Unreadable(ErrorCode.body_corrupt, detail)
        upload = _choose(file, describe_table(format, file_name, content_type), options, content_type)
        yield Received(upload, hashlib.sha256(f"{upload.format} {sink.digest}".encode()).hexdigest())


def _choose(file: BinaryIO, described: Description, options: TableOptions, content_type: str) -> TableUpload:
    """Return a table with its format: as it is said, else as its first bytes show. Raises Unsupported, Invalid."""
    if described.named is not None:
        format = described.named.format
        guesses = []
    else:
        file.seek(0)
        seen = find_format(file.read(HEAD))
        if seen is None:
            raise refuse_unknown(content_type)
        format = seen
        guesses = [Guess("format", format, "its first bytes show it, and nobody said it")]
    options = _complete(options, described) if format is TableFormat.csv else options
    _check_options(options, format)
    return TableUpload(file, format, options, guesses)


def _complete(options: TableOptions, described: Description) -> TableOptions:
    """Return the options with what a name or a media type says. Raises Invalid where a parameter says otherwise."""
    if described.encoding is not None:
        try:
            encoding = check_encoding(described.encoding)
        except ValueError as e:
            raise invalid("header.content-type", ErrorCode.invalid_input, f"charset: {e}") from e
        if options.encoding not in (None, encoding):
            detail = f"encoding={options.encoding} and charset={described.encoding} do not agree; send one of them"
            raise invalid("query.encoding", ErrorCode.invalid_input, detail)
        options = replace(options, encoding=encoding)
    return replace(options, delimiter=options.delimiter or described.delimiter)


def _check_options(options: TableOptions, format: TableFormat) -> None:
    """Raise Invalid for a parameter of CSV that another format would ignore."""
    if format is TableFormat.csv:
        return
    for name in ("delimiter", "decimal", "encoding"):
        if getattr(options, name) is not None:
            detail = f"{name}= is of CSV, and the table is {format}; leave it out"
            raise invalid(f"query.{name}", ErrorCode.invalid_input, detail)


class _Spooler:
    """Takes a file as it is sent: hashes it, decompresses it where its first bytes say so, and writes it."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit
        self._hash = hashlib.sha256()
        self._head: bytes | None = b""
        self._decoder: ContentDecoder | None = None
        self._sent = 0
        self._written = 0

    @property
    def digest(self) -> str:
        """Of the bytes as they came."""
        return self._hash.hexdigest()

    @property
    def is_packed(self) -> bool:
        """Whether the file was compressed."""
        return self._decoder is not None

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises TooLarge, Unreadable."""
        self._hash.update(data)
        self._sent += len(data)
        if self._head is None:
            self._unpack(data)
            return
        self._head += data
        if len(self._head) >= LONGEST_MAGIC:
            self._begin()

    def close(self) -> None:
        """Raise Unreadable for a file that is cut off."""
        self._begin()
        if self._decoder is not None and not self._decoder.complete:
            raise _corrupt("it ends too early")

    def _begin(self) -> None:
        head = self._head
        self._head = None
        if head:
            self._decoder = recognize_coding(head)
            self._unpack(head)

    def _unpack(self, data: bytes) -> None:
        if self._decoder is None:
            self._store(data)
            return
        try:
            for piece in self._decoder.pieces(data):
                self._store(piece)
                check_ratio(self._sent, self._written)
        except (zlib.error, zstandard.ZstdError) as e:
            raise _corrupt(str(e)) from e

    def _store(self, data: bytes) -> None:
        self._written += len(data)
        if self._written > self._limit:
            detail = f"the table has more than {self._limit} bytes when it is decompressed; send it in parts"
            raise TooLarge(ErrorCode.body_too_large, detail)
        self._file.write(data)


def _corrupt(why: str) -> Unreadable:
    return Unreadable(ErrorCode.body_corrupt, f"the file cannot be decompressed ({why}); send it whole")
