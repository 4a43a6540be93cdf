"""Schedules: when they are due, what they start, each once whoever asks."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.config import Settings
from app.jobs.queue import JobQueue
from app.services.jobs.submission import Submission
from app.services.schedules.service import ScheduleService
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.tables import JobRow, ModelRow, Schedule
from models.planning.defaults import default_config
from tests.services.stored import QUICK, claimed, run, store
from tests.trained import HORIZON, LEVELS, Trained, publish, values

ONE = pytest.mark.one_database
HOURLY = {"train": "0 3 * * *", "forecast": "5 * * * *"}
REQUEST: dict[str, Any] = {
    "series": {"ids": ["a"]},
    "promote": "always",
    "covariates": {"known_future": [], "past": [], "static": []},
    "country": None,
    "bounds": [0.0, None],
    "warm_start": None,
    "search": None,
    **QUICK,
}
"""what the champion's training asked for, as it is kept"""


@pytest.fixture
def planned(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """A service with the series a, and the model m with a champion that a job like any other has trained."""
    store(client, "a", values())
    publish(database, settings, trained)
    ended(database, request=REQUEST, labels={"team": "x"}, priority=3, timeout_s=60.0)
    return client


def ended(database: Database, name: str = "m", **fields: Any) -> None:
    """Let the jobs of a model have succeeded, long ago."""
    with database.write() as session:
        change = update(JobRow).where(JobRow.model == name)
        session.execute(change.values(status="succeeded", created_at=0, **fields))


@pytest.fixture
def services(settings: Settings) -> Iterator[list[ScheduleService]]:
    """Schedule services of two workers, each with its own connections."""
    databases = [Database(settings.database) for _ in range(2)]
    queues = [JobQueue(database) for database in databases]
    yield [ScheduleService(d, Submission(q, settings)) for d, q in zip(databases, queues, strict=True)]
    for queue, database in zip(queues, databases, strict=True):
        queue.close()
        database.dispose()


def put(client: TestClient, **asked: Any) -> Any:
    return client.put("/models/m/schedule", json=asked)


def make_due(database: Database, *parts: str) -> None:
    """Let parts of the schedule have been due a minute ago."""
    with database.write() as session:
        moment = now(session) - 60_000_000
        session.execute(update(Schedule).values({f"{part}_at": moment for part in parts}))


def started(client: TestClient) -> list[Any]:
    """Return the jobs that schedules have started, the oldest first."""
    items = client.get("/jobs").json()["items"]
    return [job for job in items[::-1] if job["started_by"] in ("schedule", "drift")]


def request_of(database: Database, job: str) -> dict[str, Any]:
    with database.read() as session:
        row = session.get(JobRow, job)
        assert row is not None
        return row.request


def test_a_schedule_is_set_read_changed_and_ended(planned: TestClient) -> None:
    assert planned.get("/models/m").json()["schedule"] is None
    response = put(planned, **HOURLY, timezone="Asia/Kathmandu")
    found = response.json()
    assert response.status_code == 200
    told = {name: found[name] for name in ("train", "forecast", "timezone", "train_on_drift")}
    assert told == {**HOURLY, "timezone": "Asia/Kathmandu", "train_on_drift": False}
    assert planned.get("/models/m").json()["schedule"] == found
    assert [model["schedule"] for model in planned.get("/models").json()["items"]] == [None, found]
    changed = put(planned, forecast="*/10 * * * *", train_on_drift=True).json()
    assert (changed["train"], changed["next_train"], changed["timezone"]) == (None, None, "UTC")
    assert changed["train_on_drift"]
    for _ in range(2):
        assert planned.delete("/models/m/schedule").status_code == 204
    assert planned.get("/models/m").json()["schedule"] is None


def test_the_next_times_are_told_in_the_schedules_timezone(planned: TestClient, database: Database) -> None:
    with database.read() as session:
        before = datetime.fromtimestamp(now(session) / 1e6, UTC)
    found = put(planned, train="30 3 * * *", forecast="15 * * * *", timezone="Asia/Kathmandu").json()
    train, forecast = (datetime.fromisoformat(found[name]) for name in ("next_train", "next_forecast"))
    assert found["next_train"].endswith("T03:30:00+05:45")
    assert 0 < (train - before).total_seconds() <= 86_400
    assert found["next_forecast"].endswith(":15:00+05:45")
    assert 0 < (forecast - before).total_seconds() <= 3_600


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("asked", "status", "code", "field"),
    [
        ({}, 422, "invalid_schedule", "body.train"),
        ({"train": "daily"}, 422, "invalid_schedule", "body.train"),
        ({"train": "0 3 * * *", "forecast": "61 * * * *"}, 422, "invalid_schedule", "body.forecast"),
        ({"refresh": "nightly"}, 422, "invalid_schedule", "body.refresh"),
        ({"train": "0 0 30 2 *"}, 422, "invalid_schedule", "body.train"),
        ({"train": "0 3 * * *", "train_on_drift": True}, 422, "invalid_schedule", "body.train_on_drift"),
        ({"train": "0 3 * * *", "timezone": "Mars/Olympus"}, 422, "invalid_timezone", "body.timezone"),
        ({"train": ""}, 422, "invalid_input", "body.train"),
        ({"train": 3}, 422, "invalid_input", "body.train"),
        ({"train": "* * * * *" + " " * 100}, 422, "invalid_input", "body.train"),
        ({"cron": "0 3 * * *"}, 422, "invalid_input", "body.cron"),
    ],
)
@ONE
def test_what_is_no_schedule_is_named(planned: TestClient, asked: Any, status: int, code: str, field: str) -> None:
    kept = put(planned, **HOURLY).json()
    response = put(planned, **asked)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["errors"][0]["field"] == field
    assert planned.get("/models/m").json()["schedule"] == kept


