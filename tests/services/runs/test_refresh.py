"""Refreshes as a worker runs them: what becomes a revision, what serves, and what an attempt that fails leaves."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import load
from sqlalchemy import update

from app.config import Settings
from app.services.runs.attempt import Attempt
from app.services.runs.dispatch import run as run_job
from app.services.runs.refresh import KEPT_REVISIONS
from app.storage import jobs, keys, registry, revisions
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.jobs import FenceLost
from app.storage.tables import ModelRow
from models.calendar.timestamps import format_stamp
from models.data.series import Panel, Series
from models.export.export import export
from models.export.load_fitted import NO_REPORT
from models.inference.published import WEIGHTS
from models.training.calibrate import calibrate
from models.training.fitted import Fitted
from models.training.refresh import NO_PART, NOTHING_NEW, refresh
from tests.kept import GRAPHS, alone
from tests.models.training.test_calibrate import make_network, make_panel
from tests.services.stored import claimed, hours, numbers, run, store
from tests.trained import HORIZON, Trained, publish, publish_revision, values

ONE = pytest.mark.one_database
DAYS = 130
KNOWN = 100
"""days that the version was fitted on"""


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A version with a closed-form part, which was fitted on the first days of its series."""
    panel = make_panel(DAYS)
    network = make_network(panel, HORIZON)
    calibrate(network, panel.series, [24 * KNOWN], 0, 0.5)
    fitted = Fitted(network.config, network, NO_REPORT)
    folder = tmp_path_factory.mktemp("calibrated")
    with alone():
        export(fitted, folder, GRAPHS)
    return Trained(folder, fitted, panel)


def store_item(client: TestClient, item: Series, first: int = 0) -> None:
    """Write a series of the panel from a step on, with its covariate as far as that is known."""
    client.post("/series", json={"id": item.id, "freq": "h"})
    temp = item.covariates["temp"]
    y = np.concatenate([item.y, np.full(len(temp) - len(item.y), np.nan)])
    body = {
        "ds": hours(first, len(temp)),
        "y": numbers(y[first:]),
        "covariates": {"temp": temp[first:].tolist()},
    }
    response = client.post(f"/series/{item.id}/observations", json=body)
    assert response.status_code == 200, response.text


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, calibrated: Trained) -> TestClient:
    """The model m, whose version knows less than is stored of its series."""
    publish(database, settings, calibrated, ended=True)
    store_item(client, calibrated.panel.series[0])
    return client


def refresh_over_http(client: TestClient, database: Database, settings: Settings) -> Any:
    """Refresh the model m, and return the job as it ended."""
    return run(client, database, settings, client.post("/models/m/refresh"))


def forecast(client: TestClient, model: str = "m") -> Any:
    response = client.post("/forecast", json={"model": model, "series": ["a"]})
    assert response.status_code == 200, response.text
    return response.json()


def list_manifests(settings: Settings) -> list[Path]:
    return sorted((settings.data_dir / "artifacts").rglob("manifest.json"))


def version(client: TestClient) -> Any:
    return client.get("/models/m/versions/1").json()


def test_new_values_become_a_revision_that_serves(
    served: TestClient, database: Database, settings: Settings, calibrated: Trained
) -> None:
    before = forecast(served)
    job = refresh_over_http(served, database, settings)
    assert (job["status"], job["error"], job["version"], job["progress"]["fraction"]) == ("succeeded", None, 1, 1.0)
    (made,) = version(served)["revisions"]
    end = format_stamp(int(calibrated.panel.series[0].stamps(24 * DAYS - 1, 24 * DAYS)[0]), "UTC")
    assert (made["revision"], made["promoted"], made["can_serve"], made["data_end"]) == (1, True, True, end)
    assert (made["job"], set(made["metrics"])) == (job["id"], {"refreshed", "before"})
    told = {name: made[name] for name in ("revision", "promoted", "reason", "data_end")}
    assert job["result"] == {"version": 1, **told}
    forecast(served, "m@1.1")  # until it is loaded, the one before may answer
    after = forecast(served)
    assert (after["version"], after["revision"]) == (1, 1)
    assert forecast(served, "m@1.0")["forecasts"] == before["forecasts"]
    network = refresh(calibrated.fitted, calibrated.panel).network
    expected = Fitted(network.config, network, NO_REPORT).predict(calibrated.panel)[0].yhat
    np.testing.assert_allclose(after["forecasts"][0]["yhat"], expected, rtol=1e-5)
    assert np.abs(np.array(before["forecasts"][0]["yhat"]) - expected).max() > 0.1


