"""The built-in model for one frequency, `auto:h`: a model like any other once something refers to it."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.config import Settings
from app.jobs.queue import JobQueue
from app.services.alerts.evaluation import evaluate_due
from app.services.anomalies.watching import Watcher
from app.services.jobs.submission import Submission
from app.services.registry.loader import VersionLoader
from app.services.schedules.service import ScheduleService
from app.serving.cache import ModelCache
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.tables import Schedule, VersionRow
from tests.services.stored import hours, numbers, run_queued, store
from tests.trained import values

HOURLY = {"forecast": "0 * * * *"}
Y = values(500)


def store_days(client: TestClient) -> None:
    client.post("/series", json={"id": "days", "freq": "D"})
    stamps = np.arange("2024-01-01", "2024-04-30", dtype="datetime64[D]").astype(str).tolist()
    y = 50 + np.random.default_rng(0).normal(0, 1, len(stamps))
    assert client.post("/series/days/observations", json={"ds": stamps, "y": numbers(y)}).status_code == 200


def test_before_anything_refers_to_it_it_is_read_and_not_listed(client: TestClient) -> None:
    model = client.get("/models/auto:h").json()
    assert (model["name"], model["builtin"], model["freq"], model["champion"]) == ("auto:h", True, "h", 1)
    assert model["versions"] == [1]
    (version,) = client.get("/models/auto:h/versions").json()["items"]
    assert version == client.get("/models/auto:h/versions/1").json()
    assert version["job"] is None
    assert client.get("/models/auto:h/skill").json()["forecasts"] == 0
    assert client.get("/models/auto:h/archive").json()["items"] == []
    assert [one["name"] for one in client.get("/models").json()["items"]] == ["auto"]


@pytest.mark.parametrize(("name", "hint"), [("auto:60min", "auto:h"), ("auto:xyz", "auto:h"), ("auto:", "auto:h")])
def test_a_name_that_is_no_frequency_says_how_it_is_spelled(client: TestClient, name: str, hint: str) -> None:
    for response in (client.get(f"/models/{name}"), client.put(f"/models/{name}/schedule", json=HOURLY)):
        assert (response.status_code, response.json()["code"]) == (404, "model_not_found")
        assert hint in response.json()["detail"]


def test_it_forecasts_series_of_its_frequency(client: TestClient) -> None:
    store(client, "a", Y[:400])
    store_days(client)
    answer = client.post("/forecast", json={"model": "auto:h", "series": ["a", "days"], "horizon": 12}).json()
    own, other = answer["forecasts"]
    assert (answer["model"], answer["version"], own["zero_shot"]) == ("auto:h", 1, True)
    assert other["error"]["code"] == "frequency_mismatch"
    same = client.post("/forecast", json={"model": "auto", "series": ["a"], "horizon": 12}).json()["forecasts"][0]
    assert own["yhat"] == same["yhat"]


def test_scheduled_forecasts_are_archived_and_judged(
    client: TestClient, database: Database, settings: Settings
) -> None:
    store(client, "a", Y[:400])
    store_days(client)
    assert client.put("/models/auto:h/schedule", json=HOURLY).status_code == 200
    _, hourly = client.get("/models").json()["items"]
    assert (hourly["name"], hourly["builtin"], hourly["schedule"]["forecast"]) == ("auto:h", True, HOURLY["forecast"])
    assert client.get("/jobs").json()["items"] == []
    with database.write() as session:
        session.execute(update(Schedule).values(forecast_at=0))
    queue = JobQueue(database)
    ScheduleService(database, Submission(queue, settings)).start_due()
    queue.close()
    (job,) = client.get("/jobs").json()["items"]
    assert (job["kind"], job["model"]) == ("forecast", "auto:h")
    ended = run_queued(client, database, settings, job["id"])
    assert (ended["status"], ended["error"]) == ("succeeded", None)
    (kept,) = client.get("/models/auto:h/archive").json()["items"]
    assert (kept["series_id"], kept["origin"]) == ("a", hours(399, 400)[0])
    body = {"ds": hours(400, 448), "y": numbers(Y[400:448])}
    assert client.post("/series/a/observations", json=body).status_code == 200
    skill = client.get("/models/auto:h/skill").json()
    assert skill["forecasts"] == 1
    assert skill["overall"]["n"] == 32, skill["overall"]
    assert skill["overall"]["model"]["mase"] < 1.5, skill["overall"]
    assert skill["drift"]["status"] == "unknown"
    assert client.delete("/models/auto:h").status_code == 204
    assert [one["name"] for one in client.get("/models").json()["items"]] == ["auto"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/models/auto:h/schedule", {"train": "0 3 * * 1"}),
        ("PUT", "/models/auto:h/schedule", {"refresh": "0 3 * * 1"}),
        ("PUT", "/models/auto:h/schedule", {"forecast": "0 * * * *", "train_on_drift": True}),
        ("POST", "/models/auto:h/refresh", {}),
        ("POST", "/backtest", {"model": "auto:h", "series": {"ids": ["a"]}, "n_windows": 2}),
    ],
)
def test_it_is_never_trained(client: TestClient, method: str, path: str, body: Any) -> None:
    store(client, "a", values())
    response = client.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (409, "model_reserved"), response.text


def test_it_is_watched_and_alerts_read_its_alarms(client: TestClient, database: Database, settings: Settings) -> None:
    store(client, "a", Y[:400])
    watch = {"series": ["a"], "alarms_per_week": 1}
    assert client.put("/models/auto:h/watch", json=watch).status_code == 201
    watcher = Watcher(
        database, VersionLoader(ArtifactStore(settings.artifacts), ModelCache(settings.model_cache_bytes))
    )
    watcher.scan_due()
    spike = Y[400:424].copy()
    spike[10] += 30
    body = {"ds": hours(400, 424), "y": numbers(spike)}
    assert client.post("/series/a/observations", json=body).status_code == 200
    assert watcher.scan_due() == 1
    alarms = client.get("/models/auto:h/watch/alarms").json()["items"]
    assert [item["ds"] for item in alarms] == [hours(410, 411)[0]]
    send = [{"webhook": "http://a.example.org/", "secret": "s"}]
    alert = {"on": "anomaly", "model": "auto:h", "when": {"alarm": True}, "send": send}
    assert client.put("/alerts/alarm", json=alert).status_code == 201
    evaluate_due(database)
    assert client.get("/alerts/alarm").json()["problem"] is None


def test_a_release_with_another_network_takes_its_place(client: TestClient, database: Database) -> None:
    assert client.put("/models/auto:D/schedule", json=HOURLY).status_code == 200
    with database.write() as session:
        session.execute(update(VersionRow).values(digest="0" * 64, artifact="auto/D/1"))
    assert client.put("/models/auto:D/schedule", json=HOURLY).status_code == 200
    with database.read() as session:
        row = session.query(VersionRow).one()
        assert row.digest != "0" * 64
        assert row.artifact == "auto/D/8"


@pytest.mark.parametrize("name", ["auto", "auto:h"])
def test_a_bundle_runs_without_gatecast(client: TestClient, tmp_path: Path, name: str) -> None:
    store(client, "a", Y[:400])
    response = client.get(f"/models/{name}/versions/1/bundle")
    assert response.status_code == 200, response.text
    again = client.get(f"/models/{name}/versions/1/bundle", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304
    zipfile.ZipFile(io.BytesIO(response.content)).extractall(tmp_path)
    asked = json.dumps({"y": numbers(Y[:400]), "horizon": 24, "seasons": [24, 168]})
    done = subprocess.run(
        [sys.executable, "-P", "forecast.py"],
        input=asked,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    served = client.post("/forecast", json={"model": "auto", "series": ["a"], "horizon": 24}).json()["forecasts"][0]
    assert found["0.5"] == pytest.approx(served["yhat"], rel=5e-3), "the service reads a longer gap before it"
