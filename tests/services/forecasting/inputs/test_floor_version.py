"""Forecasts of a model without a champion, by a floor, over HTTP."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.config import Settings
from app.storage import jobs
from app.storage.engine import Database
from app.storage.tables import JobRow, VersionRow
from tests.services.stored import claimed, hours, numbers, store
from tests.trained import HORIZON, Trained, publish, values

Y = values()
CHANGES = np.diff(values()[-48:])


@pytest.fixture
def unpromoted(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """A model with one version, which is not live: on its gate naive was the best floor."""
    publish(database, settings, trained, promoted=False)
    measures = {"gate": {"mase": 1.2}, "season_naive": {"mase": 1.1}, "naive": {"mase": 0.9}, "drift": {"mase": 1.0}}
    set_version(database, metrics=measures, reason="not ahead of naive on the gate span: mase 1.2 against 0.9")
    store(client, "a", Y)
    return client


def set_version(database: Database, **fields: Any) -> None:
    with database.write() as session:
        session.execute(update(VersionRow).values(**fields))


def ask(client: TestClient, *series: str, **more: Any) -> Any:
    return client.post("/forecast", json={"model": "m", "series": list(series), **more})


def train(client: TestClient, **more: Any) -> str:
    store(client, "a", Y)
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": HORIZON, "quantiles": [0.1, 0.5, 0.9], **more}
    response = client.post("/train", json=body)
    assert response.status_code == 202, response.text
    job: str = response.json()["id"]
    return job


def test_the_refusal_names_what_can_be_sent(unpromoted: TestClient) -> None:
    response = ask(unpromoted, "a")
    detail = response.json()["detail"]
    assert (response.status_code, response.json()["code"]) == (409, "no_champion")
    for part in ("on_missing=floor", "m@1", "PUT /models/m/champion", "not ahead of naive on the gate span"):
        assert part in detail, detail


def test_the_best_floor_on_the_gate_answers(unpromoted: TestClient) -> None:
    answer = ask(unpromoted, "a", "none", on_missing="floor").json()
    found, missing = answer["forecasts"]
    assert (answer["model"], answer["version"]) == ("m", None)
    assert (found["fallback"], found["fallback_by"], found["warnings"]) == (True, "naive", ["no_champion"])
    assert found["ds"] == hours(400, 400 + HORIZON)
    assert found["yhat"] == [Y[-1]] * HORIZON
    context = np.diff(Y)  # of a context that is shorter the same holds for its own changes
    widths = np.array(found["quantiles"]["0.9"]) - np.array(found["quantiles"]["0.1"])
    np.testing.assert_allclose(widths, widths[0] * np.sqrt(np.arange(1, HORIZON + 1)))
    assert widths[0] == pytest.approx(np.quantile(context, 0.9) - np.quantile(context, 0.1), rel=0.2)
    assert missing["error"]["code"] == "series_not_found"


def test_season_naive_answers_where_it_is_named(unpromoted: TestClient) -> None:
    answer = ask(unpromoted, "a", on_missing="season_naive").json()
    (found,) = answer["forecasts"]
    assert (answer["version"], found["fallback_by"]) == (None, "season_naive")
    assert found["yhat"] == Y[-24 : -24 + HORIZON].tolist()


def test_drift_begins_with_the_first_value_of_all(unpromoted: TestClient, database: Database) -> None:
    set_version(database, metrics={"season_naive": {"mae": 3.0}, "naive": {"mae": 2.0}, "drift": {"mae": 1.0}})
    body = {"b": {"ds": hours(0, 400), "y": numbers(Y)}}
    expected = Y[-1] + (Y[-1] - Y[0]) / 399 * np.arange(1, HORIZON + 1)
    for found in ask(unpromoted, "a", on_missing="floor", history=body).json()["forecasts"]:
        assert found["fallback_by"] == "drift"
        np.testing.assert_allclose(found["yhat"], expected)
    (past,) = ask(unpromoted, "a", on_missing="floor", origin=hours(300, 301)[0]).json()["forecasts"]
    np.testing.assert_allclose(past["yhat"][0], Y[300] + (Y[300] - Y[0]) / 300)


@pytest.mark.parametrize("on_missing", ["best", "naive", ""])
def test_other_values_are_refused(unpromoted: TestClient, on_missing: str) -> None:
    assert ask(unpromoted, "a", on_missing=on_missing).status_code == 422
    query = {"model": "m", "series": "a", "on_missing": on_missing}
    assert unpromoted.get("/forecast", params=query).status_code == 422


def test_a_pinned_version_answers_by_itself(unpromoted: TestClient) -> None:
    answer = ask(unpromoted, "a", model="m@1", on_missing="floor").json()
    assert (answer["version"], answer["forecasts"][0]["fallback"]) == (1, False)
    assert answer["forecasts"][0]["fallback_by"] is None


def test_with_a_champion_the_floor_takes_what_the_network_cannot(
    client: TestClient, database: Database, settings: Settings, trained_beside: Trained
) -> None:
    publish(database, settings, trained_beside)
    set_version(database, metrics={"season_naive": {"mase": 1.1}, "naive": {"mase": 0.9}, "drift": {"mase": 1.0}})
    store(client, "a", Y)  # without the covariates that the network reads
    answer = ask(client, "a", on_missing="floor").json()
    (found,) = answer["forecasts"]
    assert (answer["version"], found["fallback_by"]) == (1, "naive")
    assert found["warnings"] == ["missing_future_covariates"]


@pytest.mark.parametrize("status", ["queued", "running", "failed"])
def test_a_model_is_answered_for_before_its_first_version(client: TestClient, database: Database, status: str) -> None:
    job = train(client, bounds={"max": 21.0})
    if status != "queued":
        fence = claimed(database, job)
        if status == "failed":
            with database.write() as session:
                jobs.finish(session, fence, "failed", error={"code": "diverged", "detail": "it went wrong"})
    refused = ask(client, "a").json()
    assert refused["code"] == "no_champion"
    said = ("failed: it went wrong",) if status == "failed" else (status, f"GET /jobs/{job}")
    for part in (*said, "on_missing=floor"):
        assert part in refused["detail"], refused["detail"]
    covariates = {"temp": [1.0] * HORIZON}
    sent = {"ds": hours(0, 400), "y": numbers(Y), "covariates": {"temp": [1.0] * 400}}
    answer = ask(client, "a", on_missing="floor", future={"a": covariates}, history={"b": sent}).json()
    for found in answer["forecasts"]:
        assert (answer["version"], found["fallback_by"]) == (None, "season_naive")
        np.testing.assert_array_equal(found["yhat"], np.minimum(Y[-24 : -24 + HORIZON], 21.0))
        assert list(found["quantiles"]) == ["0.1", "0.5", "0.9"]


def test_an_unknown_model_names_a_training_of_its_name(client: TestClient, database: Database) -> None:
    job = train(client)
    with database.write() as session:
        session.execute(update(JobRow).values(model="other"))
    response = ask(client, "a", model="other", on_missing="floor")
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")
    assert f"GET /jobs/{job}" in response.json()["detail"]
    assert "GET /jobs" not in ask(client, "a", model="third").json()["detail"]


def test_polling_knows_a_floor_from_a_champion(
    unpromoted: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    unpromoted.headers["accept-encoding"] = "identity"

    def got(**headers: str) -> Any:
        query = {"model": "m", "series": "a", "on_missing": "floor"}
        return unpromoted.get("/forecast", params=query, headers=headers)

    first = got()
    tag = first.headers["etag"]
    assert first.json()["version"] is None
    assert got(**{"if-none-match": tag}).status_code == 304
    publish(database, settings, trained, promoted=False)
    second = got(**{"if-none-match": tag})
    assert (second.status_code, second.json()["forecasts"][0]["fallback_by"]) == (200, "season_naive")
    assert unpromoted.put("/models/m/champion", json={"version": 1}).status_code == 200
    third = got(**{"if-none-match": second.headers["etag"]})
    assert (third.status_code, third.json()["version"]) == (200, 1)
    assert third.json()["forecasts"][0]["fallback_by"] is None


def test_other_formats_and_many_series(unpromoted: TestClient) -> None:
    lines = unpromoted.post(
        "/forecast", json={"model": "m", "series": ["a"], "on_missing": "floor"}, headers={"accept": "text/csv"}
    )
    assert lines.headers["x-model-version"] == "m"
    assert len(lines.text.splitlines()) == 1 + HORIZON
    body = {str(number): {"ds": hours(0, 400), "y": numbers(Y + number)} for number in range(70)}
    answer = ask(unpromoted, history=body, on_missing="floor").json()
    assert answer["version"] is None
    assert [found["yhat"][0] for found in answer["forecasts"]] == pytest.approx([Y[-1] + k for k in range(70)])


def test_a_chart_says_who_drew(unpromoted: TestClient) -> None:
    query = {"model": "m", "series": "a", "on_missing": "floor", "format": "svg"}
    response = unpromoted.get("/forecast/chart", params=query)
    assert response.status_code == 200, response.text
    assert "m · 12 steps" in response.text
    assert "naive, because the network could not forecast: no_champion" in response.text
