"""The audit log: every change has an entry, written with it, and nobody sees another project's."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.config import Settings
from app.errors import ErrorCode, Unavailable
from app.main import create_app
from app.services import audit
from app.services.access.keys import KeyService
from app.storage.engine import Database
from app.storage.tables import AuditEntry, JobRow, SeriesRow
from tests.trained import Trained, publish

ONE = pytest.mark.one_database
RULE = {"match": {"__name__": "m"}, "freq": "h", "aggregate": "mean", "id": "x"}
SEND = [{"webhook": "https://example.org/x", "secret": "s" * 20}]
ALERT = {"on": "data", "series": ["a"], "when": {"silent_for": "6h"}, "send": SEND}


def entries(client: TestClient, **params: Any) -> list[dict[str, Any]]:
    answer = client.get("/audit", params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_changes_are_written_down_with_what_was_before_and_after(client: TestClient) -> None:
    headers = {"x-request-id": "the-call"}
    client.post("/series", json={"id": "a", "freq": "h"}, headers=headers)
    client.put("/series/a", json={"freq": "h", "unit": "kW"})
    client.delete("/series/a")
    deleted, changed, made = entries(client)
    assert [one["action"] for one in (made, changed, deleted)] == ["series.create", "series.change", "series.delete"]
    assert made["request_id"] == "the-call"
    assert {one["target"] for one in (made, changed, deleted)} == {"a"}
    assert {one["who"] for one in (made, changed, deleted)} == {"anyone"}
    assert made["address"] == "testclient"
    assert (made["before"], made["after"]["unit"]) == (None, None)
    assert (changed["before"]["unit"], changed["after"]["unit"]) == (None, "kW")
    assert (deleted["before"]["unit"], deleted["after"]) == ("kW", None)


def test_every_call_that_changes_something_has_an_entry(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    ds = ["2024-01-01T00:00:00Z"]
    calls: list[tuple[str, str, Any, str | None]] = [
        ("POST", "/series", {"id": "a", "freq": "h"}, "series.create"),
        ("PUT", "/series/a", {"freq": "h"}, "series.change"),
        ("PUT", "/series/b", {"freq": "h"}, "series.create"),
        ("POST", "/series/a/observations", {"ds": ds, "y": [1.0]}, None),
        ("PUT", "/covariates/t", {"kind": "numeric"}, "covariate.set"),
        ("DELETE", "/covariates/t", None, "covariate.delete"),
        ("PUT", "/retention", {"keep": "10000D"}, "retention.set"),
        ("DELETE", "/retention", None, "retention.delete"),
        ("PUT", "/ingest/rules/r", RULE, "rule.set"),
        ("DELETE", "/ingest/rules/r", None, "rule.delete"),
        ("PUT", "/alerts/q", ALERT, "alert.set"),
        ("DELETE", "/alerts/q", None, "alert.delete"),
        ("PUT", "/models/m/schedule", {"forecast": "5 * * * *"}, "schedule.set"),
        ("DELETE", "/models/m/schedule", None, "schedule.delete"),
        ("PUT", "/models/m/watch", {"series": ["a"]}, "watch.set"),
        ("POST", "/anomalies/verdicts", {"series": "a", "ds": ds[0], "verdict": "normal"}, "verdict.set"),
        ("DELETE", "/models/m/watch", None, "watch.delete"),
        ("PUT", "/models/m/champion", {"version": 1}, "champion.set"),
        ("POST", "/models/m/refresh", None, "refresh.start"),
        ("POST", "/train", {"model": "n", "series": ["a"], "horizon": 3}, None),
        ("POST", "/keys", {"name": "k", "scopes": ["read"]}, "key.create"),
        ("POST", "/keys/1/rotate", None, "key.rotate"),
        ("DELETE", "/keys/1", None, "key.revoke"),
        ("PUT", "/projects/p", {}, "project.set"),
        ("DELETE", "/projects/p", None, "project.delete"),
        ("DELETE", "/series/a/observations", None, "observations.delete"),
        ("DELETE", "/series/a", None, "series.delete"),
    ]
    for method, path, body, action in calls:
        before = len(entries(client, limit=1000))
        answer = client.request(method, path, json=body)
        if action is None:
            continue
        assert answer.status_code < 300, (method, path, answer.text)
        now = entries(client, limit=1000)
        assert len(now) == before + 1, (method, path)
        assert now[0]["action"] == action, (method, path)
    job = entries(client, action="refresh")[0]["target"]
    for _ in range(2):  # the second time nothing is done any more
        assert client.post(f"/jobs/{job}/cancel").status_code == 200
    assert [one["action"] for one in entries(client, limit=2)].count("job.cancel") == 1
    with database.write() as session:  # its training is not over in this world
        session.execute(update(JobRow).values(status="succeeded"))
    answer = client.delete("/models/m")
    assert answer.status_code == 204, answer.text
    assert entries(client)[0]["action"] == "model.delete"
    text = json.dumps(entries(client, limit=1000))
    assert "s" * 20 not in text, "secrets stay out of it"
    assert '"key": "gk_' not in text


@ONE
def test_an_entry_and_its_change_are_one(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/series", json={"id": "a", "freq": "h"})

    def refuse(*_: Any, **__: Any) -> None:
        raise Unavailable(ErrorCode.storage_full, "the disk is full")

    monkeypatch.setattr(audit.audit, "add", refuse)
    assert client.delete("/series/a").status_code == 503
    with database.read() as session:
        assert session.execute(select(SeriesRow.id)).scalars().all() == ["a"]
        assert session.execute(select(AuditEntry.action)).scalars().all() == ["series.create"]


@ONE
def test_pages_filters_and_exports(client: TestClient) -> None:
    for number in range(5):
        client.post("/series", json={"id": f"s{number}", "freq": "h"})
    client.delete("/series/s0")
    first = client.get("/audit", params={"limit": 2, "action": "series.create"}).json()
    assert [one["target"] for one in first["items"]] == ["s4", "s3"]
    rest = client.get("/audit", params={"cursor": first["next_cursor"], "action": "series.create"}).json()
    assert [one["target"] for one in rest["items"]] == ["s2", "s1", "s0"]
    assert len(entries(client, action="series")) == 6
    assert entries(client, action="serie") == []
    assert entries(client, since="2999-01-01T00:00:00Z") == []
    assert client.get("/audit", params={"since": "yesterday"}).status_code == 422
    lines = client.get("/audit", params={"format": "ndjson"}).text.splitlines()
    assert len(lines) == 6
    assert json.loads(lines[0])["action"] == "series.delete"


def test_each_project_has_its_own(settings: Settings, database: Database) -> None:
    file = settings.data_dir / "key"
    file.write_text("gk_" + "b" * 40)
    with TestClient(create_app(settings.model_copy(update={"auth": "on", "bootstrap_key_file": file}))) as client:
        admin = {"authorization": f"Bearer {file.read_text()}"}
        client.put("/projects/team", json={}, headers=admin)
        scopes = ["write", "admin"]
        key = client.post("/keys", json={"name": "k", "scopes": scopes, "project": "team"}, headers=admin).json()["key"]
        theirs = {"authorization": f"Bearer {key}"}
        client.post("/series", json={"id": "a", "freq": "h"}, headers=theirs)
        mine = client.get("/audit", headers=admin).json()["items"]
        assert [(one["action"], one["who"]) for one in mine] == [
            ("key.create", "key bootstrap"),
            ("project.set", "key bootstrap"),
        ]
        other = client.get("/audit", headers=theirs).json()["items"]
        assert [(one["action"], one["who"]) for one in other] == [
            ("series.create", "key k"),
            ("key.create", "key bootstrap"),
        ]
        number = client.get("/keys", params={"project": "team"}, headers=admin).json()["items"][0]["id"]
        assert other[0]["key"] == number
        reader = KeyService(database, auth=True).create("r").secret
        assert client.get("/audit", headers={"authorization": f"Bearer {reader}"}).status_code == 403
