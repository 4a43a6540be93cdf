"""Load by wrk, a public generator: requests from a list in turn, at full speed or at a chosen rate; rounds in turn."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil

from benchmarks.serving_servers import NotMeasured, Server, cores

SCRIPT = Path(__file__).with_name("load.lua")
CALIBRATION_SECONDS = 2.0
CALIBRATIONS = 2


@dataclass(frozen=True)
class Request:
    """One request of a list that connections send in turn."""

    path: str
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"


@dataclass(frozen=True)
class Figures:
    """What one run of wrk came to."""

    requests: int
    seconds: float
    bytes: int
    """of all answers, headers included"""
    failed: int
    """answers with a status of 400 or more, broken connections and timeouts"""
    p50_ms: float
    p99_ms: float
    max_ms: float
    foreign: float = 0.0
    """share of the servers' core that other processes than the server took"""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def answer_bytes(self) -> float:
        """Bytes of an answer, headers included."""
        return self.bytes / max(1, self.requests)


def wrk_version() -> str:
    """Return wrk's version. Raises SystemExit, which says how to get it, where it is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("the load comes from wrk, which is not here: on Debian, apt-get install wrk")
    told = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return (told.stdout + told.stderr).split(" [")[0].removeprefix("wrk ").strip()


@dataclass(frozen=True)
class Load:
    """Requests, with the headers that all of them bring."""

    headers: Mapping[str, str]
    connections: int
    core: str | None = None
    """of the generator; by default that of the load"""

    def run(self, server: Server, requests: Sequence[Request], seconds: float, pause_ms: float = 0.0) -> Figures:
        """Send requests in turn over all connections, each waiting for its answer and then for `pause_ms` on average.

        Raises NotMeasured where an answer was an error or none came.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
            file.writelines(self._line(one) + "\n" for one in requests)
            file.flush()
            pin = ["taskset", "-c", self.core or cores()[1]]
            sizes = ["-t", "1", "-c", str(self.connections), "-d", f"{max(1, round(seconds))}s", "--timeout", "30s"]
            command = [*pin, "wrk", *sizes, "-s", str(SCRIPT), server.url, "--", file.name, f"{pause_ms:.3f}"]
            before = foreign_seconds(server)
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            foreign = foreign_seconds(server) - before
        if told.returncode != 0 or not told.stdout.strip():
            raise NotMeasured(f"wrk failed: {(told.stderr or told.stdout).strip()[-300:]}")
        found = Figures(**json.loads(told.stdout.strip().splitlines()[-1]))
        found = replace(found, foreign=max(0.0, foreign / found.seconds))
        if found.failed or not found.requests:
            raise NotMeasured(f"{server.name}: {found.failed} of {found.requests} requests failed")
        return found

    def pause_for(self, server: Server, requests: Sequence[Request], rate: float) -> float:
        """Return the mean pause in milliseconds with which the connections together reach a rate."""
        interval = 1000 * self.connections / rate  # of one connection, from request to request
        pause = interval
        for _ in range(CALIBRATIONS):
            answered = 1000 * self.connections / self.run(server, requests, CALIBRATION_SECONDS, pause).rate - pause
            pause = max(0.1, interval - max(0.0, answered))
        return pause

    def _line(self, request: Request) -> str:
        headers = {**self.headers, **dict(request.headers)}
        lines = "|".join(f"{name}: {value}" for name, value in headers.items())
        assert "|" not in "".join(headers.values())
        return "\t".join((request.method, request.path, lines, request.body))


def foreign_seconds(server: Server) -> float:
    """Return the seconds so far that the servers' core worked for others than this server."""
    times = psutil.cpu_times(percpu=True)[int(cores()[0])]
    busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice  # guests are in user and nice
    process = psutil.Process(server.process.pid)
    own = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(busy - sum(one.user + one.system for one in own))


Measure = Callable[[], Figures]


def in_turn(measures: Mapping[str, Measure], rounds: int) -> dict[str, list[Figures]]:
    """Run each measure once a round, every second round in the reverse order; return the figures by name."""
    found: dict[str, list[Figures]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in list(measures)[:: 1 if number % 2 == 0 else -1]:
            found[name].append(measures[name]())
    return found


def middle(figures: Sequence[Figures], what: str) -> float:
    """Return the median of one figure over the rounds."""
    return float(median(getattr(one, what) for one in figures))


def middle_ratio(figures: Sequence[Figures], others: Sequence[Figures], what: str, of: str | None = None) -> float:
    """Return the median over the rounds of a figure divided by the other's `of` in the same round."""
    return float(median(getattr(a, what) / getattr(b, of or what) for a, b in zip(figures, others, strict=True)))
