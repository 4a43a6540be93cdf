"""Row of benchmarks.serving: four API processes on PostgreSQL, a forecast right after a write through another one."""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import NDArray

from app.config import Settings
from benchmarks.serving_data import HORIZON, MODEL, STEPS, copy, original, stamps, values
from benchmarks.serving_report import Row, Setting
from benchmarks.serving_servers import NotMeasured, timed
from tests.e2e.processes import Service
from tests.e2e.servers import server as postgresql

Floats = NDArray[np.float64]

PROCESSES, CALLERS = 4, 8
SAME = 1e-5
"""of the forecast's size: less is the same state, computed in a batch of another size"""


@dataclass
class Caller:
    """Writes to a series of its own and forecasts it elsewhere; whatever it knows is the truth."""

    urls: list[str]
    series: str
    seed: int
    y: list[float] = field(repr=False)
    said: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    """from the write's answer to the forecast's"""
    failure: Exception | None = None
    _before: Floats | None = None
    _tags: dict[str, str] = field(default_factory=dict)

    def run(self, writes: int) -> None:
        """Write and forecast so many times."""
        draw = random.Random(self.seed)
        connections = {url: HTTPConnection(urlsplit(url).netloc, timeout=60) for url in self.urls}
        try:
            for _ in range(writes):
                self._round(draw, connections)
        except Exception as e:  # told by the main thread
            self.failure = e

    def _round(self, draw: random.Random, connections: dict[str, HTTPConnection]) -> None:
        """Change the newest value or add one, forecast through another process, and compare with what it must be."""
        writer, reader = draw.sample(self.urls, 2)
        value = round(draw.uniform(0, 3 * max(self.y[:STEPS])), 3)
        appended = draw.random() < 0.5
        self.y = [*self.y, value] if appended else [*self.y[:-1], value]
        at = stamps(len(self.y))[-1]
        path = f"/series/{quote(self.series, safe='')}/observations"
        self._ask(connections[writer], "POST", path, {"ds": [at], "y": [value]})
        began = time.perf_counter()
        polled = draw.random() < 0.5
        found = self._polled(connections[reader]) if polled else self._posted(connections[reader])
        self.milliseconds.append(1000 * (time.perf_counter() - began))
        expected = self._sent(connections[reader])
        self._judge(found, expected, at, appended=appended)

    def _judge(self, found: dict[str, Any] | None, expected: dict[str, Any], at: str, *, appended: bool) -> None:
        truth = np.array(expected["yhat"])
        if not appended and self._before is not None and difference(self._before, truth) <= 10 * SAME:
            self.said["undecidable"] += 1  # the write did not move the forecast: its absence would not be seen
        else:
            self.said["fresh" if found is not None and same(found, truth, at) else "stale"] += 1
        self._before = truth

    def _posted(self, connection: HTTPConnection) -> dict[str, Any]:
        self.said["POST"] += 1
        body = {"model": MODEL, "series": [self.series]}
        return _one(self._ask(connection, "POST", "/forecast", body))

    def _polled(self, connection: HTTPConnection) -> dict[str, Any] | None:
        """Forecast by GET, with the ETag of the last answer: None where nothing is said to have changed."""
        self.said["GET"] += 1
        path = f"/forecast?model={MODEL}&series={quote(self.series, safe='')}"
        answer = timed(connection, "GET", path, None, self._tags)
        if answer.status == 304:
            return None
        if answer.status != 200:
            raise NotMeasured(f"GET /forecast: {answer.status} {answer.body[:300].decode(errors='replace')}")
        self._tags = {"If-None-Match": answer.headers["etag"]} if "etag" in answer.headers else {}
        return _one(answer.json())

    def _sent(self, connection: HTTPConnection) -> dict[str, Any]:
        """Return the forecast of what the series must hold now."""
        kept = slice(-STEPS, None)
        history = {"ds": stamps(len(self.y))[kept], "y": self.y[kept]}
        return _one(self._ask(connection, "POST", "/forecast", {"model": MODEL, "history": {self.series: history}}))

    def _ask(self, connection: HTTPConnection, method: str, path: str, body: object) -> Any:
        answer = timed(connection, method, path, body, {"Content-Type": "application/json"})
        if answer.status >= 400:
            raise NotMeasured(f"{method} {path}: {answer.status} {answer.body[:300].decode(errors='replace')}")
        return answer.json()


def fresh(setting: Setting) -> Iterator[Row]:
    """Stale answers: the origin or a value is not that of the series as the write left it."""
    with tempfile.TemporaryDirectory() as folder, postgresql() as own:
        service = Service(Path(folder), own.database())
        try:
            callers = _callers(setting, service)
            threads = [threading.Thread(target=one.run, args=(setting.options.writes // CALLERS,)) for one in callers]
            began = time.monotonic()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.monotonic() - began
        finally:
            service.stop()
    for one in callers:
        if one.failure is not None:
            raise one.failure
    said = sum((one.said for one in callers), Counter[str]())
    judged = said["fresh"] + said["stale"]
    taken = [ms for one in callers for ms in one.milliseconds]
    more = {**said, "seconds": seconds, "forecast_p99_ms": float(np.percentile(taken, 99)), "processes": PROCESSES}
    name = f"stale of {judged} forecasts after writes elsewhere"
    yield Row(name, said["stale"], "stale", said["stale"], 0.0, "at most", more=more)


def _callers(setting: Setting, service: Service) -> list[Caller]:
    """Start the processes, publish the model there and store a series a caller."""
    urls = [service.serve(f"api{i}") for i in range(PROCESSES)]
    folder, url = Path(service.environment["GATECAST_DATA_DIR"]), service.environment["GATECAST_DATABASE_URL"]
    copy(*original(setting.place), Settings(data_dir=folder, database_url=url), MODEL)
    callers = []
    for number in range(CALLERS):
        one = Caller(urls, f"own/{number}", number, values(number).tolist())
        service.call("POST", "/series", {"id": one.series, "freq": "h"})
        path = f"/series/{quote(one.series, safe='')}/observations"
        service.call("POST", path, {"ds": stamps(), "y": one.y})
        callers.append(one)
    return callers


def same(found: dict[str, Any], truth: Floats, origin: str) -> bool:
    """Say whether a forecast starts at an origin, a time in UTC, and has the true values."""
    at_origin = np.datetime64(found["origin"][:19]) == np.datetime64(origin[:19])
    return bool(at_origin) and difference(np.array(found["yhat"]), truth) <= SAME


def difference(found: Floats, truth: Floats) -> float:
    """Return the largest difference, in units of the largest true value."""
    return float(np.abs(found - truth).max() / np.abs(truth).max())


def _one(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the only forecast of an answer. Raises NotMeasured for an error."""
    (found,) = answer["forecasts"]
    if found["status"] != "ok" or len(found["yhat"]) != HORIZON:
        raise NotMeasured(f"no forecast: {found}")
    return dict(found)
