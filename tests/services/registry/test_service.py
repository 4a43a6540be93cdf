"""/models: promoting, rolling back, deleting; forecasts follow at once."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.storage import keys, registry
from app.storage.engine import Database
from tests.services.stored import store
from tests.trained import HORIZON, Trained, publish, values


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """A service with two versions of the model m, the first one live, and a series."""
    store(client, "a", values())
    assert publish(database, settings, trained) == 1
    assert publish(database, settings, trained, promoted=False) == 2
    return client


def forecast(client: TestClient, model: str = "m") -> Any:
    response = client.post("/forecast", json={"model": model, "series": ["a"]})
    return response.json() if response.status_code == 200 else response.json()["code"]


def files(settings: Settings) -> list[Path]:
    return sorted(path for path in (settings.data_dir / "artifacts").rglob("graph.onnx"))


def test_a_version_is_promoted_and_rolled_back(served: TestClient) -> None:
    assert (forecast(served)["version"], served.get("/models/m").json()["champion"]) == (1, 1)
    promoted = served.put("/models/m/champion", json={"version": 2})
    assert (promoted.status_code, promoted.json()["champion"]) == (200, 2)
    assert forecast(served)["version"] == 2
    assert forecast(served, "m@1")["version"] == 1
    assert served.put("/models/m/champion", json={"version": 1}).json()["champion"] == 1
    assert forecast(served)["version"] == 1


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/models/m/champion", {"version": 3}, 404, "version_not_found"),
        ("/models/none/champion", {"version": 1}, 404, "model_not_found"),
        ("/models/m/champion", {"version": 0}, 422, "invalid_input"),
        ("/models/m/champion", {"version": 2**40}, 422, "invalid_input"),
        ("/models/m/champion", {"version": "2nd"}, 422, "invalid_input"),
        ("/models/m/champion", {}, 422, "invalid_input"),
    ],
)
def test_what_cannot_be_promoted(served: TestClient, path: str, body: Any, status: int, code: str) -> None:
    response = served.put(path, json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert served.get("/models/m").json()["champion"] == 1


def test_a_version_is_deleted_with_its_files_but_never_the_champion(served: TestClient, settings: Settings) -> None:
    refused = served.delete("/models/m/versions/1")
    assert (refused.status_code, refused.json()["code"]) == (409, "version_is_champion")
    assert forecast(served, "m@2")["version"] == 2
    before = files(settings)
    assert served.delete("/models/m/versions/2").status_code == 204
    assert len(files(settings)) == len(before) - 1
    assert forecast(served, "m@2") == "version_not_found"
    assert served.delete("/models/m/versions/2").status_code == 404
    assert (forecast(served)["version"], served.get("/models/m").json()["versions"]) == (1, [1])


def test_a_number_is_not_given_twice(
    served: TestClient, database: Database, settings: Settings, trained: Trained, trained_beside: Trained
) -> None:
    """A deleted version's row may lend its key to the next one: what was loaded must not answer for it."""
    pinned = forecast(served, "m@2")["forecasts"][0]
    assert pinned["status"] == "ok"
    assert served.delete("/models/m/versions/2").status_code == 204
    assert publish(database, settings, trained_beside, promoted=False) == 3
    other = forecast(served, "m@3")["forecasts"][0]
    assert other != pinned


def test_what_a_training_begins_from_is_kept_until_it_ends(served: TestClient) -> None:
    asked = {"model": "other", "series": {"ids": ["a"]}, "horizon": HORIZON, "warm_start": "m@2"}
    job = served.post("/train", json=asked).json()["id"]
    for path in ("/models/m/versions/2", "/models/m"):
        refused = served.delete(path)
        assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
    assert served.post(f"/jobs/{job}/cancel").status_code == 200
    assert served.delete("/models/m/versions/2").status_code == 204


def test_a_model_is_deleted_whole(served: TestClient, database: Database, settings: Settings) -> None:
    queued = served.post("/train", json={"model": "m", "series": {"ids": ["a"]}, "horizon": HORIZON}).json()
    refused = served.delete("/models/m")
    assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
    for job in served.get("/jobs").json()["items"]:
        assert served.post(f"/jobs/{job['id']}/cancel").status_code == 200
    assert served.delete("/models/m").status_code == 204
    assert files(settings) == []
    assert forecast(served) == "model_not_found"
    assert [model["name"] for model in served.get("/models").json()["items"]] == ["auto"]
    assert served.get(f"/jobs/{queued['id']}").json()["model"] == "m"  # jobs tell what they were for
    assert served.delete("/models/m").status_code == 404


def train_on(database: Database, number: int, ids: list[str]) -> None:
    """Let a version of the model m have been trained on some series."""
    with database.write() as session:
        model = registry.get(session, keys.get_default_scope(session), "m")
        assert model is not None
        row = registry.get_version(session, model, number)
        assert row is not None
        row.data_span = {**row.data_span, "series": ids}


def list_names(client: TestClient, **query: str) -> list[str]:
    answer = client.get("/models", params=query)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


def test_models_are_listed_by_a_series_of_their_serving_version(
    served: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    odd = 'b "quoted" $.x'
    store(served, "b", values(10))
    served.post("/series", json={"id": odd, "freq": "h"})
    publish(database, settings, trained, "candidate", promoted=False)
    train_on(database, 2, [*(f"s{n}" for n in range(10_000)), "b", odd])
    assert [list_names(served, series=name) for name in ("a", "b", odd)] == [["candidate", "m"], [], []]
    served.put("/models/m/champion", json={"version": 2})
    assert [list_names(served, series=name) for name in ("a", "b", odd)] == [["candidate"], ["m"], ["m"]]
    assert list_names(served, series="a", freq="D") == []
    unknown = served.get("/models", params={"series": "s1"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "series_not_found")


@pytest.mark.one_database
def test_models_are_listed_by_frequency_however_it_is_spelled(served: TestClient) -> None:
    assert [list_names(served, freq=freq) for freq in ("h", "60min", "D", "30min")] == [["m"], ["m"], [], []]
    refused = served.get("/models?freq=5m")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_frequency")
