"""/access: what a caller may do."""

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.services.access.keys import KeyService
from app.storage.engine import Database

ALL = ["read", "forecast", "write", "train", "admin"]


def test_without_keys_everyone_may_do_everything(client: TestClient) -> None:
    told = client.get("/access")
    assert told.status_code == 200
    assert told.json() == {
        "auth": "off",
        "project": "default",
        "rights": ALL,
        "key": None,
        "who": "anyone",
        "labels": {},
    }


@pytest.mark.parametrize(("read_only", "rights"), [(False, ALL[:4]), (True, ALL[:2])])
def test_a_key_is_told_its_rights(settings: Settings, database: Database, read_only: bool, rights: list[str]) -> None:
    secret = KeyService(database, auth=True).create("dashboard", read_only=read_only).secret
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
        told = client.get("/access", headers={"authorization": f"Bearer {secret}"})
        written = client.post("/series", json={"id": "a", "freq": "h"}, headers={"authorization": f"Bearer {secret}"})
    assert told.json() == {
        "auth": "on",
        "project": "default",
        "rights": rights,
        "key": "dashboard",
        "who": "key dashboard",
        "labels": {},
    }
    assert written.status_code == (201 if "write" in rights else 403)


def test_nobody_else_is_told_anything(settings: Settings, database: Database) -> None:
    key = KeyService(database, auth=True).create("gone")
    KeyService(database, auth=True).revoke(key.number)
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
        without = client.get("/access")
        revoked = client.get("/access", headers={"authorization": f"Bearer {key.secret}"})
    for refused in (without, revoked):
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://testserver"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://testserver"}, 200),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.test"}, 403),
        ({"origin": "https://evil.test"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_change_nothing_where_nobody_needs_a_key(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    """A form with a file is what a page may send to another machine, and to this one, without asking."""
    files = {"file": ("a.csv", "unique_id,ds,y\na,2024-01-01,1\n", "text/csv")}
    assert client.post("/series/import?freq=D", files=files, headers=headers).status_code == status
    lines = client.post("/api/v2/write", content=b"cpu v=1", headers={"content-type": "text/plain", **headers})
    assert (lines.status_code == 403) == (status == 403)
    assert len(client.get("/series", headers=headers).json()["items"]) == (1 if status == 200 else 0)
