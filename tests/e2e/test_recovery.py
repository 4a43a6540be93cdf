"""Workers that die, hang or are told to stop: no job is lost, none is published twice."""

import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.config import Settings
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.tables import WorkerLease
from tests.e2e.conftest import store
from tests.e2e.processes import PATIENCE, Service, children, family, lives, until
from tests.trained import Trained, publish

EPOCHS = 12
SMALL = {"hidden": 8, "basis": False, "ets": False}
LONG = {"epochs": 100_000, "steps_per_epoch": 20}
SHORT = {"epochs": EPOCHS, "steps_per_epoch": 60, "batch_size": 64}
GRADUAL = {**SHORT, "learning_rate": 1e-4}
"""every epoch is better than the one before, so the refit takes all of them"""


def train(service: Service, **training: Any) -> str:
    body: dict[str, Any] = {
        "model": "m",
        "series": {"ids": ["a"]},
        "horizon": 24,
        "promote": "always",
        "network": SMALL,
    }
    body["training"] = training
    job: dict[str, str] = service.call("POST", "/train", body)
    return f"/jobs/{job['id']}"


def job_at_epoch(service: Service, job: str, epoch: int) -> dict[str, Any]:
    return job_where(service, job, lambda progress: (progress["epoch"] or 0) >= epoch, f"epoch {epoch}")