@ONE
def test_no_trained_weight_changes(
    served: TestClient, database: Database, settings: Settings, calibrated: Trained
) -> None:
    refresh_over_http(served, database, settings)
    before = load((calibrated.folder / WEIGHTS).read_bytes())
    with database.read() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, "m")
        assert model is not None
        row = registry.get_version(session, model, 1)
        assert row is not None
        assert registry.list_artifacts(session, model) != [row.artifact]
    after = load(ArtifactStore(settings.artifacts).get(f"{row.artifact}/{WEIGHTS}"))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"calibrated.weight", "calibrated.until"}


@ONE
def test_a_refresh_that_does_worse_is_recorded_and_does_not_serve(
    client: TestClient, database: Database, settings: Settings, calibrated: Trained
) -> None:
    item = calibrated.panel.series[0]
    y = item.y.copy()
    strange = slice(24 * KNOWN, 24 * (KNOWN + 4))
    y[strange] -= 10 * item.covariates["temp"][strange]  # for four days; then all is as it was
    spoiled = replace(item, y=y)
    expected = refresh(calibrated.fitted, Panel(calibrated.panel.frequency, (spoiled,)))
    assert not expected.better, "otherwise this test shows nothing"
    publish(database, settings, calibrated, ended=True)
    store_item(client, spoiled)
    before = forecast(client)
    job = refresh_over_http(client, database, settings)
    assert (job["status"], job["result"]["promoted"]) == ("succeeded", False)
    (made,) = version(client)["revisions"]
    assert (made["promoted"], made["can_serve"], made["reason"]) == (False, True, expected.reason)
    assert forecast(client) == before
    assert forecast(client, "m@1.1")["revision"] == 1, "it can be pinned"
    assert client.put("/models/m/champion", json={"version": 1, "revision": 1}).json()["revision"] == 1


def test_a_model_without_such_a_part_says_so(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained, ended=True)
    store(client, "a", values())
    before = forecast(client)
    files = list_manifests(settings)
    job = refresh_over_http(client, database, settings)
    assert (job["status"], job["error"], job["result"]["reason"]) == ("succeeded", None, NO_PART)
    (made,) = version(client)["revisions"]
    assert (made["revision"], made["promoted"], made["can_serve"], made["reason"]) == (1, False, False, NO_PART)
    assert made["data_end"] == hours(399, 400)[0]
    assert forecast(client) == before
    assert list_manifests(settings) == files
    for response in (
        client.put("/models/m/champion", json={"version": 1, "revision": 1}),
        client.post("/forecast", json={"model": "m@1.1", "series": ["a"]}),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "version_not_found")


@ONE
def test_without_new_values_nothing_is_made(served: TestClient, database: Database, settings: Settings) -> None:
    for _ in range(2):
        refresh_over_http(served, database, settings)
    first, second = version(served)["revisions"]
    assert (first["promoted"], second["promoted"], second["can_serve"]) == (True, False, False)
    assert second["reason"] == NOTHING_NEW
    assert len(list_manifests(settings)) == 2
    served.put("/models/m/champion", json={"version": 1, "revision": 0})
    refresh_over_http(served, database, settings)
    assert version(served)["revisions"][-1]["promoted"], "there are new ones for what serves now"


class MeddledStore(ArtifactStore):
    """A store in which something happens elsewhere while an attempt uploads its files."""

    def __init__(self, url: str, meddle: Callable[[], Any]) -> None:
        super().__init__(url)
        self._meddle = meddle
        self._is_done = False

    def put(self, path: str, data: bytes) -> None:
        super().put(path, data)
        if not self._is_done:
            self._is_done = True
            self._meddle()


def begin(client: TestClient, database: Database, settings: Settings, meddle: Callable[[str], Any]) -> Attempt:
    """Begin an attempt at a refresh; `meddle` is called with its job's id while it uploads."""
    job = client.post("/models/m/refresh").json()["id"]
    return Attempt(settings, database, MeddledStore(settings.artifacts, lambda: meddle(job)), claimed(database, job))


