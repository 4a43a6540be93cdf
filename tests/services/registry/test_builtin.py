"""The built-in model among the others: listed, read, and changed by nobody."""

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.services.registry.builtin import MOST_STEPS
from app.storage import keys, registry
from app.storage.engine import Database
from models.pretrained.forecaster import ALL_LEVELS
from tests.services.stored import store
from tests.trained import HORIZON, Trained, publish, values


def names(client: TestClient, **query: str | int) -> list[str]:
    """Return the names of all models, page by page."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/models", params={**query, **cursor}).json()
        found += [model["name"] for model in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def add_models(database: Database, *added: str) -> None:
    with database.write() as session:
        for name in added:
            registry.add(session, keys.get_default_scope(session), name, "h", HORIZON, [0.5])


def test_it_is_listed_before_anything_is_trained(client: TestClient) -> None:
    (model,) = client.get("/models").json()["items"]
    assert (model["name"], model["builtin"], model["freq"], model["champion"]) == ("auto", True, None, 1)
    assert (model["horizon"], model["quantiles"]) == (MOST_STEPS, list(ALL_LEVELS))
    assert client.get("/models/auto").json() == model
    (version,) = client.get("/models/auto/versions").json()["items"]
    assert version == client.get("/models/auto/versions/1").json()
    assert version["data_span"]["series"] == []
    assert version["config"]["steps"] > 0


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_it_has_its_place_in_the_order_of_names_on_any_page(client: TestClient, database: Database, limit: int) -> None:
    add_models(database, "Zebra", "aardvark", "autobahn", "bikes", "aut")
    assert names(client, limit=limit) == ["Zebra", "aardvark", "aut", "auto", "autobahn", "bikes"]
    for page in (client.get("/models", params={"limit": limit}).json(),):
        assert len(page["items"]) <= limit


def test_it_is_of_no_series_and_no_frequency(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    store(client, "a", values())
    assert names(client, series="a") == ["m"]
    assert names(client, freq="h") == ["m"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/models/auto/champion", {"version": 1}),
        ("PUT", "/models/auto/schedule", {"train": "0 3 * * 1"}),
        ("POST", "/models/auto/refresh", {}),
        ("DELETE", "/models/auto", None),
        ("POST", "/train", {"model": "auto", "series": {"ids": ["a"]}, "horizon": 4}),
    ],
)
def test_it_is_never_changed(client: TestClient, method: str, path: str, body: object) -> None:
    store(client, "a", values())
    response = client.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (409, "model_reserved"), response.text
    assert "POST /forecast" in response.json()["detail"]


def test_another_version_does_not_exist(client: TestClient) -> None:
    store(client, "a", values())
    for model in ("auto@2", "auto@1.3"):
        response = client.post("/forecast", json={"model": model, "series": ["a"]})
        assert (response.status_code, response.json()["code"]) == (404, "version_not_found")


def test_a_model_of_that_name_from_before_stays(client: TestClient, database: Database) -> None:
    add_models(database, "auto")
    (model,) = client.get("/models").json()["items"]
    assert (model["name"], model["builtin"], model["freq"]) == ("auto", False, "h")
    assert client.get("/models/auto").json()["champion"] is None
    assert client.delete("/models/auto").status_code == 204
    assert client.get("/models/auto").json()["builtin"] is True
