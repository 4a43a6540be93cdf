"""Jobs as workers run them: in order, in time, in their queue, until they are stopped, and across releases."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.config import Settings
from app.jobs import queue
from app.jobs.queue import JobQueue
from app.storage import migrate
from app.storage.engine import Database
from tests.e2e.conftest import store
from tests.e2e.processes import ONE_JOB, Service, until
from tests.e2e.test_recovery import LONG, finished, job_at_epoch, taken_over, training_at_epoch

TINY = {"network": {"hidden": 8, "basis": False}, "training": {"epochs": 1, "steps_per_epoch": 5}}
SQLITE = pytest.mark.one_database
POSTGRESQL = pytest.mark.one_database("postgresql")


def ask(service: Service, **options: Any) -> str:
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 6, "promote": "always", **TINY, **options}
    return str(service.call("POST", "/train", body)["id"])


@POSTGRESQL
@pytest.mark.slow
def test_the_highest_priority_runs_first_and_the_place_in_the_queue_is_told(service: Service) -> None:
    service.serve()
    store(service, n=60)
    jobs = {priority: ask(service, priority=priority) for priority in (2, 9, 5)}
    places = {p: service.call("GET", f"/jobs/{job}")["position"] for p, job in jobs.items()}
    assert places == {9: 1, 5: 2, 2: 3}
    service.worker("w1", GATECAST_PRELOAD="true")
    ended = {p: finished(service, f"/jobs/{job}") for p, job in jobs.items()}
    assert {job["status"] for job in ended.values()} == {"succeeded"}
    assert sorted(ended, key=lambda p: ended[p]["started_at"]) == [9, 5, 2]
    assert {job["position"] for job in ended.values()} == {None}


@pytest.mark.slow
@SQLITE
def test_a_job_that_takes_too_long_fails_and_its_worker_goes_on(service: Service) -> None:
    service.serve()
    store(service)
    service.worker("w1")
    slow, quick = ask(service, training=LONG, timeout_s=4), ask(service)
    end = finished(service, f"/jobs/{slow}")
    assert (end["status"], end["error"]["code"], end["version"]) == ("failed", "job_timed_out", None)
    assert "timeout_s" in end["error"]["hint"]
    assert finished(service, f"/jobs/{quick}")["status"] == "succeeded"


@pytest.mark.slow
@POSTGRESQL
def test_workers_take_jobs_from_their_own_queues(service: Service) -> None:
    service.serve()
    store(service, n=60)
    service.worker("on-gpu", GATECAST_QUEUES="gpu")
    here, there = ask(service), ask(service, queue="gpu")
    assert finished(service, f"/jobs/{there}")["status"] == "succeeded"
    waiting = service.call("GET", f"/jobs/{here}")
    assert (waiting["status"], waiting["queue"], waiting["position"]) == ("queued", "cpu", 1)
    service.worker("on-cpu", GATECAST_QUEUES="cpu")
    assert finished(service, f"/jobs/{here}")["status"] == "succeeded"
    assert there not in service.log("on-cpu")


@pytest.mark.slow
def test_many_jobs_of_one_project_do_not_hold_up_another(service: Service) -> None:
    """Two queues in turn, at random: that thirty come before the one has a chance of one in a thousand million."""
    service.serve()
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    jobs = JobQueue(database)
    with database.write() as session:  # they end as soon as they begin: no job has these ids
        for number in range(30):
            jobs.enqueue(session, f"many{number}", 1, "cpu", 9)
        jobs.enqueue(session, "one", 2, "cpu", 0)
    jobs.close()
    schema = "" if database.dialect == "sqlite" else "dbos."

    def ended() -> set[str]:
        with database.read() as session:
            query = text(f"SELECT workflow_uuid FROM {schema}workflow_status WHERE status = 'SUCCESS'")
            return set(session.execute(query).scalars())

    service.worker("w1")
    until(lambda: "one" in ended(), 60, "the one job of the other project has run")
    assert len(ended()) < 31
    database.dispose()


@SQLITE
@pytest.mark.slow
def test_cancelling_may_keep_the_best_network(service: Service) -> None:
    _, job, _ = training_at_epoch(service, 3, **LONG)
    asked = service.call("POST", job + "/cancel", {"keep_best": True})
    assert (asked["status"], asked["stopping"]) == ("running", True)
    end = finished(service, job)
    assert (end["status"], end["version"], end["error"]) == ("cancelled", 1, None)
    version = service.call("GET", "/models/m/versions/1")
    assert (version["promoted"], "stopped" in version["warnings"]) == (False, True)
    assert version["metrics"]["gate"]["mase"] > 0
    forecast = service.call("POST", "/forecast", {"model": "m@1", "series": ["a"]})["forecasts"][0]
    assert len(forecast["yhat"]) == 24


@SQLITE
@pytest.mark.slow
def test_a_worker_told_to_stop_keeps_what_its_job_has_done(service: Service) -> None:
    """No checkpoint is due for hours: the one that is there was written because the worker was to stop."""
    service.environment["GATECAST_CHECKPOINT_SECONDS"] = "10000"
    first, job, before = training_at_epoch(service, 3, **LONG)
    first.terminate()
    assert first.wait(30) == 0
    assert "job_handed_over" in service.log("w1")
    service.worker("w2")
    taken_over(service, job, 10)
    job_at_epoch(service, job, before["progress"]["epoch"] + 1)
    until(lambda: "training_continued" in service.log("w2"), 10, "it has gone on from there")
    service.call("POST", job + "/cancel")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_job_of_the_release_before_is_run_after_the_migration(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A job was queued, and another one was running, when the release before was stopped."""
    url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else request.getfixturevalue("empty_database")
    settings = Settings(database_url=url)
    database = Database(settings.database)
    migrate.upgrade(database.engine, "0001")
    queue.migrate(settings.database)
    _queue_as_before(database)
    database.dispose()
    service = Service(tmp_path, url, **ONE_JOB)
    try:
        assert service.start("migrate", "migrate").wait(60) == 0, service.log("migrate")
        service.serve()
        service.worker("w1")
        ended = [finished(service, f"/jobs/{job}") for job in ("0" * 32, "1" * 32)]
        assert [job["status"] for job in ended] == ["succeeded", "succeeded"], ended
        assert [job["attempt"] for job in ended] == [1, 2]
        assert service.call("GET", "/models/m")["versions"] == [1, 2]
    finally:
        service.stop()


