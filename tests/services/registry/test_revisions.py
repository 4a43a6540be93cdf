"""Revisions over HTTP: pinned, served, undone, judged and deleted."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.storage.engine import Database
from tests.services.stored import hours, store
from tests.trained import Trained, altered, publish, publish_revision, values

FACTOR = 1.1
"""what the revision's forecasts are times those of the version as it was trained"""


@pytest.fixture(scope="session")
def refreshed(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Trained:
    """What a refresh has made of the version."""
    return altered(trained, tmp_path_factory.mktemp("refreshed"), FACTOR)


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """The model m with a champion, and the series a."""
    publish(database, settings, trained, ended=True)
    client.headers.update({"accept-encoding": "identity"})
    store(client, "a", values())
    return client


@pytest.fixture
def other(served: TestClient, settings: Settings) -> Iterator[TestClient]:
    """Another process of the same service."""
    with TestClient(create_app(settings), headers={"accept-encoding": "identity"}) as other:
        yield other


def forecast(client: TestClient, model: str = "m", **more: Any) -> Any:
    response = client.post("/forecast", json={"model": model, "series": ["a"], **more})
    assert response.status_code == 200, response.text
    return response.json()


def named(answer: Any) -> tuple[int, int]:
    """Return the version and the revision that made a forecast."""
    return answer["version"], answer["revision"]


def yhat(answer: Any) -> Any:
    return np.array(answer["forecasts"][0]["yhat"])


def promote(client: TestClient, **body: int) -> Any:
    response = client.put("/models/m/champion", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_new_revision_serves_in_every_process(
    served: TestClient, other: TestClient, database: Database, settings: Settings, refreshed: Trained
) -> None:
    before = [forecast(one) for one in (served, other)]
    assert [named(one) for one in before] == [(1, 0), (1, 0)]
    publish_revision(database, settings, refreshed)
    forecast(served, "m@1.1")  # which loads it: until then the one before may answer
    forecast(other, "m@1.1")
    after = [forecast(one) for one in (served, other)]
    assert [named(one) for one in after] == [(1, 1), (1, 1)]
    for one in after:
        np.testing.assert_allclose(yhat(one), FACTOR * yhat(before[0]), rtol=1e-5)


@pytest.mark.one_database
def test_each_revision_can_be_pinned(
    served: TestClient, database: Database, settings: Settings, refreshed: Trained
) -> None:
    assert named(forecast(served, "m@1.0")) == (1, 0), "before the first refresh, too"
    trained = yhat(forecast(served))
    publish_revision(database, settings, refreshed)
    publish_revision(database, settings, refreshed, promoted=False)
    for model, revision, factor in (("m@1.1", 1, FACTOR), ("m@1", 1, FACTOR), ("m@1.0", 0, 1), ("m@1.2", 2, FACTOR)):
        for _ in range(2):  # read, and remembered
            answer = forecast(served, model)
            assert named(answer) == (1, revision), model
            np.testing.assert_allclose(yhat(answer), factor * trained, rtol=1e-5)
        got = served.get("/forecast", params={"model": model, "series": "a"})
        assert named(got.json()) == (1, revision)
        assert got.json() == answer
        chart = served.get("/forecast/chart", params={"model": model, "series": "a"})
        assert (chart.status_code, (f"m@1.{revision}" if revision else "m@1") in chart.text) == (200, True)
        scan = served.post("/anomalies", json={"model": model, "series": ["a"], "start": hours(390, 391)[0]})
        assert (scan.status_code, scan.json()["revision"]) == (200, revision)
        explained = forecast(served, model, explain=True, horizon=1) if model == "m@1.0" else answer
        assert named(explained) == (1, revision)


def name_everywhere(client: TestClient, model: str) -> Iterator[Any]:
    """Yield the answers of every call that names a model."""
    yield client.post("/forecast", json={"model": model, "series": ["a"]})
    yield client.get("/forecast", params={"model": model, "series": "a"})
    yield client.get("/forecast/chart", params={"model": model, "series": "a"})
    yield client.post("/anomalies", json={"model": model, "series": ["a"]})
    yield client.post("/anomalies", json={"model": model, "series": ["a"]}, headers={"Prefer": "respond-async"})
    yield client.post("/backtest", json={"model": model, "series": {"ids": ["a"]}, "n_windows": 1})


@pytest.mark.one_database
def test_what_is_no_revision_is_refused_as_what_is_no_version(served: TestClient) -> None:
    for version, revision in ((1, 7), (1, 999_999_999), (9, 0)):
        body = {"version": version, "revision": revision}
        for response in (
            *name_everywhere(served, f"m@{version}.{revision}"),
            served.get(f"/models/m/versions/{version}/bundle", params={"revision": revision}),
            served.put("/models/m/champion", json=body),
        ):
            assert (response.status_code, response.json()["code"]) == (404, "version_not_found"), response.url
    for model in ("m@1.", "m@.1", "m@1.-1", "m@1.1.1", "m@1.x"):
        for response in name_everywhere(served, model):
            assert (response.status_code, response.json()["code"]) == (422, "invalid_input"), response.url
    assert served.get("/jobs").json()["items"][0]["kind"] == "train", "nothing was queued"


def test_a_version_names_its_revisions(
    served: TestClient, database: Database, settings: Settings, refreshed: Trained
) -> None:
    before = served.get("/models/m/versions/1").json()
    assert (before["revision"], before["revisions"]) == (0, [])
    assert served.get("/models/m").json()["revision"] == 0
    publish_revision(database, settings, refreshed)
    publish_revision(database, settings, refreshed, promoted=False)
    version = served.get("/models/m/versions/1").json()
    assert served.get("/models/m/versions").json()["items"] == [version]
    assert (version["revision"], [one["revision"] for one in version["revisions"]]) == (1, [1, 2])
    assert [(one["promoted"], one["can_serve"]) for one in version["revisions"]] == [(True, True), (False, True)]
    assert version["revisions"][1]["data_end"] == "2024-01-17T15:00:00+00:00"
    assert version["revisions"][1]["metrics"] == {"refreshed": {"mae": 1.0}, "before": {"mae": 1.1}}
    changed = {name for name in version if version[name] != before[name]}
    assert changed == {"revision", "revisions"}, "the version itself is what it was"
    assert served.get("/models/m").json()["revision"] == 1
    assert [model["revision"] for model in served.get("/models").json()["items"]] == [0, 1]


def test_a_revision_is_undone_like_a_promotion(
    served: TestClient, other: TestClient, database: Database, settings: Settings, refreshed: Trained, trained: Trained
) -> None:
    publish(database, settings, trained, ended=True, promoted=False)
    publish_revision(database, settings, refreshed)
    tag = served.get("/forecast", params={"model": "m@1.0", "series": "a"}).headers["etag"]
    assert promote(served, version=1, revision=0)["revision"] == 0
    for one in (served, other):
        forecast(one, "m@1.0")
        assert named(forecast(one)) == named(forecast(one, "m@1")) == (1, 0)
    told = promote(served, version=2)
    assert (told["champion"], told["revision"]) == (2, 0)
    assert promote(served, version=1)["revision"] == 0, "a version comes back as what it was"
    assert promote(served, version=1, revision=1)["revision"] == 1
    forecast(other, "m@1.1")
    assert named(forecast(other)) == (1, 1)
    assert served.get("/forecast", params={"model": "m@1.0", "series": "a"}).headers["etag"] == tag


@pytest.mark.one_database
def test_a_tag_holds_for_one_revision(
    served: TestClient, database: Database, settings: Settings, refreshed: Trained
) -> None:
    def get(model: str, tag: str = '"x"') -> Any:
        return served.get("/forecast", params={"model": model, "series": "a"}, headers={"if-none-match": tag})

    tag = get("m").headers["etag"]
    assert get("m", tag).status_code == 304
    publish_revision(database, settings, refreshed)
    forecast(served, "m@1.1")
    response = get("m", tag)
    assert (response.status_code, named(response.json())) == (200, (1, 1))
    assert response.headers["etag"] != tag
    assert get("m", response.headers["etag"]).status_code == 304
    promote(served, version=1, revision=0)
    assert get("m", tag).status_code == 304, "what was forecast before is forecast again"


@pytest.mark.one_database
def test_as_a_table_the_revision_is_in_a_header(
    served: TestClient, database: Database, settings: Settings, refreshed: Trained
) -> None:
    publish_revision(database, settings, refreshed)
    for model, named in (("m@1.1", "m@1.1"), ("m@1", "m@1.1"), ("m@1.0", "m@1")):
        response = served.get("/forecast", params={"model": model, "series": "a", "format": "csv"})
        assert response.headers["x-model-version"] == named


@pytest.mark.one_database
def test_bundles_are_of_one_revision(
    served: TestClient, database: Database, settings: Settings, refreshed: Trained, trained: Trained
) -> None:
    publish_revision(database, settings, refreshed)
    expected = {None: (refreshed, "m-1.1.zip"), 0: (trained, "m-1.zip"), 1: (refreshed, "m-1.1.zip")}
    for revision, (made, filename) in expected.items():
        params = {} if revision is None else {"revision": revision}
        response = served.get("/models/m/versions/1/bundle", params=params)
        assert f'"{filename}"' in response.headers["content-disposition"]
        bundle = zipfile.ZipFile(io.BytesIO(response.content))
        assert bundle.read("graph.onnx") == (made.folder / "graph.onnx").read_bytes()


def list_manifests(settings: Settings) -> list[Path]:
    return list((settings.data_dir / "artifacts").rglob("manifest.json"))


def test_the_files_go_with_the_version(
    served: TestClient, database: Database, settings: Settings, refreshed: Trained, trained: Trained
) -> None:
    publish(database, settings, trained, ended=True)
    publish_revision(database, settings, refreshed)
    assert len(list_manifests(settings)) == 3
    assert named(forecast(served, "m@1.1")) == (1, 1)
    assert served.delete("/models/m/versions/1").status_code == 204
    assert len(list_manifests(settings)) == 1
    for model in ("m@1", "m@1.0", "m@1.1"):
        response = served.post("/forecast", json={"model": model, "series": ["a"]})
        assert (response.status_code, response.json()["code"]) == (404, "version_not_found"), model
    publish_revision(database, settings, refreshed, version=2)
    assert served.delete("/models/m").status_code == 204
    assert list_manifests(settings) == []
