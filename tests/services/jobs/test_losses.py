"""/jobs/{id}/losses and the event `losses`: a training's curve while it grows, after a crash, and at the end."""

import json

import pytest
from fastapi.testclient import TestClient

from app.services.jobs.losses import LossRecorder
from app.services.runs.journal import Journal
from app.storage import jobs, keys
from app.storage.engine import Database
from tests.services.stored import claimed

JOB = "j"
RUNNING = {"phase": "select", "fraction": 0.5, "eta_s": None}


@pytest.fixture(autouse=True)
def job(database: Database) -> None:
    """A queued training."""
    with database.write() as session:
        jobs.add(session, keys.get_default_scope(session), id=JOB, kind="train", request={})


def test_the_curve_grows_with_the_progress_and_is_told_from_its_first_epoch(
    client: TestClient, database: Database
) -> None:
    assert client.get(f"/jobs/{JOB}/losses").json()["epochs"] == []
    journal = Journal(database, claimed(database, JOB))
    journal.add_losses(0, "select", (0.9,), (0.8,))
    journal.tell(RUNNING)
    journal.add_losses(0, "select", (0.9, 0.5, 0.4), (0.8, 0.6, 0.7))
    journal.tell_losses()
    journal.add_losses(3, "refit", (0.6,), ())
    journal.tell_losses()
    journal.tell_losses()  # nothing is new
    journal.close()
    assert client.get(f"/jobs/{JOB}/losses").json() == {
        "epochs": [1, 2, 3, 4],
        "phases": ["select", "select", "select", "refit"],
        "train": [0.9, 0.5, 0.4, 0.6],
        "val": [0.8, 0.6, 0.7, None],
        "best": 2,
    }
    client.post(f"/jobs/{JOB}/cancel")
    with database.write() as session:
        jobs.append_log(session, journal.fence, None)
    stream = client.get(f"/jobs/{JOB}/events").text
    assert [line[7:] for line in stream.splitlines() if line.startswith("event: ")] == ["losses"] * 3 + ["end"]
    parts = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    assert parts[1] == {"epochs": [2, 3], "phases": ["select", "select"], "train": [0.5, 0.4], "val": [0.6, 0.7]}


def test_epochs_that_are_repeated_after_a_crash_replace_those_before(client: TestClient, database: Database) -> None:
    first = Journal(database, claimed(database, JOB))
    first.add_losses(0, "select", (0.9, 0.5, 0.4), (0.8, 0.6, 0.5))
    first.tell(RUNNING)
    first.close()
    second = Journal(database, claimed(database, JOB))
    second.add_losses(0, "select", (0.9, 0.3), (0.8, 0.2))
    second.tell(RUNNING)
    second.close()
    curve = client.get(f"/jobs/{JOB}/losses").json()
    assert (curve["train"], curve["val"], curve["best"]) == ([0.9, 0.3], [0.8, 0.2], 2)


def test_the_last_epochs_of_a_phase_wait_for_the_next_one() -> None:
    recorder = LossRecorder()
    recorder.add(0, "select", (0.9,), (0.8,))
    recorder.note_stored()
    recorder.add(0, "select", (0.9, 0.5), (0.8, 0.6))
    recorder.add(2, "refit", (0.7,), ())
    assert recorder.list_unstored() == {
        "epochs": [2, 3],
        "phases": ["select", "refit"],
        "train": [0.5, 0.7],
        "val": [0.6, None],
    }
    recorder.note_stored()
    assert recorder.list_unstored() == {}


def test_a_job_that_is_not_there(client: TestClient) -> None:
    assert client.get("/jobs/none/losses").json()["code"] == "job_not_found"
