"""POST /models/{name}/refresh: what is queued, what is refused, and who may."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.scope import Scope
from app.services.access.keys import KeyService
from app.storage import keys, registry
from app.storage.engine import Database
from app.storage.tables import Project
from tests.services.stored import claimed
from tests.trained import Trained, publish

PATH = "/models/m/refresh"


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    return client


def refused(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_refresh_is_a_job(served: TestClient) -> None:
    response = served.post(PATH, json={"labels": {"team": "x"}, "priority": 7, "timeout_s": 60})
    job = response.json()
    assert (response.status_code, response.headers["location"]) == (202, f"/jobs/{job['id']}")
    told = {name: job[name] for name in ("kind", "model", "status", "labels", "priority", "timeout_s", "queue")}
    assert told == {
        "kind": "refresh",
        "model": "m",
        "status": "queued",
        "labels": {"team": "x"},
        "priority": 7,
        "timeout_s": 60.0,
        "queue": "cpu",
    }
    assert [one["id"] for one in served.get("/jobs?kind=refresh").json()["items"]] == [job["id"]]


def test_one_that_waits_is_answered_again(served: TestClient, database: Database) -> None:
    first = served.post(PATH).json()["id"]
    assert served.post(PATH).json()["id"] == first
    assert served.post(PATH, json={}).json()["id"] == first
    other = served.post(PATH, json={"priority": 9}).json()["id"]
    assert other != first, "what is asked for is not ignored"
    for job in (first, other):
        claimed(database, job)
    assert served.post(PATH).json()["id"] not in (first, other), "one that runs may have read its data already"


@pytest.mark.one_database
def test_a_repeated_call_is_given_its_first_answer(served: TestClient, database: Database) -> None:
    headers = {"idempotency-key": "k"}
    first = served.post(PATH, headers=headers)
    claimed(database, first.json()["id"])
    again = served.post(PATH, headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())


@pytest.mark.one_database
def test_what_cannot_be_refreshed(client: TestClient, database: Database, settings: Settings, trained: Trained) -> None:
    assert refused(client.post(PATH)) == (404, "model_not_found")
    publish(database, settings, trained, promoted=False)
    response = client.post(PATH)
    assert refused(response) == (409, "no_champion")
    assert "m@1" in response.json()["detail"]
    assert client.get("/jobs?kind=refresh").json()["items"] == []
    response = client.post(PATH, json={"version": 1})
    assert refused(response) == (422, "invalid_input")


@pytest.mark.one_database
def test_who_may_refresh(database: Database, settings: Settings, trained: Trained) -> None:
    publish(database, settings, trained)
    service = KeyService(database, auth=True)
    reader = service.create("r", read_only=True).secret
    writer = service.create("w", read_only=False).secret
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as closed:
        assert closed.post(PATH).status_code == 401
        assert refused(closed.post(PATH, headers={"Authorization": f"Bearer {reader}"})) == (403, "scope_missing")
        assert closed.post(PATH, headers={"Authorization": f"Bearer {writer}"}).status_code == 202


def test_another_projects_model_is_not_there(served: TestClient, database: Database) -> None:
    with database.write() as session:
        session.add(Project(name="other"))
        session.flush()
        mine = keys.get_default_scope(session)
        other = Scope(mine.project_id + 1, mine.rights)
        model = registry.get(session, mine, "m")
        assert model is not None
        assert registry.get(session, other, "m") is None
        assert registry.get_by_pk(session, other, model.pk) is None
