"""/train and /jobs over HTTP; nothing runs here, the end-to-end tests have workers."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.storage import jobs
from app.storage.engine import Database


@pytest.fixture
def stored(client: TestClient) -> TestClient:
    for name, freq in (("a", "h"), ("b", "h"), ("daily", "D")):
        client.post("/series", json={"id": name, "freq": freq, "labels": {"kind": name}})
        stamps = [f"2024-01-{d + 1:02d}T00:00:00Z" for d in range(20)]
        client.post(f"/series/{name}/observations", json={"ds": stamps, "y": list(range(20))})
    return client


def ask(client: TestClient, **more: object) -> Any:
    return client.post("/train", json={"model": "m", "series": {"ids": ["a", "b"]}, "horizon": 4, **more})


def test_a_training_is_queued(stored: TestClient) -> None:
    response = ask(stored)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["status"], job["attempt"], job["model"]) == ("train", "queued", 0, "m")
    assert job["progress"]["fraction"] == 0
    assert stored.get(response.headers["location"]).json() == job
    assert stored.get("/models/m").json()["champion"] is None
    assert stored.get("/models/m").json()["quantiles"] == [0.1, 0.25, 0.5, 0.75, 0.9]


def test_job_and_queue_commit_together(stored: TestClient, database: Database) -> None:
    ask(stored)
    ask(stored, horizon=0)
    ask(stored, horizon=5)
    schema = "dbos." if database.dialect == "postgresql" else ""
    with database.read() as session:
        queued = session.execute(text(f"SELECT workflow_uuid FROM {schema}workflow_status")).scalars().all()
    assert queued == [stored.get("/jobs").json()["items"][0]["id"]]


@pytest.mark.parametrize("series", ["all", {"labels": {"kind": "daily"}}])
def test_selectors(stored: TestClient, series: object) -> None:
    response = ask(stored, series=series)
    if series == "all":
        assert (response.status_code, response.json()["code"]) == (422, "frequency_mismatch")
    else:
        assert response.status_code == 202
        assert stored.get("/models/m").json()["freq"] == "D"


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"horizon": 0}, 422, "invalid_input"),
        ({"horizon": 10**6}, 422, "horizon_too_long"),
        ({"horizon": 10**30}, 422, "horizon_too_long"),
        ({"horizon": 2.5}, 422, "invalid_input"),
        ({"model": "a/b"}, 422, "invalid_input"),
        ({"model": "m\n"}, 422, "invalid_input"),
        ({"series": {"ids": ["none"]}}, 404, "series_not_found"),
        ({"series": {"ids": []}}, 422, "invalid_input"),
        ({"series": {"labels": {"kind": "none"}}}, 404, "series_not_found"),
        ({"series": {}}, 422, "invalid_input"),
        ({"series": {"ids": ["a", "daily"]}}, 422, "frequency_mismatch"),
        ({"quantiles": [0.5, 1.0]}, 422, "invalid_input"),
        ({"network": {"hidden": -1}}, 422, "invalid_input"),
        ({"network": {"hiden": 8}}, 422, "invalid_input"),
        ({"network": {"cell": "transformer"}}, 422, "invalid_input"),
        ({"network": {"context_length": 24, "segment": 7}}, 422, "invalid_input"),
        ({"training": {"epochs": 0}}, 422, "invalid_input"),
        ({"training": {"learning_rate": 1e9}}, 422, "invalid_input"),
        ({"promote": "sometimes"}, 422, "invalid_input"),
        ({"extra": 1}, 422, "invalid_input"),
    ],
)
def test_bad_requests_queue_nothing(stored: TestClient, more: dict[str, object], status: int, code: str) -> None:
    response = ask(stored, **more)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert stored.get("/jobs").json()["items"] == []
    assert [model["name"] for model in stored.get("/models").json()["items"]] == ["auto"]


def test_an_option_is_named(stored: TestClient) -> None:
    field = ask(stored, network={"context_length": 24, "segment": 7}).json()["errors"][0]["field"]
    assert field == "body.network.segment"


@pytest.mark.parametrize("y", [[1, 2], [None] * 20, []])
def test_series_that_nothing_can_be_learned_from(client: TestClient, y: list[float | None]) -> None:
    client.post("/series", json={"id": "x", "freq": "D"})
    stamps = [f"2024-01-{d + 1:02d}" for d in range(len(y))]
    client.post("/series/x/observations", json={"ds": stamps, "y": y})
    response = ask(client, series={"ids": ["x"]})
    assert (response.status_code, response.json()["code"]) == (422, "not_enough_data")
    assert "POST /series/{id}/observations" in response.json()["detail"]


def test_sparse_series_are_measured_in_steps(client: TestClient) -> None:
    client.post("/series", json={"id": "x", "freq": "s"})
    stamps = ["1990-01-01T00:00:00Z", "2000-01-01T00:00:00Z", "2020-01-01T00:00:00Z"]
    client.post("/series/x/observations", json={"ds": stamps, "y": [1, 2, 3]})
    response = ask(client, series={"ids": ["x"]})
    assert (response.status_code, response.json()["code"]) == (422, "too_many_values")


def test_horizons_beyond_four_digit_years(client: TestClient) -> None:
    client.post("/series", json={"id": "x", "freq": "YS"})
    stamps = [f"{y}-01-01" for y in range(1900, 2000)]
    client.post("/series/x/observations", json={"ds": stamps, "y": list(range(100))})
    response = ask(client, series={"ids": ["x"]}, horizon=5000)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "body.horizon")


def test_a_models_specification_is_fixed(stored: TestClient) -> None:
    ask(stored)
    for more in ({"horizon": 5}, {"series": {"ids": ["daily"]}}, {"quantiles": [0.2, 0.8]}):
        response = ask(stored, **more)
        assert (response.status_code, response.json()["code"]) == (409, "model_spec_conflict")
    assert ask(stored).status_code == 202


def test_until_there_is_a_version_it_may_change(stored: TestClient) -> None:
    job = ask(stored).json()["id"]
    assert stored.post(f"/jobs/{job}/cancel").json()["status"] == "cancelled"
    assert ask(stored, horizon=5).status_code == 202
    assert stored.get("/models/m").json()["horizon"] == 5


def test_cancel(stored: TestClient, database: Database) -> None:
    job = ask(stored).json()["id"]
    assert stored.post(f"/jobs/{job}/cancel").json()["status"] == "cancelled"
    assert stored.post(f"/jobs/{job}/cancel").json()["status"] == "cancelled", "cancelling twice is harmless"
    other = ask(stored).json()["id"]
    with database.write() as session:
        fence = jobs.claim(session, other)
        assert fence is not None
        jobs.finish(session, fence, "succeeded")
    response = stored.post(f"/jobs/{other}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "job_finished")
    assert stored.post("/jobs/none/cancel").status_code == 404


def test_lists_and_filters(stored: TestClient) -> None:
    made = [ask(stored, model=f"m{i}").json()["id"] for i in range(5)]
    stored.post(f"/jobs/{made[0]}/cancel")
    page = stored.get("/jobs", params={"limit": 2}).json()
    rest = stored.get("/jobs", params={"limit": 10, "cursor": page["next_cursor"]}).json()
    assert [j["id"] for j in page["items"] + rest["items"]] == made[::-1]
    assert [j["id"] for j in stored.get("/jobs?status=cancelled&kind=train").json()["items"]] == [made[0]]
    assert [j["id"] for j in stored.get("/jobs?model=m3").json()["items"]] == [made[3]]
    assert stored.get("/jobs?status=lost").status_code == 422


def test_idempotent(stored: TestClient) -> None:
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 4}
    headers = {"Idempotency-Key": "k"}
    first, again = (stored.post("/train", json=body, headers=headers) for _ in range(2))
    assert first.headers["location"] == again.headers["location"]
    assert len(stored.get("/jobs").json()["items"]) == 1
    other = stored.post("/train", json={**body, "horizon": 5}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


def test_unknown_models(client: TestClient) -> None:
    for path in ("/models/none", "/models/none/versions", "/models/none/versions/1", "/models/a b"):
        assert client.get(path).json()["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("freqs", "freq"),
    [(["D", "24h"], "D"), (["24h", "D"], "D"), (["D", "1440min"], "D"), (["24h", "24h"], "24h")],
)
def test_series_of_one_grid_are_trained_together(client: TestClient, freqs: list[str], freq: str) -> None:
    for name, alias in zip("ab", freqs, strict=True):
        timezone = "Europe/Berlin" if alias == "D" else "UTC"
        client.post("/series", json={"id": name, "freq": alias, "timezone": timezone})
        days = [f"2024-01-{d + 1:02d}" for d in range(20)]
        client.post(f"/series/{name}/observations", json={"ds": days, "y": list(range(20))})
    assert ask(client).status_code == 202
    assert client.get("/models/m").json()["freq"] == freq
    assert ask(client, series={"ids": ["b"]}).status_code == 202


def test_a_model_of_an_older_spelling_is_trained_again(client: TestClient, database: Database) -> None:
    client.post("/series", json={"id": "a", "freq": "QE"})
    quarters = [f"{2004 + n // 4}-{('03-31', '06-30', '09-30', '12-31')[n % 4]}" for n in range(60)]
    client.post("/series/a/observations", json={"ds": quarters, "y": list(range(60))})
    assert ask(client, series={"ids": ["a"]}).status_code == 202
    with database.write() as session:
        session.execute(text("UPDATE models SET freq = 'QE-MAR'"))
    assert ask(client, series={"ids": ["a"]}).status_code == 202
    assert client.get("/models/m").json()["freq"] == "QE-MAR"


def preview(client: TestClient, headers: dict[str, str] | None = None, **more: object) -> Any:
    body = {"model": "m", "series": {"ids": ["a", "b"]}, "horizon": 4, **more}
    return client.post("/train?dry_run=true", json=body, headers=headers)


def test_a_dry_run_shows_what_would_be_queued_and_keeps_nothing(stored: TestClient, database: Database) -> None:
    shown = preview(stored, {"idempotency-key": "once"}, training={"epochs": 2, "steps_per_epoch": 10})
    assert shown.status_code == 200
    assert stored.get("/jobs").json()["items"] == []
    assert [model["name"] for model in stored.get("/models").json()["items"]] == ["auto"]
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM idempotency_records")).scalar_one() == 0
    job = ask(stored, training={"epochs": 2, "steps_per_epoch": 10}).json()
    assert shown.json()["estimate"] == job["estimate"] | {"seconds": None}
    assert (job["estimate"]["rows"], job["estimate"]["steps"]) == (2 * (19 * 24 + 1), 40)
    health = stored.post("/series/health", json={"series": ["a", "b"], "horizon": 4}).json()
    assert shown.json()["checks"] == {**health, "checked": 2, "series": 2}
    assert health["counts"]["gaps"] == 2


@pytest.mark.one_database
@pytest.mark.parametrize(
    "more",
    [
        {"horizon": 10**6},
        {"series": {"ids": ["none"]}},
        {"series": "all"},
        {"network": {"context_length": 24, "segment": 7}},
        {"warm_start": "none@1"},
        {"covariates": {"past": ["none"]}},
        {"extra": 1},
    ],
)
def test_a_dry_run_is_refused_as_the_training_would_be(stored: TestClient, more: dict[str, object]) -> None:
    shown, asked = preview(stored, **more), ask(stored, **more)
    assert shown.status_code >= 400
    assert (shown.status_code, shown.json()) == (asked.status_code, asked.json())


def test_a_dry_run_leaves_a_models_specification(stored: TestClient) -> None:
    job = ask(stored).json()
    conflict = preview(stored, horizon=5)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "model_spec_conflict")
    stored.post(f"/jobs/{job['id']}/cancel")
    assert preview(stored, horizon=5).status_code == 200
    assert stored.get("/models/m").json()["horizon"] == 4


@pytest.mark.one_database
def test_a_dry_run_tells_a_time_where_one_is_known(stored: TestClient, database: Database) -> None:
    def seconds(**more: object) -> float | None:
        told: float | None = preview(stored, **more).json()["estimate"]["seconds"]
        return told

    budget = {"training": {"time_budget_s": 30.0}}
    assert seconds(**budget) == 30
    assert seconds(**budget, search={"trials": 4}) == 150
    assert seconds(**budget, search={"trials": 4, "time_budget_s": 40}) == 100
    job = ask(stored, training={"epochs": 2, "steps_per_epoch": 10}).json()["id"]
    with database.write() as session:
        fence = jobs.claim(session, job)
        assert fence is not None
        jobs.finish(session, fence, "succeeded")
        session.execute(text("UPDATE jobs SET finished_at = started_at + 8000000"))
    assert seconds(training={"epochs": 3, "steps_per_epoch": 10}) == pytest.approx(12)
