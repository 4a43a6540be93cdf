"""Clients that stall, hundreds of each kind, beside one that does not."""

import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from app.config import Settings
from tests.e2e.processes import PATIENCE, Service, until

EACH = 200
UNREAD = 30
"""clients that take nothing of a large answer"""
STALL_SECONDS = 2
ROWS = 20_000
HOST = b"host: 127.0.0.1\r\n"
JSON = HOST + b"content-type: application/json\r\ncontent-length: 100000\r\n\r\n{"
STALLS = {
    "say nothing": b"",
    "end within the head": b"GET /series HTTP/1.1\r\n" + HOST,
    "end within a body": b"POST /series HTTP/1.1\r\n" + JSON,
    "end within a body of the fast route": b"POST /forecast HTTP/1.1\r\n" + JSON,
    "end within a table": b"POST /series/import HTTP/1.1\r\n"
    + HOST
    + b"content-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\na\r\nunique_id,\r\n",
}
EXPORT = b"GET /series/export?format=csv HTTP/1.1\r\n" + HOST + b"\r\n"


Connect = Callable[[bytes], socket.socket]


@pytest.fixture
def connect(service: Service) -> Iterator[Connect]:
    """Opens a connection and sends something; all are closed in the end."""
    connections: list[socket.socket] = []

    def open_one(sent: bytes) -> socket.socket:
        address = urlsplit(service.url)
        connection = socket.socket()
        connections.append(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((address.hostname, address.port))
        connection.sendall(sent)
        return connection

    yield open_one
    for connection in connections:
        connection.close()


def read_to_end(connection: socket.socket) -> bytes:
    """Return all that comes before a connection is closed. Raises TimeoutError where it is not."""
    connection.settimeout(PATIENCE)
    came = b""
    try:
        while data := connection.recv(65_536):
            came += data
    except ConnectionError:
        pass
    return came


def read_metrics(service: Service) -> dict[str, float]:
    with urllib.request.urlopen(service.url + "/metrics", timeout=30) as answer:
        lines = [line for line in answer.read().decode().splitlines() if line.startswith("gatecast_connections")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def store_rows(service: Service) -> None:
    """Make a series whose export is larger than what the system holds for a client that takes nothing."""
    stamps = np.datetime_as_string(np.datetime64("2000-01-01T00") + np.arange(ROWS).astype("m8[h]"), unit="s")
    table = "unique_id,ds,y\n" + "".join(f"a,{stamp}Z,1.5\n" for stamp in stamps)
    request = urllib.request.Request(service.url + "/series/import", table.encode(), {"content-type": "text/csv"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def count_open_transactions(service: Service) -> int:
    engine = create_engine(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with engine.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'"
        count: int = connection.execute(text(query)).scalar_one()
    engine.dispose()
    return count


@pytest.mark.one_database("postgresql")
@pytest.mark.slow
def test_hundreds_of_stalled_clients_hold_nobody_up_and_are_cut_off(service: Service, connect: Connect) -> None:
    service.environment["GATECAST_CLIENT_SECONDS"] = str(STALL_SECONDS)
    service.serve()
    store_rows(service)
    unread = [connect(EXPORT) for _ in range(UNREAD)]
    for connection in unread:
        assert connection.recv(1), "its answer has begun"
    stalled = {kind: [connect(sent) for _ in range(EACH)] for kind, sent in STALLS.items()}
    began = time.monotonic()
    for k in range(20):
        service.call("POST", "/series", {"id": f"s{k}", "freq": "h"})
        assert service.call("GET", f"/series/s{k}")["id"] == f"s{k}"
    assert time.monotonic() - began < STALL_SECONDS
    metrics = read_metrics(service)
    assert metrics["gatecast_connections"] > len(STALLS) * EACH
    assert metrics['gatecast_connections_ended_total{why="slow"}'] == 0
    until(lambda: count_open_transactions(service) == 0, STALL_SECONDS, "no transaction waits for a client")
    for kind, connections in stalled.items():
        answers = [read_to_end(connection) for connection in connections]
        told = b"" if kind == "say nothing" else b"HTTP/1.1 408 Request Timeout\r\n"
        assert all(answer.startswith(told) and bool(answer) == bool(told) for answer in answers), kind
    for connection in unread:
        assert len(read_to_end(connection)) < 25 * ROWS, "it was cut off"
    metrics = read_metrics(service)
    assert metrics['gatecast_connections_ended_total{why="slow"}'] == len(STALLS) * EACH
    assert metrics['gatecast_connections_ended_total{why="unread"}'] == UNREAD
    assert "Traceback" not in service.log("api")
