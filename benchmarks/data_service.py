"""The service that benchmarks.data measures: uploads to it, its memory, and forecasts while it is busy."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.data_table import MEDIA_TYPES
from benchmarks.serving_data import HORIZON, stamps, values
from benchmarks.serving_memory import resident
from benchmarks.serving_servers import NotMeasured, Place, Server, running, timed, until

PATIENCE_SECONDS = 7200.0
SAMPLE_SECONDS = 0.25
PAUSE_SECONDS = 0.02
"""between two forecasts: a dashboard that polls, not a load"""
HOT = "hot"
"""name of the series that is forecast, and of its model"""
TINY = {"epochs": 1, "steps_per_epoch": 3}
TRAINING_SECONDS = 300.0


@dataclass(frozen=True)
class Stage:
    """A data directory, and a migrated database at an address; processes run on all cores."""

    place: Place
    url: str

    @property
    def _settings(self) -> dict[str, str]:
        return {"GATECAST_DATABASE_URL": self.url}

    @contextmanager
    def serve(self) -> Iterator[Server]:
        """Run an API process."""
        with self.place.gatecast(core=_list_cores(), **self._settings) as server:
            yield server

    @contextmanager
    def work(self) -> Iterator[Server]:
        """Run a worker."""
        command = [sys.executable, "-m", "app", "worker"]
        settings = self.place.environment | self._settings
        with running("worker", command, _list_cores(), self.place.folder, settings, port=None) as worker:
            yield worker

    def upload(self, server: Server, path: Path, format_name: str, key: str = "") -> tuple[float, dict[str, Any]]:
        """Send a table from disk; return the seconds to the answer, and the report. Raises NotMeasured, OSError."""
        headers = self.place.headers | {"Content-Type": MEDIA_TYPES[format_name]}
        headers |= {"Content-Length": str(path.stat().st_size)} | ({"Idempotency-Key": key} if key else {})
        connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS, blocksize=1 << 18)
        try:
            with path.open("rb") as body:
                began = time.perf_counter()
                connection.request("POST", "/series/import?freq=D", body, headers)
                response = connection.getresponse()
                content = response.read()
                seconds = time.perf_counter() - began
        finally:
            connection.close()
        if response.status != 200:
            why = content[:300].decode(errors="replace")
            raise NotMeasured(f"the import as {format_name}: {response.status} {why}")
        return seconds, json.loads(content)

    def make_hot(self, server: Server) -> None:
        """Store a series apart from the table, and train a small model on it."""
        body = {"ds": [one[:10] for one in stamps(24 * 400)[::24]], "y": values(0).tolist()}
        self.place.call(server, "POST", "/series", {"id": HOT, "freq": "D"})
        self.place.call(server, "POST", f"/series/{HOT}/observations", body)
        chosen = {"series": {"ids": [HOT]}, "horizon": HORIZON, "promote": "always", "training": TINY}
        path = f"/jobs/{self.place.call(server, 'POST', '/train', {'model': HOT, **chosen})['id']}"
        with self.work():
            until(lambda: self._status(server, path) == "succeeded", TRAINING_SECONDS, "the model is trained")

    def _status(self, server: Server, path: str) -> str:
        job = self.place.call(server, "GET", path)
        if job["status"] in ("failed", "cancelled"):
            raise NotMeasured(f"the training {job['status']}: {job['error']}")
        return str(job["status"])


def _list_cores() -> str:
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


@dataclass
class Sampler:
    """A thread that does one thing again and again, while a block of code runs."""

    figures: list[float] = field(default_factory=list)
    failure: Exception | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def sampling(self, measure: Any, pause: float) -> Iterator["Sampler"]:
        """Call `measure` with pauses until the block ends; what it raises then is kept in `failure`."""

        def run() -> None:
            while not self._stopped.wait(pause):
                try:
                    self.figures.append(measure())
                except Exception as e:  # the server may be killed meanwhile
                    self.failure = e
                    return

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            thread.join()


def sample_memory(server: Server) -> Any:
    """Return a context manager that samples the megabytes of a server and its children."""
    return Sampler().sampling(lambda: resident(server), SAMPLE_SECONDS)


@contextmanager
def forecasting(stage: Stage, server: Server) -> Iterator[Sampler]:
    """Poll the forecast of the hot series, one request after another on one connection; figures are milliseconds."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)

    def ask() -> float:
        answer = timed(connection, "GET", f"/forecast?model={HOT}&series={HOT}", None, stage.place.headers)
        if answer.status != 200:
            raise NotMeasured(f"GET /forecast: {answer.status} {answer.body[:300].decode(errors='replace')}")
        return 1000 * answer.seconds

    try:
        with Sampler().sampling(ask, PAUSE_SECONDS) as found:
            yield found
    finally:
        connection.close()
