"""Schedules at work: retraining by the clock, promotion of what is better alone, and no forecast that fails."""

import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from app.config import Settings
from app.storage.clock import now_us
from app.storage.engine import Database
from app.storage.tables import JobRow, Schedule
from tests.e2e.conftest import stamps
from tests.e2e.processes import PATIENCE, Service, until
from tests.e2e.test_recovery import finished

N = 400
GOOD = {"network": {"hidden": 16}, "training": {"epochs": 6, "steps_per_epoch": 30}}
BAD = {"network": {"hidden": 4, "basis": False}, "training": {"epochs": 1, "steps_per_epoch": 1}}


def values(n: int) -> list[float]:
    """Return hourly values of which a trend and noise make season-naive a modest floor."""
    t = np.arange(n)
    noise = np.random.default_rng(3).normal(0, 1.0, n)
    return [round(float(v), 3) for v in 50 + 10 * np.sin(2 * np.pi * t / 24) + 0.05 * t + noise]


def due_now(service: Service, part: str) -> None:
    """Move the due time of every schedule to the present, as if the clock had come so far."""
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with database.write() as session:
        session.execute(update(Schedule).values({f"{part}_at": now_us()}))
    database.dispose()


def asked_for(service: Service, job_id: str, options: dict[str, Any]) -> None:
    """Change what a training was asked for, which a retraining repeats while its version is the champion."""
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with database.write() as session:
        row = session.get_one(JobRow, job_id)
        row.request = {**row.request, **options}
    database.dispose()


def scheduled(service: Service, part: str, kind: str) -> dict[str, Any]:
    """Let a part of the schedule become due; return the job that it starts, as it ended."""
    before = {job["id"] for job in service.call("GET", f"/jobs?kind={kind}")["items"]}
    due_now(service, part)

    def started() -> str | None:
        found = service.call("GET", f"/jobs?kind={kind}")["items"]
        return next((job["id"] for job in found if job["id"] not in before), None)

    job: dict[str, Any] = finished(service, f"/jobs/{until(started, PATIENCE, 'the schedule has started a job')}")
    assert job["started_by"] == "schedule"
    return job


PAUSE_SECONDS = 0.02
"""between two forecasts: the trainings beside them need the processor"""


class Client:
    """A client that asks for forecasts all the time."""

    def __init__(self, service: Service) -> None:
        self.versions: list[int] = []
        self.failures: list[str] = []
        self._service, self._stop = service, threading.Event()
        self._thread = threading.Thread(target=self._loop)

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _loop(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            try:
                told = self._service.call("POST", "/forecast", {"model": "m", "series": ["a"]})
                assert told["forecasts"][0]["status"] == "ok", told
                self.versions.append(told["version"])
            except AssertionError as e:
                self.failures.append(str(e))


@pytest.mark.slow
@pytest.mark.one_database("postgresql")
def test_a_retraining_goes_live_only_where_it_is_better(service: Service) -> None:
    service.serve()
    service.worker("w1", GATECAST_PRELOAD="true")
    service.call("POST", "/series", {"id": "a", "freq": "h"})
    service.call("POST", "/series/a/observations", {"ds": stamps(N), "y": values(N)})
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 6, "promote": "always", **GOOD}
    first = service.call("POST", "/train", body)
    assert finished(service, f"/jobs/{first['id']}")["status"] == "succeeded"
    service.call("PUT", "/models/m/schedule", {"train": "0 0 1 1 *", "forecast": "0 0 1 1 *"})
    with Client(service) as client:
        until(lambda: client.versions, 10, "forecasts come")
        asked_for(service, first["id"], BAD)
        worse = scheduled(service, "train", "train")
        told = service.call("GET", f"/models/m/versions/{worse['version']}")
        assert (worse["status"], told["promoted"]) == ("succeeded", False), told["reason"]
        assert "not ahead of" in told["reason"]
        assert service.call("GET", "/models/m")["champion"] == 1

        service.call("PUT", "/models/m/champion", {"version": 2})
        asked_for(service, worse["id"], GOOD)
        better = scheduled(service, "train", "train")
        told = service.call("GET", f"/models/m/versions/{better['version']}")
        assert told["promoted"], told["reason"]
        assert "and of the champion" in told["reason"]
        until(lambda: client.versions[-1] == 3, 2, "forecasts are the new champion's")
    assert client.failures == []
    assert list(dict.fromkeys(client.versions)) == [1, 2, 3], "each forecast belongs to one version, in their order"

    archived = scheduled(service, "forecast", "forecast")
    assert (archived["status"], archived["version"]) == ("succeeded", 3)
    (kept,) = service.call("GET", "/models/m/archive")["items"]
    assert (kept["series_id"], kept["version"], len(kept["yhat"])) == ("a", 3, 6)
    assert service.call("GET", "/models/m/skill")["overall"]["n"] == 0, "nothing has come true yet"
    service.call("POST", "/series/a/observations", {"ds": stamps(N + 4)[N:], "y": values(N + 4)[N:]})
    skill = service.call("GET", "/models/m/skill")
    assert (skill["overall"]["n"], [row["step"] for row in skill["by_step"]]) == (4, [1, 2, 3, 4])
    error = np.abs(np.array(values(N + 4)[N:]) - np.array(kept["yhat"][:4]))
    assert skill["overall"]["model"]["mae"] == pytest.approx(float(error.mean()), rel=1e-9)


@pytest.mark.slow
@pytest.mark.one_database("postgresql")
def test_workers_together_start_each_schedule_once(service: Service) -> None:
    service.serve()
    for name in ("w1", "w2", "w3"):
        service.worker(name)
    service.call("POST", "/series", {"id": "a", "freq": "h"})
    service.call("POST", "/series/a/observations", {"ds": stamps(60), "y": values(60)})
    quick = {"network": {"hidden": 8, "basis": False}, "training": {"epochs": 1, "steps_per_epoch": 5}}
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 6, "promote": "always", **quick}
    first = service.call("POST", "/train", body)
    assert finished(service, f"/jobs/{first['id']}")["status"] == "succeeded"
    service.call("PUT", "/models/m/schedule", {"forecast": "0 0 1 1 *"})
    for _ in range(3):
        scheduled(service, "forecast", "forecast")
    found = service.call("GET", "/jobs?kind=forecast")["items"]
    assert Counter(job["status"] for job in found) == {"succeeded": 3}
