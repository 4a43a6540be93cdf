"""Rows of benchmarks.serving: from a process's start to its first forecast, and a model's first forecast of all."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from statistics import median

from app.config import Settings
from benchmarks.serving_data import MODEL, body, copy, has, original
from benchmarks.serving_report import Row, Setting
from benchmarks.serving_servers import NotMeasured, Place, timed

STARTS, MODELS = 5, 10


def start(setting: Setting) -> Iterator[Row]:
    """Time to the first forecast. Files are in the operating system's cache, as after an upgrade."""
    place = setting.place
    started, loads = [_started(place) for _ in range(STARTS)], _first_forecasts(place)
    yield _row(f"start to first forecast, median of {STARTS}", "s", median(started), 3.0, started)
    yield _row("the same, slowest", "s", max(started), None, started)
    yield _row(f"first forecast of a model, median of {MODELS}", "ms", median(loads), 100.0, loads)
    yield _row("the same, slowest", "ms", max(loads), None, loads)


def _row(name: str, unit: str, figure: float, target: float | None, all_of_them: list[float]) -> Row:
    return Row(name, figure, unit, figure, target, "at most", more={"all": all_of_them})


def _started(place: Place) -> float:
    """Return the seconds from a process's start to the answer of its first forecast."""
    began = time.perf_counter()
    with place.gatecast() as server:
        place.call(server, "POST", "/forecast", body(0))
        return time.perf_counter() - began


def _first_forecasts(place: Place) -> list[float]:
    """Return the milliseconds of each model's first forecast, of a version that no start loads: it is no champion."""
    names = [f"cold-{i}" for i in range(MODELS)]
    if not has(place, names[-1]):
        copy(*original(place), Settings(data_dir=place.folder), *names, versions=2)
    taken = []
    with place.gatecast() as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for name in [MODEL, MODEL, *(f"{name}@1" for name in names)]:  # the first ones warm all but the model up
            answer = timed(connection, "POST", "/forecast", body(0, model=name), place.headers)
            if answer.status != 200 or answer.json()["forecasts"][0]["status"] != "ok":
                raise NotMeasured(f"{name}: {answer.status} {answer.body[:300].decode(errors='replace')}")
            taken.append(1000 * answer.seconds)
        connection.close()
    return taken[2:]
