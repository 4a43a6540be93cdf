"""Bodies of samples for benchmarks.ingest, what reading them alone costs, and a service that takes them in."""

import asyncio
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from line_protocol_parser import parse_line

from app.formats.prometheus import remote_write_1_pb2 as v1
from app.formats.remote_write import decompress_snappy
from tests.e2e.processes import Service

INTERVAL_MS = 15_000
BEGIN_MS = 1_704_067_200_000
PER_BODY = 2000
"""samples of a body: Prometheus' `max_samples_per_send`"""
CONNECTIONS = 50
"""Prometheus' `max_shards`"""
RULE = {
    "match": {"__name__": "node_cpu"},
    "freq": "5min",
    "aggregate": "mean",
    "id": "{instance}/{cpu}",
    "limit": 100_000,
}
LIMIT = 1 << 30


@dataclass(frozen=True)
class Protocol:
    """How samples are sent."""

    name: str
    path: str
    headers: dict[str, str]
    encode: Callable[[Sequence[int], int], bytes]
    """numbers of series, and the number of a scrape"""
    parse: Callable[[bytes], object]
    """nothing but the parser"""
    read: Callable[[bytes], object]
    """the parser, and every label, time and value that it found"""


def name_series(number: int) -> dict[str, str]:
    """Return the labels of a series, in their order."""
    instance = f"host-{number // 16:03d}.example.org:9100"
    return {"__name__": "node_cpu", "cpu": str(number % 16), "instance": instance, "job": "node", "mode": "idle"}


def encode_remote(numbers: Sequence[int], scrape: int) -> bytes:
    """Return a body of remote write 1.0, a time series a sample, as Prometheus sends them."""
    request = v1.WriteRequest()
    for number in numbers:
        series = request.timeseries.add()
        for name, value in name_series(number).items():
            series.labels.add(name=name, value=value)
        series.samples.add(value=number * 1.37 + scrape, timestamp=BEGIN_MS + scrape * INTERVAL_MS)
    return bytes(pa.compress(request.SerializeToString(), codec="snappy", asbytes=True))


def parse_remote(body: bytes) -> object:
    """Decompress and parse a body of remote write."""
    return v1.WriteRequest.FromString(decompress_snappy(body, LIMIT))


def read_remote(body: bytes) -> object:
    """Read all that a body of remote write says."""
    request = v1.WriteRequest.FromString(decompress_snappy(body, LIMIT))
    return [
        ({label.name: label.value for label in series.labels}, [(s.timestamp, s.value) for s in series.samples])
        for series in request.timeseries
    ]


def encode_lines(numbers: Sequence[int], scrape: int) -> bytes:
    """Return a body of line protocol, a line a sample."""
    stamp = (BEGIN_MS + scrape * INTERVAL_MS) * 1_000_000
    lines = []
    for number in numbers:
        labels = name_series(number)
        name = labels.pop("__name__")
        tags = ",".join(f"{key}={value}" for key, value in labels.items())
        lines.append(f"{name},{tags} value={number * 1.37 + scrape} {stamp}\n")
    return "".join(lines).encode()


def parse_lines(body: bytes) -> object:
    """Parse a body of lines; the parser returns all that they say."""
    return [parse_line(line) for line in body.decode().splitlines()]


PROTOCOLS = (
    Protocol(
        "remote write",
        "/api/v1/write",
        {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
        encode_remote,
        parse_remote,
        read_remote,
    ),
    Protocol("line protocol", "/api/v2/write", {"Content-Type": "text/plain"}, encode_lines, parse_lines, parse_lines),
)


def make_bodies(protocol: Protocol, series: int, scrapes: int) -> list[bytes]:
    """Return the bodies of some scrapes of all series, in their order."""
    numbers = [(number, scrape) for scrape in range(scrapes) for number in range(series)]
    bodies = []
    for start in range(0, len(numbers), PER_BODY):
        part = numbers[start : start + PER_BODY]
        together = {scrape: [n for n, s in part if s == scrape] for scrape in dict.fromkeys(s for _, s in part)}
        bodies += [protocol.encode(some, scrape) for scrape, some in together.items()]
    return bodies


def time_reading(read: Callable[[bytes], object], bodies: Sequence[bytes]) -> float:
    """Return the seconds that reading all bodies takes, one after the other."""
    began = time.perf_counter()
    for body in bodies:
        read(body)
    return time.perf_counter() - began


@contextmanager
def running_service(database_url: str) -> Iterator[Service]:
    """Run one API process on a database."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), database_url)
        try:
            service.serve()
            yield service
        finally:
            service.stop()


def put_rule(url: str) -> None:
    """Set the rule of the benchmark."""
    request = urllib.request.Request(
        f"{url}/ingest/rules/cpu", json.dumps(RULE).encode(), {"Content-Type": "application/json"}, method="PUT"
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status in (200, 201)


def read_rule(url: str) -> Any:
    """Return what the rule of the benchmark has taken in."""
    with urllib.request.urlopen(f"{url}/ingest/rules/cpu") as answer:
        return json.load(answer)


async def send_all(port: int, protocol: Protocol, bodies: Sequence[bytes]) -> float:
    """Send all bodies over many connections, each of which waits for its answer; return the seconds that took."""
    waiting = iter(bodies)
    head = "".join(f"{name}: {value}\r\n" for name, value in protocol.headers.items())

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            length = f"Content-Length: {len(body)}\r\n"
            writer.write(f"POST {protocol.path} HTTP/1.1\r\nHost: x\r\n{head}{length}\r\n".encode() + body)
            status = await reader.readline()
            assert b" 204 " in status, status
            while (await reader.readline()).strip():
                pass
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return time.perf_counter() - began