def test_a_cancelled_refresh_leaves_nothing(served: TestClient, database: Database, settings: Settings) -> None:
    before = forecast(served)
    files = list_manifests(settings)
    attempt = begin(served, database, settings, lambda job: served.post(f"/jobs/{job}/cancel"))
    with pytest.raises(FenceLost):
        run_job(attempt)
    assert list_manifests(settings) == files
    assert (version(served)["revision"], version(served)["revisions"]) == (0, [])
    assert forecast(served) == before


def test_of_two_attempts_the_newest_publishes(served: TestClient, database: Database, settings: Settings) -> None:
    """A worker that seemed dead goes on while another one has begun the job again."""

    def take_over(job: str) -> None:
        run_job(Attempt(settings, database, ArtifactStore(settings.artifacts), claimed(database, job)))

    first = begin(served, database, settings, take_over)
    with pytest.raises(FenceLost):
        run_job(first)
    assert [one["revision"] for one in version(served)["revisions"]] == [1]
    assert served.get(f"/jobs/{first.fence.job_id}").json()["attempt"] == 2
    assert len(list_manifests(settings)) == 2
    assert forecast(served, "m@1.1")["revision"] == 1


def test_a_version_that_is_deleted_meanwhile_fails_the_job(
    served: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained, ended=True, promoted=False)

    def delete(_job: str) -> None:
        assert served.put("/models/m/champion", json={"version": 2}).status_code == 200
        assert served.delete("/models/m/versions/1").status_code == 204

    attempt = begin(served, database, settings, delete)
    run_job(attempt)
    job = served.get(f"/jobs/{attempt.fence.job_id}").json()
    assert (job["status"], job["error"]["code"]) == ("failed", "version_not_found")
    assert len(list_manifests(settings)) == 1


@ONE
def test_a_revision_that_was_judged_against_another_does_not_serve(
    served: TestClient, database: Database, settings: Settings, calibrated: Trained
) -> None:
    attempt = begin(served, database, settings, lambda _: publish_revision(database, settings, calibrated))
    run_job(attempt)
    first, second = version(served)["revisions"]
    assert (first["promoted"], second["promoted"], second["can_serve"]) == (True, False, True)
    assert "revision 1 went live while this one was judged" in second["reason"]
    assert version(served)["revision"] == 1


@ONE
def test_old_files_are_removed(client: TestClient, database: Database, settings: Settings, trained: Trained) -> None:
    publish(database, settings, trained, ended=True)
    for _ in range(KEPT_REVISIONS + 2):
        publish_revision(database, settings, trained)
    store(client, "a", values())
    refresh_over_http(client, database, settings)
    made = version(client)["revisions"]
    kept = [one["revision"] for one in made if one["can_serve"]]
    newest = KEPT_REVISIONS + 2
    assert kept == list(range(newest - KEPT_REVISIONS, newest + 1)), "the one that serves and ten more"
    assert len(list_manifests(settings)) == 1 + len(kept), "and the one as it was trained"
    assert forecast(client, "m@1.0")["revision"] == 0


@ONE
def test_what_cannot_be_loaded_fails_the_job(served: TestClient, database: Database, settings: Settings) -> None:
    response = served.post("/models/m/refresh")
    (manifest,) = list_manifests(settings)
    (manifest.parent / WEIGHTS).unlink()
    job = run(served, database, settings, response)
    assert (job["status"], job["error"]["code"]) == ("failed", "artifact_unavailable")
    assert version(served)["revisions"] == []


@ONE
def test_without_a_champion_by_then_the_job_fails(served: TestClient, database: Database, settings: Settings) -> None:
    response = served.post("/models/m/refresh")
    with database.write() as session:
        session.execute(update(ModelRow).values(champion=None))
    job = run(served, database, settings, response)
    assert (job["status"], job["error"]["code"]) == ("failed", "no_champion")


@ONE
def test_a_job_publishes_one_revision(database: Database, served: TestClient, settings: Settings) -> None:
    job = refresh_over_http(served, database, settings)
    with database.read() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, "m")
        assert model is not None
        row = registry.get_version(session, model, 1)
        assert row is not None
        made = revisions.get(session, row, 1)
        assert made is not None
        assert made.job_id == job["id"]
        assert jobs.get_result(session, job["id"]) == job["result"]
