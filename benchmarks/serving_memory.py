"""Rows of benchmarks.serving: memory with 200 models and ten thousand hot series, and whether it grows."""

import json
import shutil
from collections.abc import Iterator

import numpy as np
import psutil

from app.config import Settings
from benchmarks.serving_data import LSTM, MANY, MODEL, body, copy, original
from benchmarks.serving_load import Load, Request
from benchmarks.serving_report import Row, Setting
from benchmarks.serving_servers import NotMeasured, Place, Server

MODELS = 200
MEGABYTE = 1e6
LIMIT_MB, GROWTH_MB = 1000.0, 10.0
SLICES = 20
FIRST_SECONDS = 5.0
SETTLED = 0.2
"""share of the requests before growth is counted"""


def memory(setting: Setting) -> Iterator[Row]:
    """Resident megabytes, and those that more and more requests add, with models of one LSTM, which the cache holds
    all of; and with as many of what the service chooses, which it does not."""
    place, names = copies(setting.place, MODEL)
    with place.gatecast() as server:
        heat(place, server, names)
        hot = resident(server)
        told = cached(place, server)
    yield Row("200 ensembles, 10 000 hot series: RSS", hot, "MB", hot, LIMIT_MB, "at most", more={**told})
    place, names = copies(setting.place, LSTM)
    with place.gatecast() as server:
        heat(place, server, names)
        hot = resident(server)
        told = cached(place, server)
        if told["gatecast_model_cache_versions"] < MODELS:
            raise NotMeasured(f"not all of {MODELS} models are in memory: {told}")
        requests = [Request("/forecast", json.dumps(body(i, model=names[i % MODELS]))) for i in range(MANY)]
        counts, sizes = grow(Load(place.headers, setting.options.connections[0]), server, requests, setting)
    more = {"hot_mb": hot, "requests": counts, "resident_mb": sizes, **told}
    worst = max(hot, *sizes)
    yield Row("200 LSTMs, 10 000 hot series: RSS", worst, "MB", worst, LIMIT_MB, "at most", more=more)
    settled = [i for i, count in enumerate(counts) if count >= SETTLED * counts[-1]]
    late = [counts[i] for i in settled], [sizes[i] for i in settled]
    slope = float(np.polyfit(*late, 1)[0]) * 1e6 if len(settled) > 1 else float("nan")
    growth = sizes[-1] - sizes[settled[0]]
    name = f"growth of RSS over {counts[-1] - counts[settled[0]]} requests"
    yield Row(name, growth, "MB", growth, GROWTH_MB, "at most", more={"mb_a_million": slope})


def copies(place: Place, model: str) -> tuple[Place, list[str]]:
    """Return a place of the same series with as many copies of a model as are measured, made anew, and their names."""
    names = [f"{model}-{i}" for i in range(MODELS)]
    own = Place(place.folder / "memory")
    shutil.rmtree(own.folder, ignore_errors=True)
    shutil.copytree(place.folder, own.folder, ignore=shutil.ignore_patterns(own.folder.name))
    copy(*original(own, model), Settings(data_dir=own.folder), *names)
    return own, names


def cached(place: Place, server: Server) -> dict[str, float]:
    """Return what the process tells of its caches."""
    lines = place.ask(server, "GET", "/metrics").body.decode().splitlines()
    told = (line.split() for line in lines if line.startswith(("gatecast_model_cache_", "gatecast_context_cache_")))
    return {name: float(value) for name, value in told}


def heat(place: Place, server: Server, names: list[str]) -> None:
    """Forecast every series by the model that is asked for it later, and every one by one model."""
    for at, name in enumerate(names):
        place.call(server, "POST", "/forecast", body(*range(at, MANY, MODELS), model=name))
    place.call(server, "POST", "/forecast", body(*range(MANY)))


def grow(load: Load, server: Server, requests: list[Request], setting: Setting) -> tuple[list[int], list[float]]:
    """Send so many requests in slices; return how many were sent and how much is resident after each slice."""
    counts, sizes, sent, seconds = [0], [resident(server)], 0, FIRST_SECONDS
    while sent < setting.options.requests:
        at = sent % len(requests)  # each slice goes on where the last one ended
        found = load.run(server, requests[at:] + requests[:at], seconds)
        sent += found.requests
        seconds = max(FIRST_SECONDS, setting.options.requests / SLICES / found.rate)
        counts.append(sent)
        sizes.append(resident(server))
    return counts, sizes


def resident(server: Server) -> float:
    """Return the resident megabytes of a server and its children."""
    process = psutil.Process(server.process.pid)
    return float(sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / MEGABYTE)
