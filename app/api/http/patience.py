"""How long a client may take, and what the system is told of its connection."""

import contextlib
import socket
import sys
from typing import Any

LEAST_RATE = 500
"""bytes a second that a body, or the taking of an answer, must come to on the whole: less than any modem's"""
MOST_UNSENT = 128 * 1024
"""bytes of an answer that the system holds before they are on their way; without it, some megabytes"""
_ACKNOWLEDGED = slice(120, 128)
"""bytes that the peer has, in what Linux tells of a TCP connection (tcp_info, tcpi_bytes_acked)"""


class Wait:
    """How long a client has kept the process waiting for bytes to move, as it is looked at now and then."""

    def __init__(self, moved: int = 0) -> None:
        self.silent = 0.0
        """seconds in which nothing has moved"""
        self._total = 0.0
        self._moved = 0
        self._last = moved

    def add(self, seconds: float, moved: int) -> None:
        """Count the time since the last look; `moved` is a count of bytes that grows while they move."""
        self._total += seconds
        self.silent = 0.0 if moved > self._last else self.silent + seconds
        self._moved += max(0, moved - self._last)
        self._last = moved

    def is_over(self, seconds: float) -> bool:
        """Say whether nothing has moved for so long, or too little on the whole."""
        return self.silent > seconds or self._total > seconds + self._moved / LEAST_RATE


def set_options(listener: Any, seconds: float) -> None:
    """Set what the connections of a listening socket inherit: the system notices within twice so many seconds that a
    client's machine is gone, and holds little of an answer that nobody takes."""
    pause = max(1, round(seconds))
    options = {"TCP_KEEPIDLE": pause, "TCP_KEEPINTVL": max(1, pause // 3), "TCP_KEEPCNT": 3}
    options |= {"TCP_USER_TIMEOUT": 2000 * pause, "TCP_NOTSENT_LOWAT": MOST_UNSENT}
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):  # not every system has all of them
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def count_taken(connection: Any, backlog: int) -> int:
    """Return a number that grows by what the client takes: bytes that it has acknowledged, where the system says so."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.stop)
            if len(told) == _ACKNOWLEDGED.stop:
                return int.from_bytes(told[_ACKNOWLEDGED], sys.byteorder)
    return -backlog
