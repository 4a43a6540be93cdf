"""What may be said of a job of any kind: labels, priority, queue, time limit; and what is told of it."""

import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.config import Settings
from app.main import create_app
from app.services.access.keys import KeyService
from app.services.jobs.hints import HINTS, get_hint
from app.services.runs.attempt import Attempt
from app.services.runs.dispatch import run as run_job
from app.storage import jobs
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from models.data.preflight import compute_fingerprint
from models.data.series import Panel
from tests.e2e.processes import until
from tests.services.stored import QUICK, claimed, run, store
from tests.trained import HORIZON, values

pytestmark = pytest.mark.training


@pytest.fixture
def stored(client: TestClient) -> TestClient:
    store(client, "a", values())
    return client


def ask(client: TestClient, model: str = "m", **more: Any) -> Any:
    asked = {"model": model, "series": {"ids": ["a"]}, "horizon": HORIZON, **QUICK, **more}
    return client.post("/train", json=asked)


def places(client: TestClient, *ids: str) -> list[int | None]:
    return [client.get(f"/jobs/{job}").json()["position"] for job in ids]


def test_what_is_said_of_a_job_is_told(stored: TestClient) -> None:
    said = {"labels": {"team": "bikes", "q\"uo'te.": "x y"}, "priority": 9, "timeout_s": 1.5, "queue": "gpu"}
    job = ask(stored, **said).json()
    assert {name: job[name] for name in said} == said
    assert job["started_by"] == "anyone"
    assert (job["position"], job["stopping"]) == (1, False)
    found, (listed,) = stored.get(f"/jobs/{job['id']}").json(), stored.get("/jobs").json()["items"]
    assert "'gpu'" in found["waiting_for"]  # no worker is alive here
    assert found == listed == job


def test_what_is_not_said_is_chosen(stored: TestClient) -> None:
    job = ask(stored).json()
    told = {name: job[name] for name in ("labels", "priority", "timeout_s", "queue")}
    assert told == {"labels": {}, "priority": 5, "timeout_s": None, "queue": "cpu"}


def test_the_queue_of_trainings_is_a_setting(database_url: str, settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"training_queue": "gpu"}))) as client:
        store(client, "a", values())
        assert [ask(client, **more).json()["queue"] for more in ({}, {"queue": "cpu"})] == ["gpu", "cpu"]


@pytest.mark.parametrize(
    "more",
    [
        {"priority": 10},
        {"priority": -1},
        {"priority": 1.5},
        {"timeout_s": 0},
        {"timeout_s": -1},
        {"timeout_s": 1e12},
        {"queue": "tpu"},
        {"labels": {"": "x"}},
        {"labels": {"k": 1}},
        {"labels": {"k\u0000": "x"}},
        {"labels": ["k"]},
    ],
)
@pytest.mark.one_database
def test_what_cannot_be_said_is_named(stored: TestClient, more: dict[str, Any]) -> None:
    response = ask(stored, **more)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")
    assert response.json()["errors"][0]["field"].startswith(f"body.{next(iter(more))}")
    assert stored.get("/jobs").json()["items"] == []


def test_jobs_are_found_by_their_labels(stored: TestClient) -> None:
    labels = [{"team": "bikes", "q\"uo'te.": "x:y"}, {"team": "bikes"}, {"team": "trains"}, {}, {"a.b": "1", "$": "2"}]
    made = [ask(stored, f"m{n}", labels=one).json()["id"] for n, one in enumerate(labels)]

    def found(*pairs: str) -> list[int]:
        response = stored.get("/jobs", params={"label": list(pairs)})
        assert response.status_code == 200, response.text
        return [made.index(job["id"]) for job in response.json()["items"]]

    assert found("team:bikes") == [1, 0]
    assert found("team:bikes", "q\"uo'te.:x:y") == [0]
    assert found("team:bikes", "team:trains") == []
    assert found("a.b:1") == found("$:2") == [4]
    assert found("a:1") == found("bikes:team") == found("team:") == []
    assert stored.get("/jobs?label=team:bikes&model=m1").json()["items"][0]["id"] == made[1]
    page = stored.get("/jobs?label=team:bikes&limit=1").json()
    rest = stored.get("/jobs", params={"label": "team:bikes", "cursor": page["next_cursor"]}).json()
    assert [made.index(job["id"]) for job in page["items"] + rest["items"]] == [1, 0]


