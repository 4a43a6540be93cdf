"""Four API processes import and forecast while a job runs, on one SQLite file: nothing is locked, nothing is lost."""

import threading
from typing import Any

import pytest

from app.config import Settings
from app.storage.engine import Database
from tests.e2e.conftest import seasonal, stamps, store
from tests.e2e.processes import PATIENCE, Service, children, until
from tests.trained import Trained, publish

ROUNDS, ROWS = 30, 10


@pytest.mark.slow
@pytest.mark.one_database
def test_many_processes_on_sqlite(service: Service, settings: Settings, trained: Trained) -> None:
    settings = settings.model_copy(update={"data_dir": service.folder / "data"})
    database = Database(settings.database)
    publish(database, settings, trained, "ready")
    database.dispose()
    urls = [service.serve(f"api{i}") for i in range(4)]
    store(service)
    worker = service.worker("worker")
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 24, "training": {"epochs": 100_000}}
    job = service.call("POST", "/train", body)["id"]
    until(lambda: children(worker), PATIENCE, "the job runs")
    failures: list[str] = []

    def work(i: int) -> None:
        try:
            write_and_forecast(service, urls[i], f"s{i}")
        except Exception as e:
            failures.append(repr(e))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for i in range(4):
        assert service.call("GET", f"/series/s{i}")["count"] == ROUNDS * ROWS
    shared = service.call("GET", "/series/shared")
    assert (shared["count"], shared["version"] - 1) == (ROUNDS, 4 * ROUNDS), "every write counted the version up"
    assert service.call("GET", f"/jobs/{job}")["status"] == "running"
    service.call("POST", f"/jobs/{job}/cancel")
    logs = "".join(service.log(f"api{i}") for i in range(4)) + service.log("worker")
    assert "locked" not in logs
    assert "Traceback" not in "".join(service.log(f"api{i}") for i in range(4))


def write_and_forecast(service: Service, url: str, own: str) -> None:
    """Write to a series of one's own and to one of all, and forecast the newest value each time."""

    def call(method: str, path: str, body: object) -> Any:
        return service.call(method, path, body, url=url)

    ds, y = stamps(ROUNDS * ROWS), seasonal(ROUNDS * ROWS)
    call("PUT", f"/series/{own}", {"freq": "h"})
    call("PUT", "/series/shared", {"freq": "h"}) if own == "s0" else None
    until(lambda: service.call("GET", "/series?prefix=shared")["items"], 10, "the shared series exists")
    for n in range(ROUNDS):
        part = slice(n * ROWS, (n + 1) * ROWS)
        found = call("POST", f"/series/{own}/observations", {"ds": ds[part], "y": y[part]})
        assert found["inserted"] == ROWS
        call("POST", "/series/shared/observations", {"ds": [ds[n]], "y": [y[n]]})
        (forecast,) = call("POST", "/forecast", {"model": "ready", "series": [own]})["forecasts"]
        assert forecast["origin"] == ds[part][-1]
