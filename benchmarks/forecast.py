"""What one warm POST /forecast costs beside a bare route that answers the same bytes: one connection, taken in turn.

python -m benchmarks.forecast [--requests 1000]
"""

import argparse
import gzip
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from importlib.metadata import version
from importlib.resources import files
from statistics import median, quantiles
from typing import Any

from app.client import Client, ClientError

BODY = {"model": "bench", "series": ["bikes"], "horizon": 24, "quantiles": [0.1, 0.5, 0.9]}
LEAST_WARM = 100


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """Run a server, quietly, until the block ends."""
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait(port, process)
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something answers on the port. Raises SystemExit where the server ends or stays silent."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("a server did not start; run its command by hand to see why")


def prepare(url: str) -> dict[str, Any]:
    """Import the carried data, train a model on it, and return its first forecast."""
    with Client(url) as client:
        while not client.ready():
            time.sleep(0.2)
        client.import_csv(gzip.decompress((files("app") / "data" / "bike_sharing.csv.gz").read_bytes()), freq="h")
        queued = client.train("bench", {"ids": ["bikes"]}, 24, training={"epochs": 2}, promote="always")
        for job in client.watch(queued["id"]):
            print(f"\rtraining {job['progress']['fraction']:4.0%}", end="", file=sys.stderr)
        print(file=sys.stderr)
        if job["status"] != "succeeded":
            raise SystemExit(f"the training failed: {job['error']}")
        return client.forecast("bench", ["bikes"], horizon=24, quantiles=(0.1, 0.5, 0.9))


def measure(ports: dict[str, int], requests: int) -> dict[str, list[float]]:
    """Send the same request to each server in turn, each on one connection; return milliseconds by server."""
    body, headers = json.dumps(BODY), {"Content-Type": "application/json"}
    connections = {name: HTTPConnection("127.0.0.1", port) for name, port in ports.items()}
    taken: dict[str, list[float]] = {name: [] for name in ports}
    for i in range(requests + LEAST_WARM):
        for name, connection in connections.items():
            began = time.perf_counter()
            connection.request("POST", "/forecast", body, headers)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"{name} answered {response.status}")
            if i >= LEAST_WARM:
                taken[name].append(1000 * (time.perf_counter() - began))
    return taken


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    requests = parser.parse_args().requests
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ours, bare = one.getsockname()[1], two.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"GATECAST_DATA_DIR": folder, "GATECAST_PORT": str(ours)}
        with running([sys.executable, "-m", "app.cli", "up"], ours, settings):
            answer = {"BARE_ANSWER": json.dumps(prepare(f"http://127.0.0.1:{ours}"))}
            command = [sys.executable, "-m", "uvicorn", "benchmarks.bare:app", "--port", str(bare), "--no-access-log"]
            with running(command, bare, answer):
                report(measure({"gatecast": ours, "bare route": bare}, requests), requests)


def report(taken: dict[str, list[float]], requests: int) -> None:
    """Print a row a server, and all of it as JSON."""
    rows = {
        name: {"p50_ms": round(median(values), 3), "p99_ms": round(quantiles(values, n=100)[98], 3)}
        for name, values in taken.items()
    }
    print(f"{'server':12} {'p50 ms':>8} {'p99 ms':>8}   ({requests} requests each, one connection, in turn)")
    for name, row in rows.items():
        print(f"{name:12} {row['p50_ms']:8.2f} {row['p99_ms']:8.2f}")
    ratio = round(rows["gatecast"]["p50_ms"] / rows["bare route"]["p50_ms"], 2)
    print(f"a forecast costs {ratio} times the bare route")
    packages = {name: version(name) for name in ("fastapi", "uvicorn", "onnxruntime", "sqlalchemy")}
    print(json.dumps({"rows": rows, "ratio_p50": ratio, "python": platform.python_version(), "packages": packages}))


if __name__ == "__main__":
    try:
        main()
    except ClientError as e:
        raise SystemExit(f"{e}\n{e.hint}") from e
