"""The database is gone for a while: what can be answered is, the rest says when to come again, and all recovers."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.storage.watchdog import ANSWER_SECONDS, LOOK_SECONDS, WAITING_SECONDS
from tests.e2e.conftest import store
from tests.e2e.processes import ONE_JOB, PATIENCE, Service, until
from tests.e2e.servers import Server, server
from tests.e2e.test_recovery import finished, train

TINY = {"epochs": 1, "steps_per_epoch": 10}
NOTICED_SECONDS = WAITING_SECONDS + ANSWER_SECONDS + 2 * LOOK_SECONDS
SLACK_SECONDS = 3.0
"""for a loaded machine"""


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    with server() as found:
        yield found


@pytest.fixture
def service(own_server: Server, tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, own_server.database(), **ONE_JOB)
    yield service
    own_server.start()
    service.stop()


def ask(service: Service, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and decoded body, errors too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(service.url + path, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), json.loads(e.read())


def forecast(service: Service, *series: str) -> tuple[int, dict[str, str], Any]:
    return ask(service, "POST", "/forecast", {"model": "m", "series": list(series)})


@pytest.mark.slow
def test_the_service_outlives_its_database(service: Service, own_server: Server) -> None:
    service.serve()
    worker = service.worker("w1")
    for name in ("a", "b"):
        store(service, name)
    assert finished(service, train(service, **TINY))["status"] == "succeeded"
    job = train(service, epochs=100_000, steps_per_epoch=20)
    until(lambda: (service.call("GET", job)["progress"]["epoch"] or 0) >= 1, PATIENCE, "the second training runs")
    status, _, fresh = forecast(service, "a")
    assert (status, fresh["forecasts"][0]["stale"]) == (200, False)

    own_server.stop()
    status, _, stale = forecast(service, "a")
    (one,) = stale["forecasts"]
    assert (status, stale["version"], one["stale"]) == (200, 1, True)
    assert {**one, "stale": False} == fresh["forecasts"][0]
    status, _, partly = forecast(service, "a", "b")
    assert [f["status"] for f in partly["forecasts"]] == ["ok", "error"]
    assert partly["forecasts"][1]["error"]["code"] == "database_unavailable"
    for path in ("/series", "/models", job, "/readyz"):
        status, headers, problem = ask(service, "GET", path)
        assert status == 503, path
        assert path == "/readyz" or (int(headers["retry-after"]), problem["code"]) == (2, "database_unavailable")
    assert forecast(service, "b")[0] == 503, "nothing is known of it"
    assert ask(service, "GET", "/livez")[0] == 200

    own_server.start()
    until(lambda: ask(service, "GET", "/readyz")[0] == 200, PATIENCE, "it is ready again")
    until(lambda: not forecast(service, "a")[2]["forecasts"][0]["stale"], 5, "forecasts are fresh again")
    assert worker.poll() is None, service.log("w1")
    epoch = service.call("GET", job)["progress"]["epoch"]
    until(lambda: service.call("GET", job)["progress"]["epoch"] > epoch, PATIENCE, "the training goes on")
    service.call("POST", job + "/cancel")
    assert finished(service, train(service, **TINY))["status"] == "succeeded"


@pytest.mark.slow
def test_a_database_that_never_answers_counts_as_away(service: Service, own_server: Server) -> None:
    """All its processes are halted: connections are accepted, and no statement ends."""
    service.serve()
    worker = service.worker("w1")
    store(service)
    assert finished(service, train(service, **TINY))["status"] == "succeeded"
    job = train(service, epochs=100_000, steps_per_epoch=20)
    until(lambda: (service.call("GET", job)["progress"]["epoch"] or 0) >= 1, PATIENCE, "the second training runs")
    status, _, fresh = forecast(service, "a")
    assert (status, fresh["forecasts"][0]["stale"]) == (200, False)

    with own_server.halted():
        answers = ask_all(service, NOTICED_SECONDS + SLACK_SECONDS)
        assert [status for status, _, _ in answers.values()] == [200, 503, 503, 503]
        (one,) = answers["forecast"][2]["forecasts"]
        assert {**one, "stale": False} == fresh["forecasts"][0]
        assert one["stale"]
        for name in ("write", "read"):
            _, headers, problem = answers[name]
            assert (int(headers["retry-after"]), problem["code"]) == (2, "database_unavailable")
        assert answers.keys() == ask_all(service, SLACK_SECONDS).keys(), "from then on nobody waits for it"
        assert ask(service, "GET", "/livez")[0] == 200

    until(lambda: ask(service, "GET", "/readyz")[0] == 200, PATIENCE, "it is ready again")
    until(lambda: not forecast(service, "a")[2]["forecasts"][0]["stale"], 5, "forecasts are fresh again")
    assert ask(service, "PUT", "/series/b", {"freq": "h"})[0] == 201
    assert worker.poll() is None, service.log("w1")
    epoch = service.call("GET", job)["progress"]["epoch"]
    until(lambda: (service.call("GET", job)["progress"]["epoch"] or 0) > epoch, PATIENCE, "the training goes on")
    service.call("POST", job + "/cancel")
    assert finished(service, train(service, **TINY))["status"] == "succeeded"
    assert "database_silent" in service.log("api")
    assert "database_answers" in service.log("api")


@pytest.mark.slow
def test_a_failover_is_an_outage_of_writing(service: Service, own_server: Server) -> None:
    """The server takes no writes for a while, as one that another has taken the place of, and ends all connections."""
    service.serve()
    worker = service.worker("w1")
    store(service)
    job = train(service, epochs=100_000, steps_per_epoch=20)
    until(lambda: (service.call("GET", job)["progress"]["epoch"] or 0) >= 1, PATIENCE, "the training runs")
    with own_server.demoted():
        until(lambda: ask(service, "PUT", "/series/b", {"freq": "h"})[0] == 503, 10, "writes are refused")
        status, headers, problem = ask(service, "PUT", "/series/b", {"freq": "h"})
        assert (status, problem["code"], headers["retry-after"]) == (503, "database_unavailable", "2")
        assert ask(service, "GET", "/series/a")[0] == 200, "reading goes on"
        until(lambda: "not_written" in service.log("w1"), PATIENCE, "the training has met the outage")
        assert service.call("GET", job)["status"] == "running"
    assert ask(service, "PUT", "/series/b", {"freq": "h"})[0] == 201
    epoch = service.call("GET", job)["progress"]["epoch"]
    until(lambda: (service.call("GET", job)["progress"]["epoch"] or 0) > epoch, PATIENCE, "the training goes on")
    assert worker.poll() is None, service.log("w1")
    service.call("POST", job + "/cancel")
    assert finished(service, train(service, **TINY))["status"] == "succeeded"


def ask_all(service: Service, within: float) -> dict[str, tuple[int, dict[str, str], Any]]:
    """Forecast, write, read and ask for readiness at once; return the answers, each of which came `within` seconds."""
    calls: dict[str, tuple[str, str, object]] = {
        "forecast": ("POST", "/forecast", {"model": "m", "series": ["a"]}),
        "write": ("PUT", "/series/b", {"freq": "h"}),
        "read": ("GET", "/series", None),
        "readyz": ("GET", "/readyz", None),
    }
    answers: dict[str, tuple[int, dict[str, str], Any]] = {}
    took: dict[str, float] = {}

    def call(name: str) -> None:
        began = time.monotonic()
        answers[name] = ask(service, *calls[name])
        took[name] = time.monotonic() - began

    threads = [threading.Thread(target=call, args=(name,)) for name in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: seconds for name, seconds in took.items() if seconds > within} == {}
    return {name: answers[name] for name in calls}
