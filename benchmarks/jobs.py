"""What running trainings as jobs costs and promises: progress, time left, and what a lost or leaving worker loses.

python -m benchmarks.jobs [--epochs 40] [--lease 2] [--only short] [--against FOLDER/bin/gatecast]

Real processes on SQLite: an API, workers, a training on a year of hourly values, and short trainings on 2000 values,
from their claim to the published version. Times are of this machine; the shares are what counts. `--against` is the
command of another release, installed elsewhere, whose short trainings are timed in the same run.
"""

import argparse
import json
import platform
import re
import signal
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tests.e2e.processes import Service, children, until

HOURS = 24 * 365
SHORT_HOURS = 2000
TRIVIAL = {"epochs": 1, "steps_per_epoch": 3}
SECOND_ROUNDS = 2
SETTLE_SECONDS = 20.0
"""after which a worker that has just started has imported what its jobs need"""
SHARE = 0.6
"""of its epochs after which a worker is killed"""


def store(service: Service, series: str = "a", hours: int = HOURS) -> None:
    """Make a series of so many hours, with a daily and a weekly season."""
    t = np.arange(hours)
    y = 20 + 6 * np.sin(2 * np.pi * t / 24) + 2 * np.sin(2 * np.pi * t / 168)
    y += np.random.default_rng(0).normal(0, 1, hours)
    stamps = np.datetime_as_string(np.datetime64("2023-01-01T00:00:00") + t.astype("m8[h]"), unit="s")
    service.call("POST", "/series", {"id": series, "freq": "h"})
    service.call("POST", f"/series/{series}/observations", {"ds": [f"{s}Z" for s in stamps], "y": y.round(3).tolist()})


def short(program: Sequence[str], options: argparse.Namespace) -> dict[str, float]:
    """Return the seconds from claim to published version of trainings on 2000 values, on a service of their own."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), f"sqlite:///{Path(folder) / 'gatecast.db'}")
        service.program = program
        service.environment |= {"GATECAST_LEASE_SECONDS": str(options.lease), "GATECAST_CACHE_DIR": f"{folder}/cache"}
        try:
            assert service.start("migrate", "migrate").wait(60) == 0
            service.serve()
            store(service, "short", SHORT_HOURS)
            service.worker("w1")
            time.sleep(SETTLE_SECONDS)
            rows = {}
            for name, training in {"trivial": TRIVIAL, "default": {}}.items():
                rows[f"{name}_first_s"] = published(service, name, training)
                again = [published(service, name, training) for _ in range(SECOND_ROUNDS)]
                rows[f"{name}_second_s"] = statistics.median(again)
            return rows
        finally:
            service.stop()


def published(service: Service, model: str, training: dict[str, int]) -> float:
    """Train, and return the seconds from the claim to the published version."""
    body = {"model": model, "series": {"ids": ["short"]}, "horizon": 24, "promote": "always", "training": training}
    job = f"/jobs/{service.call('POST', '/train', body)['id']}"
    until(lambda: service.call("GET", job)["status"] not in ("queued", "running"), 900, "the job has ended")
    end = service.call("GET", job)
    assert end["status"] == "succeeded", end
    began, ended = (datetime.fromisoformat(end[name]) for name in ("started_at", "finished_at"))
    seconds = (ended - began).total_seconds()
    print(f"{model}: {seconds:.1f} s", flush=True)
    return seconds


def train(service: Service, epochs: int) -> str:
    """Ask for a training; return the job's path."""
    body = {
        "model": "m",
        "series": {"ids": ["a"]},
        "horizon": 24,
        "promote": "always",
        "training": {"epochs": epochs, "steps_per_epoch": 40},
    }
    return f"/jobs/{service.call('POST', '/train', body)['id']}"


def events_of(service: Service, job: str) -> list[tuple[float, str, dict[str, Any]]]:
    """Follow a job to its end; return (when, kind, data) of its events."""
    found: list[tuple[float, str, dict[str, Any]]] = []
    kind = ""
    with urllib.request.urlopen(service.url + job + "/events", timeout=900) as stream:
        for line in stream:
            text = line.decode().strip()
            if text.startswith("event:"):
                kind = text[6:].strip()
            elif text.startswith("data:"):
                found.append((time.monotonic(), kind, json.loads(text[5:])))
                if kind == "end":
                    break
    return found


