"""/train that begins from a published version."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.config import Settings
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.tables import VersionRow
from models.inference.published import WEIGHTS
from tests.services.stored import run, store, store_beside
from tests.trained import HORIZON, Trained, publish, publish_revision, values

pytestmark = [pytest.mark.one_database, pytest.mark.training]

QUICK = {"epochs": 1, "steps_per_epoch": 5}
TUNED = {
    "model": "tuned",
    "series": {"ids": ["b"]},
    "horizon": HORIZON,
    "promote": "always",
    "training": QUICK,
    "warm_start": "base@1",
}


def train(client: TestClient, database: Database, settings: Settings, body: dict[str, Any]) -> Any:
    """Train, and return the job as it ended."""
    return run(client, database, settings, client.post("/train", json=body))


@pytest.fixture
def based(client: TestClient, database: Database, settings: Settings, trained_beside: Trained) -> TestClient:
    """A service with one version that reads covariates, and two series that have them."""
    store_beside(client, "a")
    store_beside(client, "b", seed=1)
    assert publish(database, settings, trained_beside, "base") == 1
    return client


def config_of(client: TestClient, model: str) -> Any:
    return client.get(f"/models/{model}/versions/1").json()["config"]


@pytest.mark.slow
def test_another_model_begins_from_a_version(based: TestClient, database: Database, settings: Settings) -> None:
    training = {**QUICK, "freeze_encoder": True}
    job = train(based, database, settings, {**TUNED, "horizon": 5, "training": training})
    assert (job["status"], job["error"], job["version"]) == ("succeeded", None, 1)
    source, config = config_of(based, "base"), config_of(based, "tuned")
    assert (config["horizon"], config["training"]["freeze_encoder"]) == (5, True)
    for name in ("network", "quantiles", "covariates", "country"):
        assert config[name] == source[name]
    assert config["training"]["learning_rate"] < source["training"]["learning_rate"]
    found = based.post("/forecast", json={"model": "tuned", "series": ["b"]}).json()["forecasts"][0]
    assert (found["status"], len(found["yhat"])) == ("ok", 5)


@pytest.mark.slow
def test_the_same_model_goes_on(
    based: TestClient, database: Database, settings: Settings, trained_beside: Trained
) -> None:
    """It begins from the version as it was trained, whatever revision of that serves."""
    publish_revision(database, settings, trained_beside, "base")
    with database.read() as session:
        artifact = session.execute(select(VersionRow.artifact)).scalar_one()
    ArtifactStore(settings.artifacts).remove(f"{artifact}/{WEIGHTS}")
    job = train(based, database, settings, {**TUNED, "model": "base"})
    assert (job["status"], job["version"]) == ("succeeded", 2)


@pytest.mark.slow
def test_the_built_in_model_becomes_a_member(based: TestClient, database: Database, settings: Settings) -> None:
    """The version forecasts like any other: it has been trained."""
    body = {"model": "short", "series": {"ids": ["a"]}, "horizon": HORIZON, "training": QUICK, "warm_start": "auto"}
    job = train(based, database, settings, body)
    assert (job["status"], job["error"], job["version"]) == ("succeeded", None, 1)
    config = config_of(based, "short")
    assert config["network"]["pretrained"] is True
    found = based.post("/forecast", json={"model": "short", "series": ["a"]}).json()["forecasts"][0]
    assert (found["status"], found["zero_shot"], len(found["yhat"])) == ("ok", False, HORIZON)
    assert based.get(f"/jobs/{job['id']}").json()["status"] == "succeeded"


def test_the_built_in_model_keeps_no_encoder_of_another(based: TestClient) -> None:
    body = {"model": "x", "series": {"ids": ["a"]}, "horizon": HORIZON, "warm_start": "auto"}
    response = based.post("/train", json={**body, "training": {"freeze_encoder": True}})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "body.training.freeze_encoder")
    assert based.post("/train", json={**body, "warm_start": "auto@2"}).status_code in (404, 409)
    for start in ("auto", "auto@1"):
        assert based.post("/train?dry_run=true", json={**body, "warm_start": start}).status_code == 200


@pytest.mark.parametrize(
    ("more", "status", "code", "field"),
    [
        ({"warm_start": "base"}, 422, "invalid_input", "body.warm_start"),
        ({"warm_start": "base@0"}, 422, "invalid_input", "body.warm_start"),
        ({"warm_start": "base@9"}, 404, "version_not_found", None),
        ({"warm_start": "none@1"}, 404, "model_not_found", None),
        ({"network": {"hidden": 8}}, 422, "invalid_input", "body.network"),
        ({"quantiles": [0.2, 0.8]}, 422, "invalid_input", "body.quantiles"),
        ({"country": "FR"}, 422, "invalid_input", "body.country"),
        ({"covariates": {"past": ["flow"]}}, 422, "invalid_input", "body.covariates"),
        ({"training": {"loss": "mse"}}, 422, "invalid_input", "body.training.loss"),
        ({"series": {"ids": ["plain"]}}, 422, "covariate_not_found", "body.covariates.static.0"),
        (
            {"warm_start": None, "training": {"freeze_encoder": True}},
            422,
            "invalid_input",
            "body.training.freeze_encoder",
        ),
    ],
)
def test_contradictions_queue_nothing(
    based: TestClient, more: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    store(based, "plain", values())
    before = based.get("/jobs").json()["items"]
    response = based.post("/train", json={**TUNED, **more})
    assert (response.status_code, response.json()["code"]) == (status, code)
    if field is not None:
        assert response.json()["errors"][0]["field"] == field
    assert based.get("/jobs").json()["items"] == before


def test_another_frequency_is_no_start(
    based: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    assert publish(database, settings, trained, "free") == 1
    based.post("/series", json={"id": "days", "freq": "D"})
    body = {"ds": [f"2024-03-{day:02}T00:00:00Z" for day in range(1, 31)], "y": values(30).tolist()}
    assert based.post("/series/days/observations", json=body).status_code == 200
    response = based.post("/train", json={**TUNED, "warm_start": "free@1", "series": {"ids": ["days"]}})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.warm_start"


def test_a_start_whose_weights_are_gone_fails_the_job(
    based: TestClient, database: Database, settings: Settings
) -> None:
    for file in settings.data_dir.rglob("weights.safetensors"):
        file.unlink()
    job = train(based, database, settings, TUNED)
    assert (job["status"], job["error"]["code"]) == ("failed", "version_not_found")
    assert "base@1" in job["error"]["detail"]
