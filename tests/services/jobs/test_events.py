"""/jobs/{id}/events and /jobs/{id}/log: followed, left and taken up again."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.services.jobs.events import MOST_EVENTS, EventCursor
from app.storage import jobs
from app.storage.engine import Database
from app.storage.jobs import Fence
from tests.services.stored import claimed, store
from tests.trained import HORIZON, values


@pytest.fixture
def job(client: TestClient) -> str:
    """A queued job."""
    store(client, "a", values())
    asked = client.post("/train", json={"model": "m", "series": {"ids": ["a"]}, "horizon": HORIZON})
    return str(asked.json()["id"])


def events(client: TestClient, job: str, last: str | None = None) -> list[dict[str, Any]]:
    """Follow a job to its end."""
    headers = {"Last-Event-ID": last} if last is not None else {}
    response = client.get(f"/jobs/{job}/events", headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.strip().split("\n\n"):
        if not block.startswith(":"):
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


def write(database: Database, job: str, *lines: str) -> None:
    with database.write() as session:
        jobs.append_log(session, Fence(job, 1), lines)


def ended(database: Database, job: str) -> None:
    """Run a job to a failure, with lines and progress in between."""
    fence = claimed(database, job)
    write(database, job, "reading", "training")
    with database.write() as session:
        jobs.write(session, fence, progress={"fraction": 0.5, "epoch": 3, "epochs": 6, "tick": 7})
    write(database, job, "broken")
    with database.write() as session:
        jobs.finish(session, fence, "failed", error={"code": "diverged", "detail": "the loss is not finite"})
    with database.write() as session:
        jobs.append_log(session, fence, None)


def test_an_ended_job_is_told_from_its_log_to_its_end(client: TestClient, database: Database, job: str) -> None:
    ended(database, job)
    found = events(client, job)
    assert [one["event"] for one in found] == ["log", "log", "end"]
    assert [one["data"]["lines"] for one in found[:2]] == [["reading", "training"], ["broken"]]
    assert found[-1]["data"] == client.get(f"/jobs/{job}").json()
    assert len({one["id"] for one in found}) == 3
    assert client.get(f"/jobs/{job}/log").text == "reading\ntraining\nbroken\n"


def test_a_listener_goes_on_where_it_was(client: TestClient, database: Database, job: str) -> None:
    ended(database, job)
    first, second, last = events(client, job)
    assert events(client, job, first["id"]) == [second, last]
    assert events(client, job, second["id"]) == [last]
    assert events(client, job, last["id"]) == [last]  # it has ended, and says so again
    assert events(client, job, "nonsense") == [first, second, last]


def test_long_logs_come_whole(client: TestClient, database: Database, job: str) -> None:
    fence = claimed(database, job)
    for number in range(MOST_EVENTS + 3):
        write(database, job, f"line {number}")
    with database.write() as session:
        jobs.finish(session, fence, "failed", error={"code": "diverged", "detail": ""})
        jobs.append_log(session, fence, None)
    found = events(client, job)
    assert [one["event"] for one in found] == ["log"] * (MOST_EVENTS + 3) + ["end"]
    assert client.get(f"/jobs/{job}/log").text.splitlines()[-1] == f"line {MOST_EVENTS + 2}"


def test_progress_is_told_once_a_state(client: TestClient, database: Database, job: str) -> None:
    service, scope = client.app.state.services.events, client.app.state.services.keys.authenticate(None)  # type: ignore[attr-defined]
    (queued,) = service.list_after(scope, job, EventCursor())
    assert (queued.kind, queued.data["status"]) == ("progress", "queued")
    assert service.list_after(scope, job, queued.cursor) == []
    fence = claimed(database, job)
    (running,) = service.list_after(scope, job, queued.cursor)
    assert running.data["status"] == "running"
    with database.write() as session:
        jobs.write(session, fence, progress={"fraction": 0.5, "tick": 1})
    (half,) = service.list_after(scope, job, running.cursor)
    assert (half.kind, half.data["progress"]["fraction"]) == ("progress", 0.5)
    assert "tick" not in half.data["progress"]
    assert service.list_after(scope, job, half.cursor) == []


@pytest.mark.parametrize("what", ["events", "log"])
def test_jobs_that_are_not_there(client: TestClient, what: str) -> None:
    for name in ("none", "a b", "%00"):
        assert client.get(f"/jobs/{name}/{what}").json()["code"] == "job_not_found"
