"""/forecast over HTTP, with a version that was really trained and exported."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.storage.engine import Database
from tests.services.stored import QUICK, hours, run, store
from tests.trained import HORIZON, Trained, publish, values


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    store(client, "a", values())
    return client


def ask(client: TestClient, *series: str, **more: object) -> Any:
    return client.post("/forecast", json={"model": "m", "series": list(series), **more})


def test_equals_the_trained_network(served: TestClient, trained: Trained) -> None:
    (expected,) = trained.fitted.predict(trained.panel)
    answer = ask(served, "a", quantiles=[0.1, 0.5, 0.9]).json()
    (found,) = answer["forecasts"]
    assert (answer["model"], answer["version"], found["status"]) == ("m", 1, "ok")
    assert found["origin"] == hours(399, 400)[0]
    assert found["ds"] == hours(400, 400 + HORIZON)
    np.testing.assert_allclose(found["yhat"], expected.yhat, rtol=1e-4)
    for i, level in enumerate(("0.1", "0.5", "0.9")):
        np.testing.assert_allclose(found["quantiles"][level], expected.quantiles[:, i], rtol=1e-4)
    assert (found["stale"], found["fallback"], found["warnings"]) == (False, False, [])


@pytest.mark.one_database
def test_beats_season_naive_on_what_follows(served: TestClient) -> None:
    y, truth = np.array(ask(served, "a").json()["forecasts"][0]["yhat"]), values(400 + HORIZON)[400:]
    naive = values()[400 - 24 : 400 - 24 + HORIZON]
    assert np.abs(y - truth).mean() < np.abs(naive - truth).mean() * 1.2


def test_get_equals_post(served: TestClient) -> None:
    store(served, "b c", values(seed=1))
    params = {"model": "m@1", "series": ["b c", "a"], "horizon": 5, "quantiles": "0.1,0.37"}
    got = served.get("/forecast", params=params).json()
    assert got == ask(served, "b c", "a", model="m@1", horizon=5, quantiles=[0.1, 0.37]).json()
    assert [f["series_id"] for f in got["forecasts"]] == ["b c", "a"]


def test_head_is_get_without_its_body(served: TestClient) -> None:
    query = "/forecast?model=m&series=a&series=short"
    plain = {"accept-encoding": "identity"}
    get = served.get(query, headers=plain)
    head = served.head(query, headers=plain)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert set(head.headers) == set(get.headers)
    assert served.head(query, headers={"if-none-match": get.headers["etag"]}).status_code == 304


def test_the_plus_of_an_origin_survives_a_query(served: TestClient) -> None:
    full = served.get("/forecast?model=m&series=a").json()["forecasts"][0]
    assert full["origin"].endswith("+00:00")
    again = served.get(f"/forecast?model=m&series=a&origin={full['origin']}").json()["forecasts"][0]
    assert (again["origin"], again["yhat"]) == (full["origin"], full["yhat"])


def test_true_and_false_in_a_history_are_one_and_zero(served: TestClient) -> None:
    ds = served.get("/series/a/observations?limit=100").json()["ds"]
    answers = []
    for pair in ([True, False], [1, 0]):
        history = {"new": {"ds": ds, "y": pair * 50}}
        answers.append(served.post("/forecast", json={"model": "m", "history": history}).json()["forecasts"])
    assert answers[0][0]["status"] == "ok"
    assert answers[0] == answers[1]


def test_a_shorter_horizon_is_a_prefix_and_quantiles_interpolate(served: TestClient) -> None:
    full, short = (ask(served, "a", horizon=h).json()["forecasts"][0] for h in (HORIZON, 3))
    assert (short["yhat"], short["ds"]) == (full["yhat"][:3], full["ds"][:3])
    q = ask(served, "a", quantiles=[0.1, 0.3, 0.5]).json()["forecasts"][0]["quantiles"]
    np.testing.assert_allclose(q["0.3"], (np.array(q["0.1"]) + np.array(q["0.5"])) / 2)


def test_good_results_beside_errors(served: TestClient) -> None:
    served.post("/series", json={"id": "daily", "freq": "D"})
    served.post("/series", json={"id": "empty", "freq": "h"})
    store(served, "hollow", np.full(5, np.nan))
    answer = ask(served, "none", "a", "daily", "empty", "hollow", "a", "\x00").json()["forecasts"]
    assert [f["status"] for f in answer] == ["error", "ok", "error", "error", "error", "ok", "error"]
    codes = [f["error"]["code"] for f in answer if f["status"] == "error"]
    assert codes == ["series_not_found", "frequency_mismatch", "no_history", "no_history", "series_not_found"]
    assert all(f["error"]["detail"] for f in answer if f["status"] == "error")


def test_ids_that_cannot_be_answered_are_refused(served: TestClient) -> None:
    headers = {"content-type": "application/json"}
    response = served.post("/forecast", content='{"model": "m", "series": ["a", "\\ud800"]}', headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")


def test_short_gappy_and_constant_series_are_finite(served: TestClient) -> None:
    gappy = values()
    gappy[::3] = np.nan
    for name, y in {
        "one": [3.0],
        "two": [1.0, 2.0],
        "constant": [5.0] * 50,
        "gappy": gappy,
        "huge": values() * 1e12,
    }.items():
        store(served, name, np.array(y))
        (found,) = ask(served, name).json()["forecasts"]
        assert found["status"] == "ok", (name, found)
        assert np.isfinite(found["yhat"]).all(), name
    assert ask(served, "one").json()["forecasts"][0]["warnings"] == ["short_history"]
    np.testing.assert_allclose(ask(served, "constant").json()["forecasts"][0]["yhat"], 5.0, rtol=0.05)


def test_the_newest_committed_observation_counts_in_every_process(
    served: TestClient, settings: Settings, tmp_path: Path
) -> None:
    with TestClient(create_app(settings)) as other:
        for _ in range(2):
            assert ask(other, "a").json()["forecasts"][0]["origin"] == hours(399, 400)[0]
            served.post("/series/a/observations", json={"ds": hours(400, 401), "y": [25.0]})
            assert ask(other, "a").json()["forecasts"][0]["origin"] == hours(400, 401)[0]
            other.delete("/series/a/observations", params={"start": hours(400, 401)[0]})
            assert ask(served, "a").json()["forecasts"][0]["origin"] == hours(399, 400)[0]


def test_changing_the_future_changes_no_forecast(served: TestClient) -> None:
    """Values after the last observed one do not exist for the network: trailing nulls and covariates change nothing."""
    before = ask(served, "a").json()
    body = {"ds": hours(400, 420), "y": [None] * 20, "covariates": {"temp": list(range(20))}}
    served.post("/series/a/observations", json=body)
    assert ask(served, "a").json() == before


@pytest.mark.one_database
def test_local_time_of_the_series(served: TestClient) -> None:
    store(served, "berlin", values(), timezone="Europe/Berlin")
    found = ask(served, "berlin").json()["forecasts"][0]
    assert found["origin"] == "2024-01-17T16:00:00+01:00"
    assert found["ds"][0] == "2024-01-17T17:00:00+01:00"


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"model": "none"}, 404, "model_not_found"),
        ({"model": "m@99"}, 404, "version_not_found"),
        ({"model": "m@99999999999999"}, 422, "invalid_input"),
        ({"model": "a b"}, 422, "invalid_input"),
        ({"horizon": 0}, 422, "invalid_input"),
        ({"horizon": HORIZON + 1}, 422, "horizon_too_long"),
        ({"horizon": 10**6}, 422, "horizon_too_long"),
        ({"horizon": 10**30}, 422, "horizon_too_long"),
        ({"quantiles": [1.5]}, 422, "invalid_input"),
        ({"quantiles": [0.95]}, 422, "quantile_out_of_range"),
        ({"quantiles": []}, 422, "invalid_input"),
        ({"series": []}, 422, "invalid_input"),
        ({"series": "a"}, 422, "invalid_input"),
        ({"series": ["a"] * 10_001}, 422, "too_many_series"),
        ({"typo": 1}, 422, "invalid_input"),
    ],
)
def test_bad_requests(served: TestClient, more: dict[str, object], status: int, code: str) -> None:
    response = ask(served, "a", **more)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["detail"]


@pytest.mark.one_database
@pytest.mark.parametrize("query", ["quantiles=a", "quantiles=0", "quantiles=", "horizon=x", "series="])
def test_bad_queries(served: TestClient, query: str) -> None:
    response = served.get(f"/forecast?model=m&{'' if 'series' in query else 'series=a&'}{query}")
    found = response.json()
    assert response.status_code == 422 or found["forecasts"][0]["status"] == "error"


def test_a_model_without_champion_names_what_can_be_pinned(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained, promoted=False)
    store(client, "a", values())
    response = ask(client, "a")
    assert (response.status_code, response.json()["code"]) == (409, "no_champion")
    assert "m@1" in response.json()["detail"]
    assert ask(client, "a", model="m@1").status_code == 200


def test_a_damaged_version_is_refused(
    served: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    graph = next(settings.data_dir.glob("artifacts/1/models/*/m1/graph.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    response = ask(served, "a")
    assert (response.status_code, response.json()["code"]) == (503, "artifact_unavailable")
    assert "not the file that was published" in response.json()["detail"]
    assert ask(served, "a", model="m@1").status_code == 200


def test_server_timing(served: TestClient) -> None:
    assert "model;dur=" in ask(served, "a").headers["server-timing"]


@pytest.mark.training
@pytest.mark.one_database
@pytest.mark.slow
def test_sales_beside_temperatures_are_not_forecast_below_zero(
    client: TestClient, database: Database, settings: Settings
) -> None:
    steps = np.arange(400)
    sales = np.random.default_rng(0).poisson(0.2, 400).astype(float)
    temperature = 1 + 8 * np.sin(2 * np.pi * steps / 24) + np.random.default_rng(1).normal(0, 1, 400)
    temperature[-48:] = np.where(steps[-48:] % 3, 0.1, 12.0)  # a context without anything below zero
    store(client, "sales", sales)
    store(client, "temperature", temperature)
    body = {"model": "m", "series": "all", "horizon": HORIZON, "quantiles": [0.01, 0.5, 0.99], "promote": "always"}
    job = run(client, database, settings, client.post("/train", json=body | QUICK))
    assert job["status"] == "succeeded", job
    config = client.get("/models/m/versions/1").json()["config"]
    assert (config["nonnegative"], config["signed"]) == (True, ["temperature"])
    both = ask(client, "sales", "temperature").json()["forecasts"]
    lowest = [min(found["quantiles"]["0.01"]) for found in both]
    assert lowest[0] == 0
    assert lowest[1] < 0
    alone = ask(client, "temperature").json()["forecasts"][0]
    assert alone["quantiles"] == both[1]["quantiles"]
