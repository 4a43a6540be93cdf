"""A watch over HTTP: values are scanned as they arrive, alarms are listed, verdicts count and move the threshold."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.config import Settings
from app.services.alerts.evaluation import evaluate_due
from app.services.anomalies import watching
from app.services.anomalies.watch import measure_verdicts
from app.services.anomalies.watching import Watcher, sweep_alarms
from app.services.registry.loader import VersionLoader
from app.serving.cache import ModelCache
from app.storage import watches
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.tables import Watch, WatchedSeries
from models.anomaly.watch import convert_to_score
from tests.services.stored import hours, numbers, store
from tests.trained import HORIZON, Trained, publish, values

ONE = pytest.mark.one_database
KNOWN = 300
SPIKE = 25.0


class Watching:
    """The service with the model m of the series a, and the duty of a worker."""

    def __init__(self, client: TestClient, database: Database, settings: Settings) -> None:
        self.client, self.database = client, database
        store_ = ArtifactStore(settings.artifacts)
        self.watcher = Watcher(database, VersionLoader(store_, ModelCache(settings.model_cache_bytes)))

    def put(self, expected: int = 201, **fields: Any) -> Any:
        response = self.client.put("/models/m/watch", json=fields)
        assert response.status_code == expected, response.text
        return response.json()

    def append(self, first: int, y: Any, name: str = "a") -> None:
        body = {"ds": hours(first, first + len(y)), "y": numbers(y)}
        assert self.client.post(f"/series/{name}/observations", json=body).status_code == 200

    def scan(self) -> int:
        with self.database.write() as session:  # so that new series are looked for
            session.execute(update(Watch).values(scanned_at=None))
        return self.watcher.scan_due()

    def get(self, path: str = "/models/m/watch") -> Any:
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def alarms(self, query: str = "") -> list[tuple[str, str]]:
        items = self.get(f"/models/m/watch/alarms{query}")["items"]
        return [(item["series"], item["ds"]) for item in items]

    def threshold(self) -> float:
        """Return the score above which the one series alarms."""
        with self.database.read() as session:
            threshold = session.execute(select(WatchedSeries.threshold)).scalar_one()
        assert threshold is not None
        return threshold

    def judge(self, at: int, verdict: str, name: str = "a") -> None:
        body = {"series": name, "ds": hours(at, at + 1)[0], "verdict": verdict}
        response = self.client.post("/anomalies/verdicts", json=body)
        assert response.status_code == 204, response.text


def usual(first: int, last: int) -> Any:
    return values(400)[first:last]


@pytest.fixture
def watching_m(client: TestClient, database: Database, settings: Settings, trained: Trained) -> Watching:
    y = usual(0, KNOWN)
    y[250] += SPIKE
    store(client, "a", y)
    publish(database, settings, trained)
    return Watching(client, database, settings)


def test_values_are_scanned_as_they_arrive(watching_m: Watching) -> None:
    made = watching_m.put(level=0.9999)
    assert (made["watched"], made["series"], made["level"], made["alarms_per_week"]) == (1, None, 0.9999, None)
    assert watching_m.scan() == 0, "what was there before is history"
    y = usual(KNOWN, KNOWN + 10)
    y[5] += SPIKE
    watching_m.append(KNOWN, y)
    assert watching_m.scan() == 1
    assert watching_m.scan() == 0
    spike = hours(KNOWN + 5, KNOWN + 6)[0]
    assert watching_m.alarms() == [("a", spike)]
    (alarm,) = watching_m.get("/models/m/watch/alarms")["items"]
    assert alarm["y"] == pytest.approx(y[5])
    assert alarm["lower"] < alarm["expected"] < alarm["upper"] < alarm["y"]
    assert watching_m.client.get("/models/m/watch/alarms?format=csv").text.count("\n") == 2
    assert (alarm["score"] > 3.9, alarm["verdict"]) == (True, None)
    assert watching_m.alarms(f"?since={spike[:19]}Z") == [("a", spike)]
    assert watching_m.alarms(f"?since={hours(KNOWN + 6, KNOWN + 7)[0][:19]}Z") == []
    assert watching_m.alarms("?series=b") == []
    watching_m.append(KNOWN + 10, [2 * y[5]])
    watching_m.scan()
    watching_m.append(100, [99.0])
    assert watching_m.scan() == 1
    assert len(watching_m.alarms()) == 2, "a corrected value of the past is not scanned again"
    view = watching_m.get()
    assert (view["alarms"]["total"], view["problem"], view["errors"]) == (2, None, [])
    assert watching_m.client.delete("/models/m/watch").status_code == 204
    missing = watching_m.client.get("/models/m/watch")
    assert (missing.status_code, missing.json()["code"]) == (404, "watch_not_found")
    assert len(watching_m.alarms()) == 2


def test_verdicts_count_and_move_the_threshold(watching_m: Watching) -> None:
    watching_m.put(level=0.9999)
    y = usual(KNOWN, KNOWN + 60)
    y[[5, 25, 50]] += SPIKE
    watching_m.append(KNOWN, y[:30])
    watching_m.scan()
    assert len(watching_m.alarms()) == 2
    watching_m.judge(KNOWN + 5, "anomaly")
    watching_m.judge(KNOWN + 25, "normal")
    watching_m.judge(KNOWN + 1, "anomaly")
    assert watching_m.get()["verdicts"] == {"normal": 1, "anomaly": 2, "precision": 0.5, "recall": 0.5}
    assert [a["verdict"] for a in watching_m.get("/models/m/watch/alarms")["items"]] == ["normal", "anomaly"]
    for at in (5, 25):
        watching_m.judge(KNOWN + at, "normal")
    watching_m.judge(KNOWN + 1, "normal")
    assert watching_m.get()["verdicts"] == {"normal": 3, "anomaly": 0, "precision": 0.0, "recall": None}
    watching_m.append(KNOWN + 30, y[30:])
    watching_m.scan()
    assert len(watching_m.alarms()) == 2, "the like of it was normal"
    assert watching_m.threshold() > convert_to_score(0.9999)
    watching_m.judge(KNOWN + 50, "anomaly")
    for at in (5, 25):
        watching_m.judge(KNOWN + at, "anomaly")
    more = usual(KNOWN + 60, KNOWN + 80)
    more[10] += 3 * SPIKE
    watching_m.append(KNOWN + 60, more)
    watching_m.scan()
    assert watching_m.threshold() <= convert_to_score(0.9999), "the last one was missed, by what was normal before"
    assert watching_m.alarms()[0] == ("a", hours(KNOWN + 70, KNOWN + 71)[0])


@ONE
def test_verdicts_on_nothing_are_refused(watching_m: Watching) -> None:
    def refused(**fields: Any) -> tuple[int, str]:
        body = {"series": "a", "ds": hours(5, 6)[0], "verdict": "normal", **fields}
        response = watching_m.client.post("/anomalies/verdicts", json=body)
        return response.status_code, response.json()["code"]

    assert refused(series="none") == (404, "series_not_found")
    assert refused(ds="2030-01-01T00:00:00Z") == (422, "invalid_timestamp")
    assert refused(ds="soon") == (422, "invalid_timestamp")
    assert refused(verdict="odd")[0] == 422


def test_new_series_are_watched_and_others_forgotten(watching_m: Watching) -> None:
    watching_m.put(series={"labels": {"kind": "hot"}}, level=0.9999)
    assert watching_m.get()["watched"] == 0
    assert watching_m.get()["series"] == {"labels": {"kind": "hot"}}
    watching_m.client.put("/series/a", json={"freq": "h", "labels": {"kind": "hot"}})
    watching_m.scan()
    assert watching_m.get()["watched"] == 1
    y = usual(KNOWN, KNOWN + 4)
    y[2] += SPIKE
    watching_m.append(KNOWN, y)
    watching_m.scan()
    assert len(watching_m.alarms()) == 1
    watching_m.client.put("/series/a", json={"freq": "h", "labels": {"kind": "cold"}})
    watching_m.scan()
    view = watching_m.get()
    assert (view["watched"], view["problem"]) == (0, "no series is there that it could scan")


@ONE
def test_rules_ignore_directions_and_labels(watching_m: Watching) -> None:
    watching_m.put(level=0.9999, ignore=[{"direction": "up"}])
    y = usual(KNOWN, KNOWN + 20)
    y[5] += SPIKE
    y[15] -= 1.5 * SPIKE
    watching_m.append(KNOWN, y)
    watching_m.scan()
    assert watching_m.alarms() == [("a", hours(KNOWN + 15, KNOWN + 16)[0])]
    watching_m.client.put("/series/a", json={"freq": "h", "labels": {"kind": "test"}})
    watching_m.put(expected=200, level=0.9999, ignore=[{"labels": {"kind": "test"}}])
    watching_m.append(KNOWN + 20, [90.0])
    watching_m.scan()
    assert len(watching_m.alarms()) == 1


@ONE
def test_what_is_no_watch_is_refused(watching_m: Watching) -> None:
    for fields in (
        {"level": 0.9, "alarms_per_week": 1.0},
        {"level": 1.0},
        {"alarms_per_week": 0.0},
        {"ahead": HORIZON + 1},
        {"ignore": [{}]},
        {"ignore": [{"direction": "up", "absolute": 1.0}]},
        {"ignore": [{"direction": "sideways"}]},
        {"series": []},
        {"unknown": 1},
    ):
        assert watching_m.client.put("/models/m/watch", json=fields).status_code == 422, fields
    assert watching_m.client.put("/models/none/watch", json={}).status_code == 404
    assert watching_m.client.get("/models/m/watch").status_code == 404


@ONE
def test_a_series_that_cannot_be_scanned_says_why(watching_m: Watching) -> None:
    watching_m.client.post("/series", json={"id": "daily", "freq": "D"})
    watching_m.put(series=["a", "daily"], alarms_per_week=2.0)
    body = {"ds": ["2024-01-01"], "y": [1.0]}
    watching_m.client.post("/series/daily/observations", json=body)
    watching_m.append(KNOWN, usual(KNOWN, KNOWN + 2))
    assert watching_m.scan() == 2
    (error,) = watching_m.get()["errors"]
    assert (error["series"], "frequency 'D'" in error["detail"]) == ("daily", True)


def test_an_alert_reads_the_alarms(watching_m: Watching) -> None:
    send = [{"webhook": "http://a.example.org/", "secret": "s"}]
    for name, when in (("alarm", {"alarm": True}), ("score", {"score": 2.0})):
        body = {"on": "anomaly", "model": "m", "when": when, "send": send}
        assert watching_m.client.put(f"/alerts/{name}", json=body).status_code == 201
    evaluate_due(watching_m.database)
    assert "PUT /models/m/watch" in watching_m.get("/alerts/alarm")["problem"]
    watching_m.put(level=0.9999)

    def said(name: str) -> list[str]:
        evaluate_due(watching_m.database)
        return [event["state"] for event in reversed(watching_m.get(f"/alerts/{name}/events")["items"])]

    y = usual(KNOWN, KNOWN + 12)
    y[3] += SPIKE
    watching_m.append(KNOWN, y[:4])
    watching_m.scan()
    assert said("alarm") == ["firing"]
    (event,) = watching_m.get("/alerts/alarm/events")["items"]
    assert (event["series"], event["ds"], event["model"]) == ("a", hours(KNOWN + 3, KNOWN + 4)[0], "m")
    assert event["value"] > event["threshold"] > 3.8
    watching_m.append(KNOWN + 4, y[4:])
    watching_m.scan()
    assert said("alarm") == ["firing", "resolved"]
    assert said("score")[:1] == ["firing"]
    missed = usual(KNOWN + 12, KNOWN + 22)
    missed[6] += SPIKE
    watching_m.append(KNOWN + 12, missed)
    watching_m.scan()
    assert said("alarm") == ["firing", "resolved", "firing", "resolved"], "it was calm again in the same scan"


def test_a_worker_that_scans_keeps_others_out(watching_m: Watching) -> None:
    watching_m.put(level=0.9999)
    watching_m.append(KNOWN, usual(KNOWN, KNOWN + 2))
    with watching_m.database.write() as session:
        (row,) = watches.list_all(session)
        assert watches.lease(session, row.model_pk, 60_000_000)
    assert watching_m.scan() == 0
    with watching_m.database.write() as session:
        assert not watches.lease(session, row.model_pk, 60_000_000)
        session.execute(update(Watch).values(leased_until=0))
    assert watching_m.scan() == 1


def test_old_alarms_are_swept_but_for_those_with_a_verdict(watching_m: Watching) -> None:
    watching_m.put(level=0.9999)
    y = usual(KNOWN, KNOWN + 40)
    y[[5, 30]] += SPIKE
    watching_m.append(KNOWN, y)
    watching_m.scan()
    watching_m.judge(KNOWN + 5, "anomaly")
    sweep_alarms(watching_m.database, 1.0)
    assert len(watching_m.alarms()) == 2
    sweep_alarms(watching_m.database, 0.0)
    assert watching_m.alarms() == [("a", hours(KNOWN + 5, KNOWN + 6)[0])]


def test_precision_and_recall_by_numbers() -> None:
    counts = {("anomaly", True): 3, ("normal", True): 1, ("anomaly", False): 2, ("normal", False): 7}
    assert measure_verdicts(counts) == {"normal": 8, "anomaly": 5, "precision": 0.75, "recall": 0.6}
    assert measure_verdicts({}) == {"normal": 0, "anomaly": 0, "precision": None, "recall": None}


@ONE
def test_a_long_import_is_history(watching_m: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_STEPS", 5)
    watching_m.put(level=0.9999)
    y = usual(KNOWN, KNOWN + 20)
    y[[3, 17]] += SPIKE
    watching_m.append(KNOWN, y)
    watching_m.scan()
    assert watching_m.alarms() == [("a", hours(KNOWN + 17, KNOWN + 18)[0])]
    assert np.isfinite(y).all()
