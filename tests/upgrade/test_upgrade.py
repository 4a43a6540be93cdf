"""Upgrades hold: what a release has left behind is migrated, serves the same forecasts, and trains on.

The fixtures in `releases` were made by `make_fixture`; each of them is tested.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, inspect, text, update

from app.config import Settings
from app.storage import migrate
from app.storage.clock import now_us
from app.storage.engine import make_engine
from app.storage.tables import Schedule
from tests.e2e.processes import ONE_JOB, PATIENCE, Service, until
from tests.e2e.test_recovery import finished
from tests.services.stored import hours
from tests.trained import HORIZON
from tests.upgrade import archive, world
from tests.upgrade.calls import find_differences, post

DAY = 24 * 3600 * 1_000_000
"""microseconds"""
DATABASES = ("sqlite", "postgresql")
TOLERANCE = 1e-6
"""of a forecast: networks calculate in single precision, and another processor may sum in another order"""


class Upgrade:
    """What a release has left behind, and a service of today on it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.expected: dict[str, Any] = json.loads((service.folder / archive.EXPECTED).read_text())

    def engine(self) -> Engine:
        """Return an engine of the database."""
        return make_engine(Settings(database_url=self.service.environment["GATECAST_DATABASE_URL"]).database)

    def migrate(self) -> None:
        """Run `gatecast migrate`."""
        assert self.service.start("migrate", "migrate").wait(60) == 0, self.service.log("migrate")

    def ended(self, job: str) -> dict[str, Any]:
        """Return a job of the release as it ended today."""
        return finished(self.service, f"/jobs/{self.expected[job]}")

    def forecast(self, **body: Any) -> Any:
        """Return the forecast of one series."""
        answer = self.service.call("POST", "/forecast", body)
        (one,) = answer["forecasts"]
        assert one["status"] == "ok", one
        return answer["version"], one


def list_fixtures() -> list[object]:
    """List the fixtures."""
    return [pytest.param(path, id=path.name.removesuffix(".tar.gz")) for path in archive.archives()]


@pytest.fixture(params=list_fixtures())
def upgrade(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgrade]:
    """An unpacked fixture; nothing of today has touched it, and nothing is started yet."""
    name = archive.database_of(request.param)
    request.node.user_properties.append(("database", name))
    archive.unpack(request.param, tmp_path)
    url = f"sqlite:///{tmp_path / archive.SQLITE}"
    if name == "postgresql":
        url = request.getfixturevalue("empty_database")
        archive.restore_postgresql(tmp_path / archive.POSTGRESQL, url)
    service = Service(tmp_path, url, **ONE_JOB)
    yield Upgrade(service)
    service.stop()


def test_each_database_has_a_fixture() -> None:
    assert {archive.database_of(path) for path in archive.archives()} == set(DATABASES)


@pytest.mark.slow
def test_a_release_is_upgraded(upgrade: Upgrade) -> None:
    migrates_once(upgrade)
    upgrade.service.serve()
    keeps_everything(upgrade)
    forecasts_the_same(upgrade)
    takes_new_observations(upgrade)
    make_forecast_due(upgrade)
    upgrade.service.worker("worker")
    goes_on_with_jobs(upgrade)
    trains_on(upgrade)


def migrates_once(upgrade: Upgrade) -> None:
    """The schema is today's, and a second migration changes nothing."""
    upgrade.migrate()
    engine = upgrade.engine()
    assert migrate.current(engine) == migrate.head()
    assert migrate.differences(engine) == []
    once = read_tables(engine)
    assert len(once["workflow_status"]) == len(upgrade.expected["answers"]["/jobs"]["items"])
    upgrade.migrate()
    assert read_tables(engine) == once
    engine.dispose()


def read_tables(engine: Engine) -> dict[str, list[str]]:
    """Return the rows of every table, those of the job engine too."""
    found = {}
    with engine.connect() as connection:
        for schema in (None, "dbos") if engine.dialect.name == "postgresql" else (None,):
            for table in inspect(engine).get_table_names(schema):
                name = f"{schema}.{table}" if schema else table
                found[table] = sorted(str(row) for row in connection.execute(text(f"SELECT * FROM {name}")))
    return found


def keeps_everything(upgrade: Upgrade) -> None:
    """Series, observations, models, versions, schedule, archive, jobs and their results read as they did."""
    service, then = upgrade.service, upgrade.expected["answers"]
    for path, answer in then.items():
        now = service.call("GET", path)
        if path == "/models":  # the built-in one is new
            now = {**now, "items": [model for model in now["items"] if not model["builtin"]]}
        assert find_differences(answer, now, where=path) == []
    counts = {one["id"]: one["count"] for one in then["/series"]["items"]}
    gap = world.GAP.stop - world.GAP.start
    expected = {world.PLAIN: 400, world.BERLIN: 400 - gap, world.BESIDE: 400 + HORIZON, world.DAILY: 400}
    assert counts == expected, "the fixture holds what it was made to hold"
    plain = then["/models/plain"]
    assert (plain["champion"], plain["versions"]) == (1, [1, 2])
    assert plain["schedule"]["forecast"] == world.SCHEDULE["forecast"]