def job_where(service: Service, job: str, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        found: dict[str, Any] = service.call("GET", job)
        assert found["status"] in ("queued", "running"), found
        return found if wanted(found["progress"]) else None

    return until(reached, PATIENCE, what)


def mostly_done(progress: dict[str, Any]) -> bool:
    """Whether 60 % of the epochs are done: fewer are left once the selection knows how many the refit takes."""
    return bool(progress["epochs"]) and progress["epoch"] >= 0.6 * progress["epochs"]


def training_at_epoch(
    service: Service, epoch: int, **training: Any
) -> tuple[subprocess.Popen[bytes], str, dict[str, Any]]:
    """Start an API and the worker `w1` and train; return the worker, the job's path, and the job at `epoch`."""
    service.serve()
    store(service)
    worker = service.worker("w1")
    job = train(service, **training)
    return worker, job, job_at_epoch(service, job, epoch)


def taken_over(service: Service, job: str, seconds: float) -> None:
    until(lambda: service.call("GET", job)["attempt"] == 2, seconds, "another worker has taken the job")


def nothing_is_left(service: Service) -> None:
    left = service.folder / "data" / "artifacts" / "1" / "jobs"
    until(lambda: not list(left.glob("*/*")), 5, "no checkpoint is left behind")


def finished(service: Service, job: str, seconds: float = PATIENCE) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = service.call("GET", job)
        return found if found["status"] in ("succeeded", "failed", "cancelled") else None

    return until(ended, seconds, "the job has ended")


@pytest.mark.slow
def test_a_killed_workers_job_continues_elsewhere(service: Service) -> None:
    service.serve()
    store(service)
    first, second = service.worker("w1"), service.worker("w2")
    job = train(service, **GRADUAL)
    before = job_where(service, job, mostly_done, "60 % of its epochs")
    victim = until(lambda: next((w for w in (first, second) if children(w)), None), 10, "a worker trains")
    orphans = children(victim)
    victim.kill()
    until(lambda: not any(map(lives, orphans)), 5, "the orphan is gone")
    killed_at = service.call("GET", job)["progress"]["epoch"]
    taken_over(service, job, 30)
    epochs = []

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = service.call("GET", job)
        epochs.append(found["progress"]["epoch"] or 0)
        return found if found["status"] in ("succeeded", "failed") else None

    end = until(ended, PATIENCE, "the job has ended")
    assert (end["status"], end["attempt"], end["version"]) == ("succeeded", 2, 1), end
    # an epoch is told before its checkpoint is written
    assert min(epochs) >= before["progress"]["epoch"] - 1, "the epoch counter went on from the checkpoint"
    (resumed,) = re.findall(r"training_continued .*epoch=(\d+)", service.log("w1") + service.log("w2"))
    assert killed_at - int(resumed) <= 1, "what was lost is less than one checkpoint's interval, here an epoch"
    assert service.call("GET", "/models/m")["versions"] == [1]
    curve = service.call("GET", "/models/m/versions/1")["loss_curve"]
    assert len(curve["train"]) == EPOCHS, "no epoch was trained twice in the curve, and none is missing"


@pytest.mark.slow
@pytest.mark.one_database("postgresql")
def test_a_worker_that_hung_publishes_nothing(service: Service) -> None:
    """The worker is stopped past its lease, its training goes on meanwhile, and then the worker continues."""
    first, job, _ = training_at_epoch(service, 2, **LONG)
    (trainer,) = children(first)
    with service.frozen(first):
        service.worker("w2")
        taken_over(service, job, 30)
        until(lambda: not lives(trainer), 5, "the replaced trainer has stopped")
    until(lambda: "exit_status=75" in service.log("w1"), 10, "the first worker saw that it was replaced")
    service.call("POST", job + "/cancel")
    assert finished(service, job)["status"] == "cancelled"
    assert service.call("GET", "/models/m")["versions"] == []


@pytest.mark.slow
@pytest.mark.one_database("postgresql")
def test_a_trainer_that_hung_publishes_nothing(service: Service) -> None:
    """Worker and trainer are stopped together, the job succeeds elsewhere, then both continue."""
    first, job, _ = training_at_epoch(service, 2, **SHORT)
    (trainer,) = children(first)
    service.hang(trainer)
    with service.frozen(first):
        service.worker("w2")
        end = finished(service, job)
        assert (end["status"], end["attempt"], end["version"]) == ("succeeded", 2, 1)
    trainer.send_signal(signal.SIGCONT)
    until(lambda: "exit_status=75" in service.log("w1"), 15, "the replaced trainer has stopped")
    assert service.call("GET", "/models/m")["versions"] == [1]
    assert service.call("GET", job) == end


@pytest.mark.one_database
@pytest.mark.slow
def test_cancelling_ends_the_process_within_two_seconds(service: Service) -> None:
    worker, job, _ = training_at_epoch(service, 1, **LONG)
    (trainer,) = children(worker)
    assert service.call("POST", job + "/cancel")["status"] == "cancelled"
    until(lambda: not lives(trainer), 2, "the trainer has stopped")
    assert service.call("GET", job)["error"] is None
    second = train(service, **{**SHORT, "epochs": 1})
    assert finished(service, second)["status"] == "succeeded", "the worker goes on with the next job"
    nothing_is_left(service)


@pytest.mark.slow
@pytest.mark.long
def test_a_worker_told_to_stop_hands_its_job_on(service: Service) -> None:
    number = signal.SIGTERM if service.environment["GATECAST_DATABASE_URL"].startswith("sqlite") else signal.SIGINT
    first, job, before = training_at_epoch(service, 2, **LONG)
    parts = family(first.pid)
    first.send_signal(number)
    assert first.wait(10) == 0
    until(lambda: not any(map(lives, parts)), 10, "its processes are gone")
    service.worker("w2")
    taken_over(service, job, 10)
    after = job_at_epoch(service, job, before["progress"]["epoch"] + 1)
    assert after["attempt"] == 2
    service.call("POST", job + "/cancel")


@pytest.mark.slow
@pytest.mark.one_database
def test_a_killed_trainer_fails_its_job_and_says_so(service: Service) -> None:
    worker, job, _ = training_at_epoch(service, 1, **LONG)
    (trainer,) = children(worker)
    trainer.kill()
    end = finished(service, job, 10)
    assert (end["status"], end["error"]["code"], end["version"]) == ("failed", "trainer_crashed", None)
    assert "SIGKILL" in end["error"]["detail"]
    assert "memory" in end["error"]["detail"]
    nothing_is_left(service)


@pytest.mark.slow
@pytest.mark.one_database
def test_an_outage_postpones_a_job(service: Service) -> None:
    """The artifact store is away when the job begins, and comes back."""
    service.serve()
    store(service)
    artifacts = service.folder / "data" / "artifacts"
    shutil.rmtree(artifacts, ignore_errors=True)
    artifacts.write_text("a file where the folder should be")
    service.worker("w1")
    job = train(service, epochs=1)
    until(lambda: "job_postponed" in service.log("w1"), PATIENCE, "the first attempt has met the outage")
    assert service.call("GET", job)["status"] == "running"
    artifacts.unlink()
    end = finished(service, job)
    assert (end["status"], end["version"]) == ("succeeded", 1)
    assert end["attempt"] >= 2


@pytest.mark.slow
def test_a_killed_workers_refresh_begins_again_and_is_published_once(
    service: Service, settings: Settings, trained: Trained
) -> None:
    """The worker dies while its job's process hangs, which goes on when another worker has refreshed the model."""
    database = Database(settings.database)
    publish(database, settings.model_copy(update={"data_dir": service.folder / "data"}), trained, ended=True)
    database.dispose()
    service.serve()
    store(service)
    first = service.worker("w1")
    job = f"/jobs/{service.call('POST', '/models/m/refresh')['id']}"
    (refresher,) = until(lambda: children(first), PATIENCE, "the refresh has begun")
    service.hang(refresher)
    first.kill()
    service.worker("w2")
    end = finished(service, job)
    assert (end["status"], end["attempt"], end["result"]["revision"]) == ("succeeded", 2, 1), end
    if lives(refresher):
        refresher.send_signal(signal.SIGCONT)
    until(lambda: not lives(refresher), 15, "the replaced process has stopped")
    assert [one["revision"] for one in service.call("GET", "/models/m/versions/1")["revisions"]] == [1]
    assert service.call("GET", job) == end
    nothing_is_left(service)


@pytest.mark.slow
@pytest.mark.one_database
def test_a_clock_that_jumps_loses_no_job(service: Service) -> None:
    """The database's clock goes an hour forth, later an hour back: it is the same to leases if they move instead."""
    service.serve()
    store(service)
    workers = [service.worker(name) for name in ("w1", "w2")]
    job = train(service, **GRADUAL)
    job_at_epoch(service, job, 2)

    def is_taken() -> bool:
        move_leases(service, -3600)  # a worker that has renewed its lease before anybody looked keeps its job
        return bool(service.call("GET", job)["attempt"] >= 2)

    until(is_taken, PATIENCE, "to the others it looked silent")
    end = finished(service, job)
    assert (end["status"], end["version"]) == ("succeeded", 1), end
    assert service.call("GET", "/models/m")["versions"] == [1], "whoever lost it has published nothing"
    move_leases(service, 3600)
    until(lambda: longest_lease(service) < 60, 10, "the next renewal has put it right")
    assert [worker.poll() for worker in workers] == [None, None]


def move_leases(service: Service, seconds: int) -> None:
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with database.write() as session:
        session.execute(update(WorkerLease).values(expires_at=WorkerLease.expires_at + seconds * 1_000_000))
    database.dispose()


def longest_lease(service: Service) -> float:
    """Return the seconds from now to the end of the last lease."""
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with database.read() as session:
        last: int = session.execute(select(func.max(WorkerLease.expires_at))).scalar_one()
        moment = now(session)
    database.dispose()
    return (last - moment) / 1_000_000
