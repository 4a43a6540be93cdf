"""/forecast of stored series that are named by their labels, and of series that are sent along."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.storage.engine import Database
from tests.services.stored import hours, numbers, store
from tests.trained import Trained, publish, values

pytestmark = pytest.mark.one_database


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    for seed, (name, labels) in enumerate(
        {"c": {"k": "1"}, "a": {"k": "1", "part": "x"}, "b": {"k": "2", "part": "x"}}.items()
    ):
        store(client, name, values(seed=seed))
        assert client.put(f"/series/{name}", json={"freq": "h", "labels": labels}).status_code == 200
    return client


def ask(client: TestClient, series: Any, **more: Any) -> Any:
    return client.post("/forecast", json={"model": "m", "series": series, **more})


def sent(n: int = 100) -> dict[str, Any]:
    return {"ds": hours(0, n), "y": numbers(values(n, seed=5))}


def test_labels_equal_names(served: TestClient) -> None:
    for labels, names in ({"k": "1"}, ["a", "c"]), ({"k": "1", "part": "x"}, ["a"]), ({"part": "x"}, ["a", "b"]):
        for _ in range(2):
            found = ask(served, {"labels": labels})
            assert found.status_code == 200, found.text
            assert found.json() == ask(served, names).json()


@pytest.mark.one_database
def test_a_label_that_changes_changes_the_answer_at_once(served: TestClient) -> None:
    assert len(ask(served, {"labels": {"k": "1"}}).json()["forecasts"]) == 2
    served.put("/series/b", json={"freq": "h", "labels": {"k": "1"}})
    assert [f["series_id"] for f in ask(served, {"labels": {"k": "1"}}).json()["forecasts"]] == ["a", "b", "c"]
    served.delete("/series/c")
    assert [f["series_id"] for f in ask(served, {"labels": {"k": "1"}}).json()["forecasts"]] == ["a", "b"]


@pytest.mark.one_database
def test_labels_that_no_series_carries(served: TestClient) -> None:
    response = ask(served, {"labels": {"k": "none"}})
    assert (response.status_code, response.json()["code"]) == (404, "series_not_found")
    assert "labels" in response.json()["detail"]
    response = ask(served, {"labels": {"k": "none"}}, history={"sent": sent()})
    assert (response.status_code, response.json()["code"]) == (404, "series_not_found")


@pytest.mark.one_database
def test_labels_and_history_together(served: TestClient) -> None:
    found = ask(served, {"labels": {"k": "1"}}, history={"sent": sent()}).json()["forecasts"]
    assert [f["series_id"] for f in found] == ["a", "c", "sent"]
    apart = ask(served, ["a", "c"]).json()["forecasts"] + ask(served, [], history={"sent": sent()}).json()["forecasts"]
    for one, other in zip(found, apart, strict=True):
        assert (one["ds"], one["status"]) == (other["ds"], "ok")
        np.testing.assert_allclose(one["yhat"], other["yhat"], rtol=1e-6)


@pytest.mark.one_database
def test_a_history_may_not_stand_for_a_selected_series(served: TestClient) -> None:
    response = ask(served, {"labels": {"k": "1"}}, history={"a": sent()})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")
    assert "'a'" in response.json()["detail"]


@pytest.mark.one_database
def test_options_hold_for_what_is_selected(served: TestClient) -> None:
    more: dict[str, Any] = {"horizon": 2, "quantiles": [0.2], "origin": hours(300, 301)[0]}
    found = ask(served, {"labels": {"k": "1"}}, **more)
    assert found.json() == ask(served, ["a", "c"], **more).json()
    assert found.json()["forecasts"][0]["origin"] == hours(300, 301)[0]


@pytest.mark.one_database
@pytest.mark.parametrize("series", [{"labels": {}}, {"labels": {"k": 1}}, {"label": {"k": "1"}}, {"labels": None}, {}])
def test_selections_that_cannot_be_read(served: TestClient, series: Any) -> None:
    response = ask(served, series)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")


@pytest.mark.one_database
def test_limits(served: TestClient, settings: Settings) -> None:
    few = settings.model_copy(update={"max_forecast_series": 2, "max_forecast_values": 100})
    with TestClient(create_app(few)) as client:
        assert ask(client, {"labels": {"k": "1"}}).status_code == 200
        response = ask(client, {"labels": {"k": "1"}}, history={"sent": sent()})
        assert (response.status_code, response.json()["code"]) == (422, "too_many_series")
        more = [0.1, 0.2, 0.3, 0.5, 0.9]
        response = ask(client, {"labels": {"k": "1"}}, quantiles=more)
        assert (response.status_code, response.json()["code"]) == (422, "too_many_values")
        assert ask(client, {"labels": {"k": "1"}}, quantiles=more, horizon=8).status_code == 200
