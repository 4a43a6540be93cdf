"""/train with covariates, holidays and bounds over HTTP; a job is run as the worker's child would."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.storage.engine import Database
from tests.services.stored import run, store, store_beside
from tests.trained import HORIZON, beside, values

pytestmark = pytest.mark.training

QUICK = {
    "network": {"hidden": 8, "linear": True, "ets": False, "anchor": 0.0, "smoothing": 0},
    "training": {"epochs": 1, "steps_per_epoch": 5},
}
"""of a training that takes a second, and of a graph that is traced in a few"""
ROLES = {"known_future": ["temp", "day"], "past": ["flow"], "static": ["size", "kind"]}


@pytest.fixture
def stored(client: TestClient) -> TestClient:
    store_beside(client, "a")
    store_beside(client, "b", seed=1)
    return client


def ask(client: TestClient, **more: object) -> Any:
    body = {"model": "m", "series": {"ids": ["a", "b"]}, "horizon": HORIZON, "promote": "always", **QUICK, **more}
    return client.post("/train", json=body)


def train(client: TestClient, database: Database, settings: Settings, **more: object) -> Any:
    """Train, and return the job as it ended."""
    return run(client, database, settings, ask(client, **more))


@pytest.mark.one_database
def test_a_version_with_everything(stored: TestClient, database: Database, settings: Settings) -> None:
    job = train(stored, database, settings, covariates=ROLES, country="DE-BY", bounds={"min": 0, "max": 70})
    assert (job["status"], job["error"], job["version"]) == ("succeeded", None, 1)
    config = stored.get("/models/m/versions/1").json()["config"]
    assert {role: config["covariates"][role] for role in ROLES} == ROLES
    assert config["covariates"]["levels"] == {"day": ["free", "work"], "kind": ["dock", "hall"]}
    assert (config["country"], config["bounds"]) == ("DE-BY", [0, 70])
    body: dict[str, Any] = {"model": "m", "series": ["a", "b"]}
    before = stored.post("/forecast", json=body).json()["forecasts"]
    assert [(f["status"], f["warnings"]) for f in before] == [("ok", []), ("ok", [])]
    warm = {"a": {"temp": [t + 5 for t in beside(400 + HORIZON)["temp"][400:]]}}
    after = stored.post("/forecast", json={**body, "future": warm}).json()["forecasts"]
    assert (np.array(after[0]["yhat"]) > before[0]["yhat"]).all()
    assert after[1] == before[1]


@pytest.mark.one_database
@pytest.mark.slow
def test_a_later_version_may_read_others(stored: TestClient, database: Database, settings: Settings) -> None:
    assert train(stored, database, settings, covariates={"known_future": ["temp"]})["version"] == 1
    assert train(stored, database, settings)["version"] == 2
    store(stored, "plain", values())
    for name, status in (("m@1", "error"), ("m@2", "ok")):
        answer = stored.post("/forecast", json={"model": name, "series": ["plain"]}).json()
        assert answer["forecasts"][0]["status"] == status


def test_what_only_the_data_show_fails_the_job(stored: TestClient, database: Database, settings: Settings) -> None:
    store(stored, "plain", values())
    job = train(stored, database, settings, series={"ids": ["plain"]}, covariates={"past": ["temp"]})
    assert (job["status"], job["error"]["code"]) == ("failed", "invalid_input")
    assert job["error"]["detail"] == "covariates.temp: no series has it; add its values, or leave it out"
    stored.put("/series/b", json={"freq": "h", "static": {"size": "big"}})
    job = train(stored, database, settings, covariates={"static": ["size"]})
    assert (job["status"], job["error"]["code"]) == ("failed", "invalid_input")
    assert "numeric in some series and text in others" in job["error"]["detail"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"covariates": {"known_future": ["temp", "wind"]}}, "covariate_not_found", "body.covariates.known_future.1"),
        ({"covariates": {"past": ["size"]}}, "covariate_not_found", "body.covariates.past.0"),
        ({"covariates": {"static": ["temp"]}}, "covariate_not_found", "body.covariates.static.0"),
        ({"covariates": {"known_future": ["temp"], "past": ["temp"]}}, "invalid_input", "body.covariates"),
        ({"covariates": {"known_future": ["temp", "temp"]}}, "invalid_input", "body.covariates"),
        ({"covariates": {"future": ["temp"]}}, "invalid_input", "body.covariates.future"),
        ({"covariates": ["temp"]}, "invalid_input", "body.covariates"),
        ({"covariates": {"past": [""]}}, "invalid_input", "body.covariates.past.0"),
        ({"covariates": {"past": ["x"] * 201}}, "invalid_input", "body.covariates.past"),
        ({"country": "Atlantis"}, "invalid_input", "body.country"),
        ({"country": "DE-XX"}, "invalid_input", "body.country"),
        ({"country": 49}, "invalid_input", "body.country"),
        ({"bounds": {"min": 1, "max": 1}}, "invalid_input", "body.bounds"),
        ({"bounds": {"min": 2, "max": 1}}, "invalid_input", "body.bounds"),
        ({"bounds": {"low": 1}}, "invalid_input", "body.bounds.low"),
        ({"bounds": {"min": "0"}}, "invalid_input", "body.bounds.min"),
        ({"network": {"smoothing": 9}}, "invalid_input", "body.network.smoothing"),
        (
            {"network": {"lookbacks": [7], "segment": 12, "context_length": 24}},
            "invalid_input",
            "body.network.lookbacks",
        ),
    ],
)
def test_bad_requests_queue_nothing(stored: TestClient, more: dict[str, object], code: str, field: str) -> None:
    response = ask(stored, **more)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.json()["errors"][0]["field"] == field
    assert stored.get("/jobs").json()["items"] == []