def _queue_as_before(database: Database) -> None:
    """Write what the release before has left: a series, a model, a queued job and one that was running."""
    asked = {
        "series": {"ids": ["a"]},
        "promote": "always",
        "covariates": {},
        "country": None,
        "bounds": [None, None],
        "warm_start": None,
        "search": None,
        **TINY,
    }
    jobs = JobQueue(database)
    with database.write() as session:

        def run(statement: str, **values: Any) -> None:
            session.execute(text(statement), values)

        run(
            "INSERT INTO series (pk, project_id, id, freq, timezone, anchor, labels, static, version, count, first_ts, "
            "last_ts, created_at) VALUES (1, 1, 'a', 'h', 'UTC', 0, '{}', '{}', 1, 60, 0, 212400000000, 0)"
        )
        for step in range(60):
            run("INSERT INTO observations (series_pk, ts, y) VALUES (1, :ts, :y)", ts=step * 3_600_000_000, y=step % 24)
        run(
            "INSERT INTO models (pk, project_id, name, freq, horizon, quantiles, last_version, created_at) "
            "VALUES (1, 1, 'm', 'h', 6, '[0.1, 0.5, 0.9]', 0, 0)"
        )
        for number, (status, attempt) in enumerate([("queued", 0), ("running", 1)]):
            run(
                "INSERT INTO jobs (id, project_id, kind, model_pk, model, status, request, attempt, created_at) "
                "VALUES (:id, 1, 'train', 1, 'm', :status, :request, :attempt, :at)",
                id=str(number) * 32,
                status=status,
                attempt=attempt,
                request=json.dumps(asked),
                at=number,
            )
            jobs.enqueue(session, str(number) * 32, 1, "cpu", 5)
        schema = "" if database.engine.dialect.name == "sqlite" else "dbos."
        run(f"UPDATE {schema}workflow_status SET queue_partition_key = NULL")  # projects took no turns
    jobs.close()
