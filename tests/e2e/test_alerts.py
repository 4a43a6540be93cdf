"""Alerts and a watch end to end: a receiver fails twice and a worker is killed, and each change arrives once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import N, seasonal, stamps, store
from tests.e2e.processes import ONE_JOB, PATIENCE, Service, until
from tests.e2e.test_recovery import finished
from tests.e2e.test_schedules import scheduled
from tests.services.alerts.receiver import Receiver, receiving

QUICK = {"network": {"hidden": 8, "basis": False}, "training": {"epochs": 1, "steps_per_epoch": 5}}


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, database_url, GATECAST_WEBHOOK_PRIVATE="allow", **ONE_JOB)
    yield service
    service.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.mark.slow
def test_a_crossing_is_told_once_although_receiver_and_worker_fail(service: Service, receiver: Receiver) -> None:
    service.serve()
    worker = service.worker("w1")
    store(service, "a")
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 6, "promote": "always", **QUICK}
    assert finished(service, f"/jobs/{service.call('POST', '/train', body)['id']}")["status"] == "succeeded"
    service.call("PUT", "/models/m/schedule", {"forecast": "0 0 1 1 *"})
    when = {"quantile": 0.5, "above": 60.0, "within": "6h"}
    send = [{"webhook": receiver.url, "secret": "s"}]
    service.call("PUT", "/alerts/high", {"on": "forecast", "model": "m", "when": when, "send": send})
    assert scheduled(service, "forecast", "forecast")["status"] == "succeeded"
    assert service.call("GET", "/alerts/high/events")["items"] == [], "the series is about 20"

    receiver.statuses = [500, 503]
    level = [round(value + 100.0, 3) for value in seasonal(2 * N)[N:]]
    service.call("POST", "/series/a/observations", {"ds": stamps(2 * N)[N:], "y": level})
    assert scheduled(service, "forecast", "forecast")["status"] == "succeeded"
    until(lambda: receiver.messages, PATIENCE, "the first message came")
    worker.send_signal(signal.SIGKILL)
    service.worker("w2")
    until(lambda: receiver.taken, PATIENCE, "another worker has told it")
    assert service.call("GET", "/alerts/high")["state"] == "firing"

    calm = [round(value, 3) for value in seasonal(3 * N)[2 * N :]]
    service.call("POST", "/series/a/observations", {"ds": stamps(3 * N)[2 * N :], "y": calm})
    assert scheduled(service, "forecast", "forecast")["status"] == "succeeded"
    until(lambda: len(receiver.taken) > 1, PATIENCE, "it is resolved")
    events = until(
        lambda: [e for e in service.call("GET", "/alerts/high/events")["items"] if e["delivered"]][1:], 30, "noted"
    )
    assert [(body["state"], body["series"]) for body in receiver.taken] == [("firing", "a"), ("resolved", "a")]
    assert [message.status for message in receiver.messages][:3] == [500, 503, 204]
    assert len({message.headers["X-Gatecast-Delivery"] for message in receiver.messages[:3]}) == 1
    assert events[0]["attempts"] >= 3

    service.call("PUT", "/models/m/watch", {"level": 0.999})
    spike = [round(value, 3) for value in seasonal(3 * N + 3)[3 * N :]]
    spike[2] += 500.0
    service.call("POST", "/series/a/observations", {"ds": stamps(3 * N + 3)[3 * N :], "y": spike})
    (alarm,) = until(lambda: service.call("GET", "/models/m/watch/alarms")["items"], PATIENCE, "the value is scanned")
    assert (alarm["series"], alarm["y"]) == ("a", spike[2])