def forecasts_the_same(upgrade: Upgrade) -> None:
    """Every model and version forecasts what it did, and a repeated POST is given its first answer."""
    for one in upgrade.expected["forecasts"]:
        now = upgrade.service.call("POST", "/forecast", one["body"])
        assert find_differences(one["answer"], now, TOLERANCE) == [], one["body"]
    first = upgrade.expected["repeated"]
    again = post(upgrade.service.url, first["path"], first["body"], idempotency_key=first["key"])
    assert again == (first["status"], first["answer"])


def takes_new_observations(upgrade: Upgrade) -> None:
    """A series goes on where it ended."""
    before = upgrade.forecast(model="plain", series=[world.PLAIN])[1]
    assert before["ds"] == hours(world.N, world.N + HORIZON)
    body = {"ds": hours(world.N, world.N + 1), "y": [20.0]}
    upgrade.service.call("POST", f"/series/{world.PLAIN}/observations", body)
    version, after = upgrade.forecast(model="plain", series=[world.PLAIN])
    assert (version, after["ds"]) == (1, hours(world.N + 1, world.N + 1 + HORIZON))
    assert after["yhat"] != before["yhat"]


def make_forecast_due(upgrade: Upgrade) -> None:
    """Move the due times of the schedule, so that whatever day it is the forecast is due and the training is not."""
    engine = upgrade.engine()
    with engine.begin() as connection:
        connection.execute(update(Schedule).values(forecast_at=now_us(), train_at=now_us() + DAY))
    engine.dispose()


def goes_on_with_jobs(upgrade: Upgrade) -> None:
    """A training goes on from its checkpoint, a scan that waited is made, and what is due by the schedule begins."""
    service, expected = upgrade.service, upgrade.expected
    before = expected["answers"][f"/jobs/{expected['interrupted']}"]
    assert before["attempt"] == 1
    training = upgrade.ended("interrupted")
    assert (training["status"], training["attempt"], training["version"]) == ("succeeded", 2, 1), training
    (epoch,) = re.findall(r"training_continued .*epoch=(\d+)", service.log("worker"))
    assert int(epoch) >= before["progress"]["epoch"] >= 2, "it began where the release had stopped"
    curve = service.call("GET", "/models/daily/versions/1")["loss_curve"]
    assert len(curve["train"]) == world.LONG["training"]["epochs"], "no epoch is missing, none was trained twice"
    version, daily = upgrade.forecast(model="daily", series=[world.DAILY])
    assert (version, daily["ds"][0]) == (1, "2024-02-05T00:00:00+00:00")
    assert np.array(daily["yhat"]) == pytest.approx(expected_week(), abs=5), (
        "it has learned the week, which swings by 20"
    )

    assert upgrade.ended("waiting")["status"] == "succeeded"
    scans = [service.call("GET", f"/anomalies/{expected[job]}")["series"] for job in ("scanned", "waiting")]
    steps = slice(0, 120)  # until the clocks go forward, where releases up to ce4c1ed went on in absolute time
    compared = ("ds", "expected", "lower", "upper", "anomaly")  # scores weigh more than releases up to ce4c1ed did
    first, second = ({name: scan[1][name][steps] for name in compared} for scan in scans)
    assert find_differences(first, second, 10 * TOLERANCE) == [], (
        "what the release has found in a series that is as it was"
    )

    known = {job["id"] for job in expected["answers"]["/jobs"]["items"]}

    def begun() -> str | None:
        jobs = service.call("GET", "/jobs?kind=forecast")["items"]
        return next((job["id"] for job in jobs if job["id"] not in known), None)

    scheduled = finished(service, f"/jobs/{until(begun, PATIENCE, 'the schedule has started a forecast')}")
    assert (scheduled["status"], scheduled["started_by"], scheduled["version"]) == ("succeeded", "schedule", 1)


def expected_week() -> Any:
    """Return the week after the daily series' last value, without its noise."""
    t = np.arange(world.N, world.N + 7)
    return 120 + 20 * np.sin(2 * np.pi * t / 7) + 6 * np.sin(2 * np.pi * t / 24)


def trains_on(upgrade: Upgrade) -> None:
    """A fine-tuning of an old version becomes the next one and the champion; the old ones forecast as they did."""
    job = upgrade.service.call("POST", "/train", world.TUNED)
    ended = finished(upgrade.service, f"/jobs/{job['id']}")
    assert (ended["status"], ended["error"], ended["version"]) == ("succeeded", None, 3)
    plain = upgrade.service.call("GET", "/models/plain")
    assert (plain["champion"], plain["versions"]) == (3, [1, 2, 3])

    def loaded() -> Any:
        version, one = upgrade.forecast(model="plain", series=[world.PLAIN])
        return one if version == 3 else None

    one = until(loaded, 10, "the new champion answers")
    assert one["ds"] == hours(world.N + 1, world.N + 1 + HORIZON)
    quantiles = np.array([one["quantiles"][level] for level in sorted(one["quantiles"])])
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=0) >= 0).all()
    former = next(one for one in upgrade.expected["forecasts"] if one["body"]["series"] == [world.BERLIN])
    body = {**former["body"], "model": "plain@1"}
    now = upgrade.service.call("POST", "/forecast", body)
    assert find_differences(former["answer"]["forecasts"], now["forecasts"], TOLERANCE) == []
