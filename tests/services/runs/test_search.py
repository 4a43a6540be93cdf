"""/train with `search`: trials are seen while it runs, a next attempt goes on from them, the best is trained."""

import json
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.services.runs.attempt import Attempt
from app.services.runs.dispatch import run as run_job
from app.services.runs.training import Training
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.jobs import FenceLost
from tests.e2e.processes import until
from tests.services.stored import claimed, run, store
from tests.trained import HORIZON, values

pytestmark = pytest.mark.training

JSON = {"Content-Type": "application/json"}
QUICK = {"epochs": 2, "steps_per_epoch": 10}
NETWORK = {"context_length": 48, "segment": 12, "hidden": 8, "lookbacks": []}
SPACE: dict[str, list[Any]] = {"hidden": [4, 16], "cell": ["gru"], "bidirectional": [True], "learning_rate": [1e-5]}
ASKED: dict[str, Any] = {
    "model": "m",
    "series": {"ids": ["a"]},
    "horizon": HORIZON,
    "promote": "always",
    "training": QUICK,
    "network": NETWORK,
    "search": {"trials": 6, "space": SPACE},
}


@pytest.fixture
def stored(client: TestClient) -> TestClient:
    store(client, "a", values())
    return client


def trials_of(client: TestClient, job: str) -> Any:
    response = client.get(f"/jobs/{job}/trials")
    assert response.status_code == 200
    return response.json()


@pytest.mark.slow
def test_the_best_trial_is_trained(stored: TestClient, database: Database, settings: Settings) -> None:
    job = run(stored, database, settings, stored.post("/train", json=ASKED))
    assert (job["status"], job["error"], job["version"]) == ("succeeded", None, 1)
    assert job["progress"]["fraction"] == 1.0
    found = trials_of(stored, job["id"])
    assert [trial["number"] for trial in found["trials"]] == list(range(6))
    first = found["trials"][0]
    assert {name: first["params"][name] for name in ("hidden", "cell", "bidirectional")} == {
        "hidden": 8,
        "cell": "lstm",
        "bidirectional": False,
    }
    complete = {trial["number"]: trial["loss"] for trial in found["trials"] if trial["state"] == "complete"}
    assert found["best"] == min(complete, key=lambda number: complete[number])
    best = found["trials"][found["best"]]
    assert (best["epochs"], len(best["curve"])) == (2, 2)
    config = stored.get("/models/m/versions/1").json()["config"]
    whole = config["network"] | config["training"]
    assert {name: whole[name] for name in best["params"]} == best["params"]
    forecast = stored.post("/forecast", json={"model": "m", "series": ["a"]}).json()["forecasts"][0]
    assert (forecast["status"], len(forecast["yhat"])) == ("ok", HORIZON)


@pytest.mark.slow
@pytest.mark.one_database
def test_trials_are_seen_while_it_runs_and_another_attempt_goes_on(
    stored: TestClient, database: Database, settings: Settings
) -> None:
    search = {"trials": 8, "space": {"dropout": [k / 20 for k in range(10)]}}
    training = {"epochs": 3, "steps_per_epoch": 60}
    asked = stored.post("/train", json={**ASKED, "search": search, "training": training})
    job = asked.json()["id"]
    ended: list[type[BaseException]] = []
    first = claimed(database, job)

    def attempt() -> None:
        try:
            run_job(Attempt(settings, database, ArtifactStore(settings.artifacts), first))
        except FenceLost:
            ended.append(FenceLost)

    thread = threading.Thread(target=attempt)
    thread.start()

    def two_done() -> Any:
        found = trials_of(stored, job)["trials"]
        return found if sum(trial["state"] in ("complete", "pruned") for trial in found) >= 2 else None

    until(two_done, 60, "two trials")
    state = stored.get(f"/jobs/{job}").json()["progress"]
    assert (state["phase"], state["trials"]) == ("search", 8)
    assert 0 < state["fraction"] < 0.8
    second = claimed(database, job)  # a worker that takes the job over
    thread.join(60)
    assert ended == [FenceLost]
    before = [trial for trial in trials_of(stored, job)["trials"] if trial["state"] != "running"]
    run_job(Attempt(settings, database, ArtifactStore(settings.artifacts), second))
    done = stored.get(f"/jobs/{job}").json()
    assert (done["status"], done["attempt"], done["error"]) == ("succeeded", 2, None)
    after = trials_of(stored, job)["trials"]
    assert after[: len(before)] == before  # to the second: they were not run again
    assert [trial["number"] for trial in after] == list(range(8))