@pytest.mark.one_database
@pytest.mark.parametrize("label", ["team", ":bikes", "team:\u0000"])
def test_a_filter_that_is_none_is_named(stored: TestClient, label: str) -> None:
    response = stored.get("/jobs", params={"label": label})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "query.label")


def test_the_place_in_the_queue_follows_priority_and_age(stored: TestClient, database: Database) -> None:
    low, usual, later, high, other = (
        ask(stored, f"m{n}", **more).json()["id"]
        for n, more in enumerate([{"priority": 0}, {}, {}, {"priority": 9}, {"queue": "gpu", "priority": 0}])
    )
    assert places(stored, high, usual, later, low, other) == [1, 2, 3, 4, 1]
    claimed(database, high)
    assert places(stored, high, usual, later, low) == [None, 1, 2, 3]
    stored.post(f"/jobs/{usual}/cancel")
    assert places(stored, usual, later, low) == [None, 1, 2]
    assert {job["id"]: job["position"] for job in stored.get("/jobs?status=queued").json()["items"]} == {
        later: 1,
        low: 2,
        other: 1,
    }


@pytest.mark.parametrize("priority", [0, 5, 9])
def test_the_engine_takes_the_highest_priority_first(stored: TestClient, database: Database, priority: int) -> None:
    job = ask(stored, priority=priority, queue="gpu").json()["id"]
    schema = "dbos." if database.dialect == "postgresql" else ""
    query = f"SELECT queue_name, priority FROM {schema}workflow_status WHERE workflow_uuid = :job"
    with database.read() as session:
        found = session.execute(text(query), {"job": job}).one()
    assert tuple(found) == ("training-gpu", 10 - priority)  # its lowest number is first


def test_an_estimate_is_told(stored: TestClient) -> None:
    first, often = ask(stored).json()["estimate"], ask(stored, "n", search={"trials": 4}).json()["estimate"]
    assert (first["rows"], first["windows"], first["steps"]) == (400, 400 - 2 * HORIZON + 1, 20)
    assert first["memory_bytes"] > 800_000_000
    assert often["steps"] == 5 * first["steps"]
    assert often["rows"] == first["rows"]


