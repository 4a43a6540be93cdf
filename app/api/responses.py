"""Answers as bytes, and bodies that are too large for memory."""

import hashlib
import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import IO, Any

import orjson
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from app.services.once import Answer

JSON = "application/json"
IN_MEMORY = 4_000_000


def ok(body: Any, status: int = 200) -> Response:
    """Answer with a document that a service made."""
    plain = asdict(body) if is_dataclass(body) and not isinstance(body, type) else body
    return Response(orjson.dumps(plain), status, media_type=JSON)


def created(answer: Answer) -> Response:
    """Answer a creating call."""
    headers = {"Location": answer.location} if answer.location else {}
    return Response(orjson.dumps(answer.body), answer.status, headers=headers, media_type=JSON)


@dataclass(frozen=True)
class Spool:
    """A body that was read whole, on disk where it is large."""

    file: IO[bytes]
    digest: str

    def text(self) -> IO[str]:
        """Open the body as UTF-8 text from its beginning."""
        self.file.seek(0)
        raw: Any = io.FileIO(self.file.fileno(), closefd=False) if _on_disk(self.file) else io.BytesIO(self.file.read())
        return io.TextIOWrapper(io.BufferedReader(raw) if _on_disk(self.file) else raw, "utf-8-sig", newline="")


def _on_disk(file: IO[bytes]) -> bool:
    return bool(getattr(file, "_rolled", False))


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[Spool]:
    """Read a body of any allowed size without holding it in memory."""
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        async for chunk in request.stream():
            digest.update(chunk)
            await run_in_threadpool(file.write, chunk)
        yield Spool(file, digest.hexdigest())