@pytest.mark.slow
@pytest.mark.one_database
def test_an_attempt_after_the_search_trains_what_it_found(
    stored: TestClient, database: Database, settings: Settings
) -> None:
    asked = stored.post("/train", json=ASKED).json()["id"]
    first = claimed(database, asked)
    store_of = ArtifactStore(settings.artifacts)
    training = Training(Attempt(settings, database, store_of, first))

    def replaced(_: object) -> None:  # as soon as training begins, another worker takes the job over
        claimed(database, asked)

    training._write_progress = replaced  # type: ignore[method-assign]
    with pytest.raises(FenceLost):
        training.run()
    searched = trials_of(stored, asked)
    assert [trial["number"] for trial in searched["trials"]] == list(range(6))
    run_job(Attempt(settings, database, store_of, claimed(database, asked)))
    assert trials_of(stored, asked) == searched
    config = stored.get("/models/m/versions/1").json()["config"]
    whole = config["network"] | config["training"]
    best = searched["trials"][searched["best"]]["params"]
    assert {name: whole[name] for name in best} == best


@pytest.mark.slow
@pytest.mark.one_database
def test_a_spent_budget_trains_the_choice_itself(stored: TestClient, database: Database, settings: Settings) -> None:
    asked = {**ASKED, "search": {"trials": 50, "time_budget_s": 0.001}}
    job = run(stored, database, settings, stored.post("/train", json=asked))
    assert job["status"] == "succeeded"
    (only,) = trials_of(stored, job["id"])["trials"]
    assert (only["state"], only["params"]["hidden"]) == ("complete", 8)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("search", "field"),
    [
        ({"trials": 0}, "body.search.trials"),
        ({"trials": 2000}, "body.search.trials"),
        ({"time_budget_s": -1}, "body.search.time_budget_s"),
        ({"space": {}}, "body.search.space"),
        ({"space": {"wings": [1]}}, "body.search.space.wings"),
        ({"space": {"hidden": []}}, "body.search.space.hidden"),
        ({"space": {"hidden": ["many"]}}, "body.search.space.hidden"),
        ({"space": {"segment": [7]}}, "body.search.space.segment"),
        ({"space": {"decoder": ["recursive"]}}, "body.search.space.segment"),
        ({"sampler": "grid"}, "body.search.sampler"),
        ({"space": {"learning_rate": [10**400]}}, "body.search.space"),
        ({"space": {"context_length": [12 * 10**400]}}, "body.search.space"),
        ({"space": {"hidden": [[8]]}}, "body.search.space"),
        ({"space": {"\ud800": [1]}}, "body.search.space"),
        ({"space": {"cell": ["\ud800"]}}, "body.search.space"),
    ],
)
def test_nonsense_is_named(stored: TestClient, search: dict[str, Any], field: str) -> None:
    response = stored.post("/train", content=json.dumps({**ASKED, "search": search}), headers=JSON)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["field"].startswith(field)
    assert stored.get("/jobs").json()["items"] == []


@pytest.mark.one_database
def test_jobs_without_a_search_have_no_trials(stored: TestClient) -> None:
    job = stored.post("/train", json={**ASKED, "search": None}).json()
    assert trials_of(stored, job["id"]) == {"trials": [], "best": None}
    assert stored.get("/jobs/none/trials").json()["code"] == "job_not_found"


@pytest.mark.one_database
def test_too_short_a_series_fails_the_job(stored: TestClient, database: Database, settings: Settings) -> None:
    store(stored, "short", values(20))
    job = run(stored, database, settings, stored.post("/train", json={**ASKED, "series": {"ids": ["short"]}}))
    assert (job["status"], job["error"]["code"]) == ("failed", "not_enough_data")
    assert "search" in job["error"]["detail"]
