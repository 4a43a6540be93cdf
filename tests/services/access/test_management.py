"""Keys over HTTP: what they may do, how they are rotated and end, and that projects see nothing of each other."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.api import compat
from app.config import Settings
from app.main import create_app
from app.scope import Right, Scope
from app.services.access.keys import Caller, KeyService
from app.storage.engine import Database
from app.storage.tables import ApiKey, JobRow, ModelRow, RevisionRow, VersionRow
from tests.e2e.processes import PATIENCE, until

ONE = pytest.mark.one_database
ALL = [right.value for right in Right]


class Keyring:
    """A service that asks for keys, with one that may do everything."""

    def __init__(self, client: TestClient, admin: str) -> None:
        self.client = client
        self.admin = admin

    def call(self, method: str, path: str, body: Any = None, key: str | None = None, status: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {self.admin if key is None else key}"}
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def make(self, *scopes: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.call("POST", "/keys", {"name": "k", "scopes": list(scopes), **more}, status=201)
        return made


@pytest.fixture
def keyring(settings: Settings) -> Iterator[Keyring]:
    file = settings.data_dir / "key"
    file.write_text("gk_" + "b" * 40)
    with TestClient(create_app(settings.model_copy(update={"auth": "on", "bootstrap_key_file": file}))) as client:
        yield Keyring(client, file.read_text())


def test_a_key_is_shown_once_and_does_what_its_scopes_say(keyring: Keyring) -> None:
    made = keyring.make("forecast", "read")
    assert made["scopes"] == ["read", "forecast"]
    assert made["key"].startswith(made["begins_with"])
    assert (made["project"], made["expires_at"]) == ("default", None)
    shown = keyring.call("GET", f"/keys/{made['id']}")
    assert shown == {name: value for name, value in made.items() if name != "key"} | {"last_used_at": None}
    assert shown in keyring.call("GET", "/keys")["items"]
    secret = made["key"]
    assert keyring.call("GET", "/access", key=secret)["rights"] == ["read", "forecast"]
    assert keyring.call("GET", "/series", key=secret)["items"] == []
    refused = keyring.call("POST", "/series", {"id": "a", "freq": "h"}, key=secret, status=403)
    assert refused["code"] == "scope_missing"
    assert "'write'" in refused["detail"]
    assert "read, forecast" in refused["detail"]


def test_no_scope_implies_another(keyring: Keyring) -> None:
    """Every operation of the OpenAPI document, with keys of one scope each."""
    document = keyring.client.get("/openapi.json").json()
    secrets = {scope: keyring.make(scope)["key"] for scope in ALL}
    names = {"number": "9999", "series_id": "x", "name": "x"}
    counts = dict.fromkeys([*ALL, "any", "none"], 0)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            needed = "none" if path == "/metrics" else operation["x-scope"]  # it is open on loopback
            counts[needed] += 1
            address = path
            for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
                address = address.replace(f"{{{name}}}", names.get(name, "1"))
            body = {} if "requestBody" in operation else None
            for scope, secret in secrets.items():
                headers = {"Authorization": f"Bearer {secret}"}
                answer = keyring.client.request(method, address, json=body, headers=headers)
                is_refused = answer.status_code == 403 and answer.json()["code"] == "scope_missing"
                assert is_refused is (needed in ALL and needed != scope), (method, path, needed, scope, answer.text)
                assert answer.status_code < 500, (method, path, answer.text)
            without = keyring.client.request(method, address, json=body)
            assert (without.status_code == 401) is (needed != "none"), (method, path, without.text)
    assert all(counts.values()), counts


def test_scopes_of_foreign_protocols(keyring: Keyring) -> None:
    """They are not in the OpenAPI document; each of their operations stands here."""
    queries = ["/api/v1/query", "/api/v1/query_range"]
    lists = ["/api/v1/labels", "/api/v1/series"]
    needed = {(method, path): "forecast" for path in queries for method in ("GET", "POST")}
    needed |= {(method, path): "read" for path in lists for method in ("GET", "POST")}
    told = ("/api/v1/label/{name}/values", "/api/v1/metadata", "/api/v1/status/buildinfo")
    needed |= {("GET", path): "read" for path in told}
    needed |= {("POST", path): "write" for path in ("/api/v1/write", "/api/v2/write", "/write", "/query")}
    assert set(needed) == {
        (method, item.template)
        for item in keyring.client.app.operations  # type: ignore[attr-defined]
        for method, operation in item.operations.items()
        if isinstance(operation.route, APIRoute) and operation.route.endpoint.__module__.startswith(compat.__name__)
    }
    secrets = {scope: keyring.make(scope)["key"] for scope in ALL}
    for (method, path), own in needed.items():
        for scope, secret in secrets.items():
            answer = keyring.client.request(method, path, headers={"Authorization": f"Bearer {secret}"})
            assert (answer.status_code == 403) is (scope != own), (method, path, scope, answer.text)
        assert keyring.client.request(method, path).status_code == 401


def test_a_rotated_key_has_two_secrets_for_a_while(keyring: Keyring, database: Database) -> None:
    made = keyring.make("read")
    second = keyring.call("POST", f"/keys/{made['id']}/rotate", {"keep": "1h"}, status=201)
    assert (second["id"], second["scopes"]) == (made["id"], ["read"])
    assert second["key"] != made["key"]
    for secret in (made["key"], second["key"]):
        keyring.call("GET", "/series", key=secret)
    third = keyring.call("POST", f"/keys/{made['id']}/rotate", status=201)
    keyring.call("GET", "/series", key=made["key"], status=401)
    for secret in (second["key"], third["key"]):
        keyring.call("GET", "/series", key=secret)
    assert [one["begins_with"] for one in keyring.call("GET", "/keys")["items"][1:]] == [third["begins_with"]]
    with database.write() as session:
        session.execute(update(ApiKey).where(ApiKey.expires_at.is_not(None)).values(expires_at=1))
    keyring.call("GET", "/series", key=second["key"], status=401)
    fourth = keyring.call("POST", f"/keys/{made['id']}/rotate", {"keep": None}, status=201)
    keyring.call("GET", "/series", key=third["key"], status=401)
    keyring.call("GET", "/series", key=fourth["key"])
    keyring.call("DELETE", f"/keys/{made['id']}", status=204)
    keyring.call("GET", "/series", key=fourth["key"], status=401)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        gone = keyring.call(method, f"/keys/{made['id']}{path}", status=404)
        assert gone["code"] == "key_not_found"


def test_forecasts_end_with_a_key_too(keyring: Keyring, database: Database) -> None:
    """The fast route, which asks the database for the key together with what it forecasts from."""
    made = keyring.make("forecast")
    body = {"model": "m", "series": ["a"]}
    for _ in range(2):
        keyring.call("POST", "/forecast", body, key=made["key"], status=404)
    with database.write() as session:
        session.execute(update(ApiKey).where(ApiKey.pk == made["id"]).values(expires_at=1))
    keyring.call("POST", "/forecast", body, key=made["key"], status=401)


@ONE
def test_a_key_expires(keyring: Keyring, database: Database) -> None:
    made = keyring.make("read", expires_at="2999-01-01T00:00:00Z")
    assert made["expires_at"] == "2999-01-01T00:00:00+00:00"
    keyring.call("GET", "/series", key=made["key"])
    with database.write() as session:
        session.execute(update(ApiKey).where(ApiKey.pk == made["id"]).values(expires_at=1))
    refused = keyring.call("GET", "/series", key=made["key"], status=401)
    assert "expired" in refused["detail"]
    assert made["id"] not in [one["id"] for one in keyring.call("GET", "/keys")["items"]]


@ONE
def test_a_typo_is_told_from_a_revoked_key(keyring: Keyring) -> None:
    secret = keyring.make("read")["key"]
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    assert "mistyped" in keyring.call("GET", "/series", key=wrong, status=401)["detail"]


@ONE
def test_the_last_use_is_noted(keyring: Keyring) -> None:
    made = keyring.make("read")
    for _ in range(3):
        keyring.call("GET", "/series", key=made["key"])
    until(lambda: keyring.call("GET", f"/keys/{made['id']}")["last_used_at"], PATIENCE, "the use is noted")


@ONE
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"name": "  "}, "name"),
        ({"name": "a\x1b[2Jb"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"project": "a b"}, "project"),
        ({"labels": {"a": "b"}, "scopes": ["read", "train"]}, "scopes"),
    ],
)
def test_what_makes_no_key_is_refused(keyring: Keyring, changed: dict[str, Any], field: str) -> None:
    body = {"name": "k", "scopes": ["read"], **changed}
    refused = keyring.call("POST", "/keys", body, status=422)
    assert any(field in error["field"] for error in refused["errors"]), refused


def test_projects_see_nothing_of_each_other(keyring: Keyring) -> None:
    assert keyring.call("PUT", "/projects/team", {}, status=201)["name"] == "team"
    keyring.call("PUT", "/projects/team", {}, status=200)
    theirs = keyring.make(*ALL, project="team")["key"]
    keyring.call("POST", "/series", {"id": "a", "freq": "h", "description": "mine"}, status=201)
    assert keyring.call("GET", "/series", key=theirs)["items"] == []
    keyring.call("GET", "/series/a", key=theirs, status=404)
    keyring.call("POST", "/series", {"id": "a", "freq": "D"}, key=theirs, status=201)
    assert keyring.call("GET", "/series/a")["freq"] == "h"
    # an admin of another project manages its own keys alone
    assert [one["name"] for one in keyring.call("GET", "/projects", key=theirs)["items"]] == ["team"]
    assert len(keyring.call("GET", "/keys", key=theirs)["items"]) == 1
    keyring.call("GET", "/keys?project=default", key=theirs, status=404)
    keyring.call("POST", "/keys", {"name": "x", "scopes": ["read"], "project": "default"}, key=theirs, status=404)
    keyring.call("GET", "/projects/default", key=theirs, status=404)
    for method, path in (("GET", "/keys/1"), ("DELETE", "/keys/1"), ("POST", "/keys/1/rotate")):
        keyring.call(method, path, key=theirs, status=404)
    for method, body in (("PUT", {}), ("DELETE", None)):
        keyring.call(method, "/projects/other", body, key=theirs, status=403)
    assert keyring.call("GET", "/keys?project=team")["items"][0]["project"] == "team"


def test_a_project_is_deleted_with_all_that_is_in_it(keyring: Keyring, database: Database) -> None:
    keyring.call("PUT", "/projects/team", {}, status=201)
    theirs = keyring.make(*ALL, project="team")["key"]
    keyring.call("POST", "/series", {"id": "a", "freq": "D"}, key=theirs, status=201)
    body = {"ds": [f"2024-01-{day:02}" for day in range(1, 31)], "y": [float(day) for day in range(30)]}
    keyring.call("POST", "/series/a/observations", body, key=theirs)
    rule = {"match": {"__name__": "m"}, "freq": "h", "aggregate": "mean", "id": "x"}
    keyring.call("PUT", "/ingest/rules/r", rule, key=theirs, status=201)
    job = keyring.call("POST", "/train", {"model": "m", "series": "all", "horizon": 3}, key=theirs, status=202)
    refused = keyring.call("DELETE", "/projects/team", status=409)
    assert (refused["code"], "1 jobs" in refused["detail"]) == ("project_in_use", True)
    keyring.call("POST", f"/jobs/{job['id']}/cancel", key=theirs)
    with database.write() as session:  # a version and a revision of it, each by a job
        model = session.execute(select(ModelRow).where(ModelRow.name == "m")).scalar_one()
        row = session.get(JobRow, job["id"])
        assert row is not None
        made = {"artifact": "a", "digest": "d", "promoted": True, "reason": "", "job_id": row.id}
        about = {"config": {}, "metrics": {}, "loss_curve": {}, "data_span": {}, "warnings": []}
        version = VersionRow(model_pk=model.pk, number=1, **made, **about)
        session.add(version)
        session.flush()
        revision = {"number": 1, "promoted": True, "reason": "", "metrics": {}, "job_id": row.id}
        session.add(RevisionRow(version_pk=version.pk, **revision))
    keyring.call("DELETE", "/projects/team", status=204)
    keyring.call("GET", "/series", key=theirs, status=401)
    keyring.call("GET", "/projects/team", status=404)
    assert keyring.call("DELETE", "/projects/default", status=409)["code"] == "project_in_use"
    assert [one["name"] for one in keyring.call("GET", "/projects")["items"]] == ["default"]
    # another project, and another key, do not get the numbers of these, which are remembered
    keyring.call("POST", "/forecast", {"model": "m", "series": ["a"]}, key=theirs, status=401)
    keyring.call("PUT", "/projects/team", {}, status=201)
    fresh = keyring.make(*ALL, project="team")["key"]
    assert keyring.call("GET", "/series", key=fresh)["items"] == []
    assert {one["action"] for one in keyring.call("GET", "/audit", key=fresh)["items"]} == {"key.create"}
    keyring.call("POST", "/forecast", {"model": "m", "series": ["a"]}, key=theirs, status=401)
    keyring.call("GET", "/series", key=theirs, status=401)


def test_the_first_keys_are_made_without_a_service(database: Database) -> None:
    keys = KeyService(database, auth=True)
    keys.create("ordinary")
    keys.create("reader", read_only=True)
    assert [one["rights"] for one in keys.list()] == [["read", "forecast", "write", "train"], ["read", "forecast"]]


@ONE
def test_an_expired_key_does_not_outlive_an_outage() -> None:
    scope = Scope(1, frozenset(Right), "key k", 1)
    living = Caller(scope, expires_at=2**62)
    assert living.offline_scope(60.0) == Scope(1, frozenset({Right.read, Right.forecast}), "key k", 1)
    assert Caller(scope).offline_scope(60.0) is not None
    assert Caller(scope, expires_at=1).offline_scope(60.0) is None


@ONE
def test_names_with_nul_are_not_there(keyring: Keyring) -> None:
    for method, path in (
        ("GET", "/projects/%00"),
        ("DELETE", "/projects/%00"),
        ("GET", "/alerts/%00"),
        ("GET", "/ingest/rules/%00"),
    ):
        keyring.call(method, path, status=404)
    keyring.call("GET", "/audit?action=%00", status=422)
