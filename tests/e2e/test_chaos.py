"""Forty short jobs while workers are killed, hung and drained, and the database restarts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.chaos import Chaos, ended_once, nothing_is_left, short_jobs
from tests.e2e.processes import Service
from tests.e2e.servers import server

TRAININGS, SCANS = 5, 35
LONGEST = 480.0
pytestmark = pytest.mark.slow
COLLECT = {"GATECAST_COLLECT_SECONDS": "2"}


@pytest.fixture(params=["sqlite", "postgresql"])
def chaos(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chaos]:
    """Two workers on SQLite, or three on a PostgreSQL that restarts."""
    if request.param == "sqlite":
        service = Service(tmp_path, f"sqlite:///{tmp_path / 'gatecast.db'}", **COLLECT)
        assert service.start("migrate", "migrate").wait(60) == 0
        yield Chaos(service, workers=2)
        service.stop()
        return
    with server() as own:
        service = Service(tmp_path, own.database(), **COLLECT)

        def restart() -> None:
            own.stop()
            own.start()

        yield Chaos(service, workers=3, restart=restart)
        service.stop()


def test_every_job_ends_once(chaos: Chaos) -> None:
    service = chaos.service
    service.serve()
    chaos.start()
    jobs = short_jobs(service, TRAININGS, SCANS)
    assert len(jobs) == TRAININGS + SCANS
    ended = chaos.until_all_ended(jobs, LONGEST)
    assert {job["status"] for job in ended.values()} == {"succeeded"}, ended
    assert chaos.strikes["kill"] >= 1
    assert chaos.restart is None or chaos.strikes["restart"] == 1
    nothing_is_left(service)
    ended_once(service, jobs)