def test_a_job_too_large_is_refused(database_url: str, settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_job_memory_bytes": 10**9}))) as client:
        store(client, "a", values())
        assert ask(client).status_code == 202
        refused = ask(client, "large", network={**QUICK["network"], "hidden": 2048, "segment": 1})
        assert (refused.status_code, refused.json()["code"]) == (422, "job_too_large")
        assert "GATECAST_MAX_JOB_MEMORY_BYTES" in refused.json()["detail"]
        assert len(client.get("/jobs").json()["items"]) == 1
        assert client.get("/models/large").status_code == 404


def test_who_started_a_job_is_the_keys_name(settings: Settings, database: Database) -> None:
    secret = KeyService(database, auth=True).create("night shift").secret
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        store(client, "a", values(60))
        assert ask(client).json()["started_by"] == "key night shift"


@pytest.mark.one_database
def test_a_failure_says_what_to_do(stored: TestClient, database: Database, settings: Settings) -> None:
    asked = ask(stored)
    stored.delete("/series/a")
    job = run(stored, database, settings, asked)
    assert (job["status"], job["error"]["code"]) == ("failed", "not_enough_data")
    assert job["error"]["hint"] == HINTS[job["error"]["code"]]
    assert get_hint("internal_error") == get_hint("job_failed")


def test_keeping_the_best_of_a_job_that_has_none_cancels_it(stored: TestClient, database: Database) -> None:
    queued, running = ask(stored).json()["id"], ask(stored).json()["id"]
    fence = claimed(database, running)
    with database.write() as session:
        jobs.write(session, fence, progress={"phase": "search", "fraction": 0.1})
    for job in (queued, running):
        told = stored.post(f"/jobs/{job}/cancel", json={"keep_best": True}).json()
        assert (told["status"], told["version"], told["stopping"]) == ("cancelled", None, False)
    assert stored.post(f"/jobs/{queued}/cancel", json={"keep_best": "yes"}).status_code == 422


def test_a_cancelled_training_publishes_its_best_so_far(
    stored: TestClient, database: Database, settings: Settings
) -> None:
    endless = {"epochs": 10_000, "steps_per_epoch": 5}
    job = ask(stored, training=endless, promote="always").json()["id"]
    fence = claimed(database, job)
    attempt = Attempt(settings, database, ArtifactStore(settings.artifacts), fence)
    thread = threading.Thread(target=run_job, args=(attempt,))
    thread.start()
    until(lambda: stored.get(f"/jobs/{job}").json()["progress"]["phase"] == "select", 60, "an epoch")
    told = stored.post(f"/jobs/{job}/cancel", json={"keep_best": True})
    assert (told.status_code, told.json()["status"]) == (200, "running")
    assert told.json()["stopping"]
    thread.join(60)
    done = stored.get(f"/jobs/{job}").json()
    assert (done["status"], done["version"], done["error"], done["stopping"]) == ("cancelled", 1, None, False)
    assert done["progress"]["epoch"] < 10_000
    version = stored.get("/models/m/versions/1").json()
    assert (version["promoted"], version["warnings"]) == (False, ["stopped"])
    assert version["reason"].startswith("stopped early by its user")
    assert version["metrics"]["gate"]["mae"] > 0
    assert stored.get("/models/m").json()["champion"] is None
    forecast = stored.post("/forecast", json={"model": "m@1", "series": ["a"]}).json()["forecasts"][0]
    assert (forecast["status"], len(forecast["yhat"])) == ("ok", HORIZON)
    assert stored.post(f"/jobs/{job}/cancel", json={"keep_best": True}).json() == done


@pytest.mark.one_database
def test_an_attempt_that_takes_a_stopping_job_over_stops_too(
    stored: TestClient, database: Database, settings: Settings
) -> None:
    job = ask(stored, training={"epochs": 200, "steps_per_epoch": 2}).json()["id"]
    fence = claimed(database, job)
    with database.write() as session:
        jobs.write(session, fence, progress={"phase": "select", "fraction": 0.1})
    assert stored.post(f"/jobs/{job}/cancel", json={"keep_best": True}).json()["stopping"]
    run_job(Attempt(settings, database, ArtifactStore(settings.artifacts), claimed(database, job)))
    done = stored.get(f"/jobs/{job}").json()
    assert (done["status"], done["attempt"], done["version"]) == ("cancelled", 2, 1)
    assert done["progress"]["epoch"] < 200


class TestProvenance:
    """What a version is remembered to have been made of."""

    @pytest.mark.one_database
    def test_packages_seed_data_and_who_asked(self, settings: Settings, database: Database) -> None:
        secret = KeyService(database, auth=True).create("ci").secret
        with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
            client.headers["Authorization"] = f"Bearer {secret}"
            store(client, "a", values())
            told = []
            for more in ({"training": {**QUICK["training"], "seed": 7}}, {}):
                job = run(client, database, settings, ask(client, promote="never", **more))
                told.append(client.get(f"/models/m/versions/{job['version']}").json()["provenance"])
                client.post("/series/a/observations", json={"ds": ["2024-01-02T00:00:00Z"], "y": [3.5]})
        first, changed = told
        assert (first["started_by"], changed["started_by"]) == ("key ci", "key ci")
        assert (first["seed"], changed["seed"]) == (7, 0)
        assert first["packages"]["torch"].startswith("2.")
        assert {"gatecast", "numpy", "onnx", "onnxruntime", "statsforecast"} < set(first["packages"])
        assert first["data_digest"] == compute_fingerprint(Panel.from_arrays({"a": values()}, "h", "2024-01-01"))
        assert first["data_digest"] != changed["data_digest"]
        assert first["device"] == "cpu"
        assert first["seconds"] > 0

    @pytest.mark.one_database
    def test_metrics_stand_beside_the_references(
        self, stored: TestClient, database: Database, settings: Settings
    ) -> None:
        run(stored, database, settings, ask(stored))
        metrics = stored.get("/models/m/versions/1").json()["metrics"]
        references = {"season_naive", "naive", "drift", "season_mean", "theta"}
        assert set(metrics) == {"gate", *references}
        assert all(metrics[name]["mae"] > 0 for name in references)
        assert metrics["season_naive"]["mae"] < 0.5 * metrics["naive"]["mae"]  # the series is a daily wave
        assert "coverage_80" in metrics["gate"]
        assert "coverage_80" not in metrics["naive"]
