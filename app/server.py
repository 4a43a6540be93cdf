"""The API process' server: uvicorn, around the application."""

import contextlib
import gc
import socket
import sys

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from app.config import Settings
from app.main import create_app

GRACE_SECONDS = 5
"""for open connections when the API is told to stop; event streams would stay open for hours"""
YOUNG_OBJECTS = 10_000
"""objects that are made before the collector looks at them: a request makes and drops some hundred"""


def serve(settings: Settings) -> None:
    """Run one API process until it is told to stop. Raises SystemExit where it cannot start."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        interface="asgi3",
        log_config=None,  # our own log lines and request ids take the place of uvicorn's
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    with contextlib.suppress(KeyboardInterrupt):  # it has stopped by then
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and look no more at what has been loaded: a full collection held all requests up for 0.1 s."""
        gc.collect()  # what is garbage by now would be kept for good
        await super().startup(sockets)
        if self.started:
            gc.freeze()
            gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