@ONE
def test_models_that_are_not_there(client: TestClient) -> None:
    for response in (
        client.put("/models/none/schedule", json=HOURLY),
        client.delete("/models/none/schedule"),
        client.get("/models/none/skill"),
        client.get("/models/none/archive"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "model_not_found")


def test_nothing_starts_before_it_is_due(planned: TestClient, services: list[ScheduleService]) -> None:
    put(planned, **HOURLY)
    services[0].start_due()
    assert started(planned) == []


def test_what_is_due_is_started_once_whoever_asks(
    planned: TestClient, database: Database, services: list[ScheduleService]
) -> None:
    put(planned, **HOURLY)
    make_due(database, "train", "forecast")
    failures: list[Exception] = []

    def work(service: ScheduleService) -> None:
        try:
            for _ in range(5):
                service.start_due()
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=(service,)) for service in services for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(job["kind"] for job in started(planned)) == ["forecast", "train"]
    schedule = planned.get("/models/m").json()["schedule"]
    with database.read() as session:
        moment = now(session)
    for name in ("next_train", "next_forecast"):
        assert datetime.fromisoformat(schedule[name]).timestamp() * 1e6 > moment


@pytest.mark.parametrize("part", ["train", "forecast"])
def test_only_the_part_that_is_due_is_started(
    planned: TestClient, database: Database, services: list[ScheduleService], part: str
) -> None:
    before = put(planned, **HOURLY).json()
    make_due(database, part)
    services[0].start_due()
    (job,) = started(planned)
    assert (job["kind"], job["status"], job["started_by"], job["model"]) == (part, "queued", "schedule", "m")
    other = "forecast" if part == "train" else "train"
    assert planned.get("/models/m").json()["schedule"][f"next_{other}"] == before[f"next_{other}"]


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_part_is_skipped_while_the_one_before_has_not_ended(
    planned: TestClient, database: Database, services: list[ScheduleService], status: str
) -> None:
    put(planned, **HOURLY)
    make_due(database, "train", "forecast")
    services[0].start_due()
    first = started(planned)
    assert len(first) == 2
    if status == "running":
        for job in first:
            claimed(database, job["id"])
    make_due(database, "train", "forecast")
    services[0].start_due()
    assert len(started(planned)) == 2
    assert planned.get("/models/m").json()["schedule"]["next_train"] > "2024"
    ended(database)
    services[0].start_due()
    assert len(started(planned)) == 2, "what was skipped is not made up for"
    make_due(database, "forecast")
    services[0].start_due()
    assert [job["kind"] for job in started(planned)].count("forecast") == 2


def test_a_refresh_is_started_where_a_version_is_live(
    planned: TestClient, database: Database, services: list[ScheduleService]
) -> None:
    response = put(planned, refresh="30 0 * * *", timezone="Asia/Kathmandu")
    found = response.json()
    assert (response.status_code, found["refresh"], found["train"], found["forecast"]) == (
        200,
        "30 0 * * *",
        None,
        None,
    )
    assert found["next_refresh"].endswith("T00:30:00+05:45")
    for _ in range(2):
        make_due(database, "refresh")
        for service in services:
            service.start_due()
    (job,) = started(planned)
    assert (job["kind"], job["status"], job["model"], job["queue"]) == ("refresh", "queued", "m", "cpu")
    ended(database)
    with database.write() as session:
        session.execute(update(ModelRow).values(champion=None))
    make_due(database, "refresh")
    services[0].start_due()
    assert len(started(planned)) == 1


@ONE
def test_a_schedule_that_was_ended_starts_nothing(
    planned: TestClient, database: Database, services: list[ScheduleService]
) -> None:
    put(planned, **HOURLY)
    make_due(database, "train", "forecast")
    planned.delete("/models/m/schedule")
    services[0].start_due()
    assert started(planned) == []


@ONE
def test_without_a_champion_no_forecast_is_started_but_a_training_is(
    planned: TestClient, database: Database, services: list[ScheduleService]
) -> None:
    with database.write() as session:
        session.execute(update(ModelRow).values(champion=None))
    put(planned, **HOURLY)
    make_due(database, "train", "forecast")
    services[0].start_due()
    assert [job["kind"] for job in started(planned)] == ["train"]


