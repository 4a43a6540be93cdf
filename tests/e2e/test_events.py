"""A training followed from outside: its events, as they come, and its log."""

import json
import time
import urllib.request
from itertools import pairwise
from typing import Any

import pytest

from app.server import GRACE_SECONDS
from tests.e2e.conftest import store
from tests.e2e.processes import Service
from tests.e2e.test_recovery import train

LEAST_SECONDS = 3.0


@pytest.mark.one_database("postgresql")
@pytest.mark.slow
def test_a_training_is_followed_to_its_end(service: Service) -> None:
    service.serve()
    store(service)
    service.worker("w1")
    job = train(service, epochs=30, steps_per_epoch=60, batch_size=64)
    told: list[tuple[float, str, dict[str, Any]]] = []
    kind = ""
    with urllib.request.urlopen(service.url + job + "/events", timeout=120) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream:
            name, _, rest = line.decode().strip().partition(": ")
            if name == "event":
                kind = rest
            elif name == "data":
                told.append((time.monotonic(), kind, json.loads(rest)))
    assert told[-1][1] == "end"
    end = told[-1][2]
    assert (end["status"], end["version"]) == ("succeeded", 1)
    moments = [at for at, kind, data in told if kind == "progress" and data["progress"]["epoch"]]
    assert moments[-1] - moments[0] > LEAST_SECONDS
    gaps = sorted(after - before for before, after in pairwise(moments))
    assert gaps[len(gaps) // 2] <= 1.0  # at least once a second; the machine may pause in between
    fractions = [data["progress"]["fraction"] for _, kind, data in told if kind in ("progress", "end")]
    assert fractions == sorted(fractions)
    lines = [line for _, kind, data in told if kind == "log" for line in data["lines"]]
    assert any("version_published" in line for line in lines)
    with urllib.request.urlopen(service.url + job + "/log", timeout=30) as log:
        assert log.read().decode().splitlines() == lines
    assert "version_published" in service.log("w1")  # the worker's own log has it too


@pytest.mark.one_database
def test_a_listener_does_not_keep_the_service_from_stopping(service: Service) -> None:
    service.serve()
    store(service)
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 24}
    job = service.call("POST", "/train", body)["id"]  # no worker: it stays queued
    with urllib.request.urlopen(f"{service.url}/jobs/{job}/events", timeout=60) as stream:
        assert stream.readline().startswith(b"id: ")
        api = service.process("api")
        api.terminate()
        api.wait(GRACE_SECONDS + 5)
