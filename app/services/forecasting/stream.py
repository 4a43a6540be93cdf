"""An answer that is sent while it is made: a thread writes it in parts, the event loop sends them."""

import asyncio
from collections.abc import AsyncIterator

PARTS = 2
"""that wait to be sent"""
PATIENCE_SECONDS = 60.0
"""with a client that takes nothing"""


class Gone(Exception):
    """The client has left."""


class Stream:
    """Parts of an answer. The thread that makes them waits for the client to take them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parts: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(PARTS)
        self._gone = False

    def put(self, part: bytes | Exception | None) -> None:
        """Add a part, from a thread; None is the end, an exception a broken one. Raises Gone."""
        if self._gone:
            raise Gone
        waiting = asyncio.run_coroutine_threadsafe(self._parts.put(part), self._loop)
        try:
            waiting.result(PATIENCE_SECONDS)
        except TimeoutError as e:
            waiting.cancel()
            raise Gone from e

    def leave(self) -> None:
        """Take nothing more; whoever waits to add a part is let go."""
        self._gone = True
        while not self._parts.empty():
            self._parts.get_nowait()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts. Raises what broke the answer."""
        try:
            while (part := await self._parts.get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.leave()