@ONE
def test_a_model_without_a_version_has_nothing_to_repeat(
    client: TestClient, database: Database, services: list[ScheduleService]
) -> None:
    store(client, "a", values())
    job = client.post("/train", json={"model": "m", "series": "all", "horizon": HORIZON}).json()
    client.post(f"/jobs/{job['id']}/cancel")
    put(client, **HOURLY)
    make_due(database, "train", "forecast")
    services[0].start_due()
    assert started(client) == []


@ONE
def test_one_schedule_that_cannot_start_holds_up_no_other(
    planned: TestClient, database: Database, settings: Settings, trained: Trained, services: list[ScheduleService]
) -> None:
    publish(database, settings, trained, "other")
    ended(database, "other", request=REQUEST, estimate={"rows": 1, "memory_bytes": 10**15})
    for name in ("m", "other"):
        planned.put(f"/models/{name}/schedule", json=HOURLY)
    make_due(database, "train")
    services[0].start_due()
    assert [(job["model"], job["kind"]) for job in started(planned)] == [("m", "train")]


class TestRetraining:
    """What a scheduled training asks for."""

    def retrained(self, client: TestClient, database: Database, services: list[ScheduleService]) -> Any:
        put(client, train="0 3 * * *")
        make_due(database, "train")
        services[0].start_due()
        return started(client)[-1]

    def test_it_repeats_the_champions_request(
        self, planned: TestClient, database: Database, services: list[ScheduleService]
    ) -> None:
        job = self.retrained(planned, database, services)
        assert request_of(database, job["id"]) == REQUEST | {"promote": "if_better"}
        assert (job["labels"], job["priority"], job["timeout_s"], job["queue"]) == ({"team": "x"}, 3, 60.0, "cpu")

    @ONE
    def test_it_repeats_the_champions_and_not_the_newest(
        self,
        planned: TestClient,
        database: Database,
        settings: Settings,
        trained: Trained,
        services: list[ScheduleService],
    ) -> None:
        publish(database, settings, trained, promoted=False)
        with database.write() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.id == "m1")
                .values(status="succeeded", request=REQUEST | {"bounds": [None, 1.0]})
            )
        job = self.retrained(planned, database, services)
        assert request_of(database, job["id"])["bounds"] == [0.0, None]

    @ONE
    def test_what_a_search_found_is_kept_without_another_search(
        self, planned: TestClient, database: Database, trained: Trained, services: list[ScheduleService]
    ) -> None:
        ended(database, request=REQUEST | {"search": {"trials": 5, "time_budget_s": None, "space": None}})
        job = self.retrained(planned, database, services)
        asked, config = request_of(database, job["id"]), trained.fitted.config.to_dict()
        assert asked["search"] is None
        assert (asked["network"], asked["training"]) == (config["network"], config["training"])
        chosen = default_config(trained.panel, HORIZON, LEVELS, network=asked["network"], training=asked["training"])
        assert (chosen.network, chosen.training) == (trained.fitted.config.network, trained.fitted.config.training)

    @ONE
    def test_what_was_fine_tuned_goes_on_from_the_champion(
        self, planned: TestClient, database: Database, services: list[ScheduleService]
    ) -> None:
        ended(database, request=REQUEST | {"warm_start": ["source", 4], "network": {}})
        job = self.retrained(planned, database, services)
        assert request_of(database, job["id"])["warm_start"] == ["m", 1]
        assert planned.delete("/models/m/versions/1").json()["code"] == "version_is_champion"

    @ONE
    @pytest.mark.slow
    def test_what_was_fine_tuned_is_fine_tuned_again(
        self, planned: TestClient, database: Database, settings: Settings, services: list[ScheduleService]
    ) -> None:
        ended(database, request=REQUEST | {"warm_start": ["m", 1], "network": {}})
        waiting = self.retrained(planned, database, services)
        job = run(planned, database, settings, Accepted(waiting["id"]))
        assert (job["status"], job["error"], job["version"]) == ("succeeded", None, 2)
        version = planned.get("/models/m/versions/2").json()
        assert version["provenance"]["started_by"] == "schedule"
        assert version["reason"].startswith("ungated: the version that it began from has seen the gate")
        assert not version["promoted"]
        assert version["config"]["network"]["hidden"] == 16


@ONE
def test_a_schedule_that_cannot_be_read_keeps_no_other_from_starting(
    planned: TestClient, database: Database, settings: Settings, trained: Trained, services: list[ScheduleService]
) -> None:
    publish(database, settings, trained, "other")
    ended(database, "other", request=REQUEST)
    for name in ("m", "other"):
        assert planned.put(f"/models/{name}/schedule", json={"forecast": "0 * * * *"}).status_code == 200
    make_due(database, "forecast")
    with database.write() as session:
        first = session.execute(select(ModelRow.pk).where(ModelRow.name == "m")).scalar_one()
        session.execute(update(Schedule).where(Schedule.model_pk == first).values(timezone="No/Where"))
    services[0].start_due()
    assert [job["model"] for job in planned.get("/jobs?kind=forecast").json()["items"]] == ["other"]


class Accepted:
    """The answer to a call that has queued a job."""

    status_code, text = 202, ""

    def __init__(self, job: str) -> None:
        self.job = job

    def json(self) -> dict[str, str]:
        return {"id": self.job}
