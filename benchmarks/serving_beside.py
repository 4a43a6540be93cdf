"""Row of benchmarks.serving: forecasts while a training runs on the same two cores."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

import psutil

from benchmarks.serving_data import HORIZON, TRAINED, name_of
from benchmarks.serving_load import Figures, Load, middle
from benchmarks.serving_report import Row, Setting, told
from benchmarks.serving_servers import NotMeasured, Place, Server, cores, running, until
from benchmarks.serving_speed import CACHE_OFF, WARM_SECONDS, checked, posts

SHARE = 0.5
"""of the top rate without a training"""
CONNECTIONS = 16


def beside(setting: Setting) -> Iterator[Row]:
    """The 99th percentile of forecasts at half of the top rate, with and without a training, in turn."""
    place, both = setting.place, ",".join(cores())
    load = Load(place.headers, CONNECTIONS, both)
    worker = [sys.executable, "-m", "app", "worker"]
    with place.gatecast(core=both, **CACHE_OFF) as server:
        checked(place, server)
        load.run(server, posts(), WARM_SECONDS)
        top = load.run(server, posts(), setting.options.seconds).rate
        pause = load.pause_for(server, posts(), SHARE * top)
        alone: list[Figures] = []
        together: list[Figures] = []
        shares: list[float] = []
        with running("worker", worker, both, place.folder, place.environment, port=None) as trainer:
            for _ in range(setting.options.rounds):
                alone.append(load.run(server, posts(), setting.options.seconds, pause))
                with training(place, server, trainer) as computed:
                    began = computed()
                    together.append(load.run(server, posts(), setting.options.seconds, pause))
                    shares.append((computed() - began) / together[-1].seconds)
    more = {
        "top_rate": top,
        "p50_ratio": median(a.p50_ms / b.p50_ms for a, b in zip(together, alone, strict=True)),
        "cores_of_the_training": shares,
        "with": told(_shared(together)),
        "without": told(_shared(alone)),
    }
    yield Row(
        f"p99 while a training runs, {CONNECTIONS} connections",
        middle(together, "p99_ms"),
        "ms",
        median(a.p99_ms / b.p99_ms for a, b in zip(together, alone, strict=True)),
        2.0,
        "at most",
        middle(alone, "p99_ms"),
        "p99 without one, both at half of the top rate",
        more,
    )


@contextmanager
def training(place: Place, server: Server, worker: Server) -> Iterator[Callable[[], float]]:
    """Train for as long as the block takes; it begins when epochs are trained. Yields what tells the training's
    seconds of processor time so far."""
    request = {
        "model": "long",
        "series": {"ids": [name_of(i) for i in range(TRAINED)]},
        "horizon": HORIZON,
        "training": {"epochs": 10_000},
        "promote": "never",
    }
    path = f"/jobs/{place.call(server, 'POST', '/train', request)['id']}"
    until(lambda: (place.call(server, "GET", path)["progress"] or {}).get("epoch"), 120, "the training runs")
    yield lambda: processor_seconds(worker)
    if (status := place.call(server, "GET", path)["status"]) != "running":
        raise NotMeasured(f"the training did not run to the end: {status}")
    place.call(server, "POST", f"{path}/cancel")
    ended = {"cancelled", "failed", "succeeded"}
    until(lambda: place.call(server, "GET", path)["status"] in ended, 120, "the training ends")


def processor_seconds(worker: Server) -> float:
    """Return the seconds that the children of a worker have computed."""
    times = [one.cpu_times() for one in psutil.Process(worker.process.pid).children(recursive=True)]
    return float(sum(one.user + one.system for one in times))


def _shared(rounds: list[Figures]) -> list[Figures]:
    """Return rounds without the share of others: here load and training are meant to be on the server's cores."""
    return [replace(one, foreign=0.0) for one in rounds]
