"""Forecasts that come too late, and too many at a time."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.storage.engine import Database
from models.classical.statistical_models import season_naive
from tests.services.held import Call, forecasts_of, held, until
from tests.services.stored import store
from tests.trained import HORIZON, Trained, publish, values

pytestmark = pytest.mark.one_database


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    store(client, "a", values())
    ask(client)
    return client


def ask(client: TestClient, deadline: str | None = None, series: tuple[str, ...] = ("a",), **more: Any) -> Any:
    headers = {} if deadline is None else {"x-deadline-ms": deadline}
    return client.post("/forecast", json={"model": "m", "series": series, **more}, headers=headers)


def got(client: TestClient, deadline: str | None = None, **more: Any) -> Any:
    headers = {} if deadline is None else {"x-deadline-ms": deadline}
    return client.get("/forecast", params={"model": "m", "series": "a", **more}, headers=headers)


def late(client: TestClient, call: Any) -> Any:
    """Make a call whose deadline of a millisecond passes while it waits."""
    with held(client):
        waiting = Call(call)
        until(lambda: forecasts_of(client).waiting == 1)
        since = time.perf_counter()
        until(lambda: time.perf_counter() > since + 0.002)
    return waiting.result()


@pytest.mark.parametrize("value", ["0", "-1", "+1", "1.5", "soon", "1e3", "3600001", "9" * 40, "5, 5", "\u0661"])
def test_bad_deadlines(served: TestClient, value: str) -> None:
    headers = {"x-deadline-ms": value.encode()}
    for response in (
        served.post("/forecast", json={"model": "m", "series": ["a"]}, headers=headers),
        served.get("/forecast", params={"model": "m", "series": "a"}, headers=headers),
    ):
        assert (response.status_code, response.json()["code"]) == (422, "invalid_input")
        assert response.json()["errors"][0]["field"] == "header.x-deadline-ms"


@pytest.mark.parametrize("value", ["60000", "3600000"])
def test_a_deadline_that_is_far_changes_nothing(served: TestClient, value: str) -> None:
    assert ask(served, value).json() == ask(served).json()


def test_a_deadline_that_has_passed(served: TestClient) -> None:
    response = late(served, lambda: ask(served, "1", horizon=3))
    assert (response.status_code, response.json()["code"]) == (503, "deadline_exceeded")
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/problem+json"
    assert ask(served, horizon=3).status_code == 200


def test_the_floor_answers_what_is_late(served: TestClient) -> None:
    response = late(served, lambda: ask(served, "1", on_missing="season_naive"))
    assert response.status_code == 200
    (found,) = response.json()["forecasts"]
    assert (found["status"], found["fallback"], found["warnings"]) == ("ok", True, ["deadline_exceeded"])
    np.testing.assert_allclose(found["yhat"], season_naive(values(), HORIZON, 24))


def test_what_the_floor_answered_is_not_remembered(served: TestClient) -> None:
    """The next who asks has time, and is answered by the network; nobody is told that the floor's answer holds."""
    first = late(served, lambda: got(served, "1", on_missing="season_naive"))
    assert first.json()["forecasts"][0]["fallback"] is True
    second = got(served, on_missing="season_naive")
    assert second.json()["forecasts"][0]["fallback"] is False
    if "etag" in first.headers:
        assert first.headers["etag"] != second.headers["etag"]


def test_what_the_floor_answered_is_not_recent(served: TestClient) -> None:
    late(served, lambda: got(served, "1", on_missing="season_naive", max_age=60))
    assert got(served, on_missing="season_naive", max_age=60).json()["forecasts"][0]["fallback"] is False


@pytest.fixture
def narrow(served: TestClient, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"max_waiting_requests": 1}))) as client:
        assert ask(client).status_code == 200
        yield client


def test_more_than_may_wait_are_told_to_come_again(narrow: TestClient) -> None:
    with held(narrow):
        waiting = Call(lambda: ask(narrow, horizon=3))
        until(lambda: forecasts_of(narrow).waiting == 1)
        for response in (ask(narrow), got(narrow), ask(narrow, series=("a",) * 100)):
            assert (response.status_code, response.json()["code"]) == (503, "overloaded")
            assert response.headers["retry-after"] == "1"
        assert narrow.get("/livez").status_code == 200
    assert waiting.result().status_code == 200
    assert forecasts_of(narrow).waiting == 0
    assert ask(narrow).status_code == 200


def test_refused_requests_do_not_count(narrow: TestClient) -> None:
    for _ in range(3):
        assert ask(narrow, model="none").status_code == 404
        assert ask(narrow, series=()).status_code == 422
        assert ask(narrow, series=("a",) * 10_001).status_code == 422
    assert forecasts_of(narrow).waiting == 0
    assert ask(narrow).status_code == 200
