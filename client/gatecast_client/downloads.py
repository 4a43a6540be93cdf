"""Answers that go into a file as they arrive."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, cast

import httpx2

from gatecast_client.errors import ClientError


@contextmanager
def open_target(target: str | PathLike[str] | IO[bytes]) -> Iterator[IO[bytes]]:
    """Open what a download goes to. A path has the file once it is whole, and what lay there before until then."""
    if not isinstance(target, (str, PathLike)):
        yield target
        return
    path = Path(target)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as e:
        raise ClientError("The file cannot be written", str(e), "unwritable_file", "check its folder") from e
    finally:
        part.unlink(missing_ok=True)


def read_coded(answer: httpx2.Response, coding: str | None) -> Iterator[bytes]:
    """Yield an answer's bytes as a file of a coding (gzip, zstd; None: plain) holds them.

    The service compresses; where a proxy has undone that, gzip is done here. Raises ClientError for zstd.
    """
    if coding is None:
        yield from answer.iter_bytes()
    elif answer.headers.get("content-encoding") == coding:
        yield from answer.iter_raw()
    elif coding == "gzip":
        yield from _compress(answer.iter_bytes())
    else:
        raise ClientError("The answer is not compressed", f"it was asked for as {coding}", "uncompressed", "end in .gz")


def _compress(chunks: Iterator[bytes]) -> Iterator[bytes]:
    written = _Chunks()
    with gzip.GzipFile(fileobj=cast(IO[bytes], written), mode="wb", mtime=0) as packed:
        for chunk in chunks:
            packed.write(chunk)
            yield from written.take()
    yield from written.take()


class _Chunks:
    """A file that keeps what is written until somebody takes it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def take(self) -> list[bytes]:
        """Return what was written since the last time."""
        taken, self._chunks = self._chunks, []
        return taken