def progress(service: Service, epochs: int) -> dict[str, float]:
    """Return how often progress is told while a job trains, and how true its time left is at half time."""
    events = events_of(service, train(service, epochs))
    told = [(at, data["progress"]) for at, kind, data in events if kind == "progress" and data["progress"]["epoch"]]
    first, end = told[0][0], events[-1][0]
    gaps = np.diff([one[0] for one in told])
    return {
        "training_s": end - first,
        "events_a_second": len(told) / (told[-1][0] - first),
        "longest_gap_s": float(gaps.max()),
        **{f"eta_over_truth_at_{part}": _eta(told, first + part / 100 * (end - first), end) for part in (25, 50, 75)},
    }


def _eta(told: list[tuple[float, dict[str, Any]]], moment: float, end: float) -> float:
    """Return the time left that was told at a moment, over what was left in truth."""
    at, progress = min(told, key=lambda one: abs(one[0] - moment))
    return float(progress["eta_s"]) / (end - at)


def killed(service: Service, epochs: int) -> dict[str, float]:
    """Return what a job loses whose worker is killed at 60 % of its epochs, and how soon another one takes it."""
    workers = {name: service.process(name) for name in ("w1", "w2")}
    job = train(service, epochs)

    def trained() -> bool:
        told = service.call("GET", job)["progress"]
        return bool(told["epoch"]) and told["epoch"] >= SHARE * told["epochs"]

    until(trained, 600, "60 % are trained")
    victim = next(process for process in workers.values() if children(process))
    victim.send_signal(signal.SIGKILL)
    began = time.monotonic()
    victim.wait()
    told = service.call("GET", job)["progress"]
    reached, total = told["epoch"], told["epochs"]
    until(lambda: service.call("GET", job)["attempt"] == 2, 120, "another worker has taken the job")
    taken = time.monotonic() - began
    until(lambda: service.call("GET", job)["status"] == "succeeded", 600, "the job has succeeded")
    (resumed,) = re.findall(r"training_continued .*epoch=(\d+)", service.log("w1") + service.log("w2"))
    lost = max(0, reached - int(resumed))  # its process may have gone on for a moment
    return {"taken_over_s": taken, "epochs_repeated": lost, "epochs_over_uninterrupted": 1 + lost / total}


def switched(service: Service) -> dict[str, float]:
    """Return how long forecasts come from the old champion after another one was promoted, and how many fail."""
    versions: list[tuple[float, int]] = []
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                told = service.call("POST", "/forecast", {"model": "m", "series": ["a"]})
                versions.append((time.monotonic(), told["version"]))
            except AssertionError as e:
                failures.append(str(e))

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: versions, 30, "forecasts come")
    other = 1 if versions[-1][1] != 1 else 2
    service.call("PUT", "/models/m/champion", {"version": other})
    promoted = time.monotonic()
    until(lambda: versions[-1][1] == other, 30, "forecasts are the new champion's")
    stop.set()
    thread.join()
    first = next(at for at, number in versions if number == other)
    return {"switched_s": max(0.0, first - promoted), "failed": len(failures), "forecasts": len(versions)}


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40, help="of each of the two phases")
    parser.add_argument("--lease", type=float, default=2.0, help="seconds")
    parser.add_argument("--only", choices=("short",), help="time the short trainings alone")
    parser.add_argument("--against", metavar="GATECAST", help="the `gatecast` command of another release")
    options = parser.parse_args()
    rows = {} if options.only else long(options)
    rows |= short(Service.program, options)
    others = short([options.against], options) if options.against else {}
    for name, value in rows.items():
        beside = f"{others[name]:10.3f}{others[name] / value:8.1f} times" if name in others else ""
        print(f"{name:28s} {value:10.3f}{beside}")
    about = {"python": platform.python_version(), **{name: version(name) for name in ("torch", "dbos", "sqlalchemy")}}
    told = {"benchmark": "jobs", "epochs": options.epochs, "lease_s": options.lease, **rows, "against": others, **about}
    print(json.dumps(told))


def long(options: argparse.Namespace) -> dict[str, float]:
    """Return what long trainings show: their progress, what a killed worker loses, and a change of champions."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'gatecast.db'}"
        service = Service(Path(folder), url, GATECAST_LEASE_SECONDS=str(options.lease))
        try:
            assert service.start("migrate", "migrate").wait(60) == 0
            service.serve()
            store(service)
            service.worker("w1")
            rows = progress(service, options.epochs)
            service.worker("w2")
            return rows | killed(service, options.epochs) | switched(service)
        finally:
            service.stop()


if __name__ == "__main__":
    main()
