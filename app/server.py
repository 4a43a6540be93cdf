"""The API process' server: uvicorn, around the application."""

import asyncio
import contextlib
import gc
import resource
import socket
import sys
import time
from functools import partial
from typing import cast

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from uvicorn.config import STARTUP_FAILURE

from app.api.http.connections import ENDS, ConnectionBounds, PatientProtocol
from app.api.http.hosts import OwnHosts
from app.api.http.patience import set_options
from app.config import Settings
from app.logs import get_logger
from app.main import create_app

log = get_logger(__name__)

GRACE_SECONDS = 5
"""for open connections when the API is told to stop; event streams would stay open for hours"""
YOUNG_OBJECTS = 10_000
"""objects that are made before the collector looks at them: a request makes and drops some hundred"""
TICK = 0.1
"""seconds between two calls of `on_tick`"""
LONGEST_CHECK = 1.0
"""seconds between two looks at the connections"""
OTHER_FILES = 256
"""files and sockets of a process that are no connections of clients: the database, artifacts, spools, helpers"""


def serve(settings: Settings) -> None:
    """Run one API process until it is told to stop. Raises SystemExit where it cannot start."""
    application = create_app(settings)
    bounds = ConnectionBounds(settings.client_seconds, _allow_connections(settings.max_connections))
    config = uvicorn.Config(
        application if settings.auth == "on" else OwnHosts(application, settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], partial(PatientProtocol, bounds)),  # it is only called
        ws="none",
        interface="asgi3",
        log_config=None,  # our own log lines and request ids take the place of uvicorn's
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Server(config, bounds)
    server.observe(application.state.registry)
    with contextlib.suppress(KeyboardInterrupt):  # it has stopped by then
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _allow_connections(wanted: int) -> int:
    """Return how many connections there may be: no more than the system lets the process have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    most = wanted + OTHER_FILES
    if soft != unlimited and soft < most:
        soft = most if hard == unlimited else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == unlimited or soft >= most:
        return wanted
    log.warning("connections_limited", wanted=wanted, files=soft, hint="raise the limit of open files (ulimit -n)")
    return max(1, soft - OTHER_FILES)


class Server(uvicorn.Server):
    """Listens, and looks at its connections now and then."""

    def __init__(self, config: uvicorn.Config, bounds: ConnectionBounds) -> None:
        super().__init__(config)
        self._bounds = bounds
        self._ticks = max(1, round(min(LONGEST_CHECK, bounds.seconds / 10) / TICK))
        self._checked_at = time.monotonic()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and look no more at what has been loaded: a full collection held all requests up for 0.1 s."""
        gc.collect()  # what is garbage by now would be kept for good
        await super().startup(sockets)
        if self.started:
            gc.freeze()
            gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
            for listener in [one for server in self.servers for one in server.sockets]:
                set_options(listener, self._bounds.seconds)

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections, and say whether the process is to stop."""
        if counter % self._ticks == 0:
            moment = time.monotonic()
            # when the process did not run itself, nobody has kept it waiting
            seconds = min(moment - self._checked_at, 2 * self._ticks * TICK)
            self._checked_at = moment
            for connection in list(self.server_state.connections):
                if isinstance(connection, PatientProtocol):
                    connection.check(seconds)
        return await super().on_tick(counter)

    def observe(self, registry: CollectorRegistry) -> None:
        """Put the connections into the metrics."""
        connections = self.server_state.connections
        ended = self._bounds.ended

        class ConnectionCollector(Collector):
            def collect(self) -> list[GaugeMetricFamily | CounterMetricFamily]:
                about = "Connections that were cut off: slow to send, answer not read, too many, no HTTP."
                cut = CounterMetricFamily("gatecast_connections_ended", about, labels=["why"])
                for why in ENDS:
                    cut.add_metric([why], ended[why])
                return [cut, GaugeMetricFamily("gatecast_connections", "Open connections.", value=len(connections))]

        registry.register(ConnectionCollector())
