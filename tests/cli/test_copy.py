"""`gatecast copy`: an installation on another database serves the same forecasts, and goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from app.cli.copy import copy_databases
from app.config import Settings
from app.main import create_app
from app.storage import leases, migrate
from app.storage.engine import Database, UnsuitableDatabase
from tests.e2e.servers import Server, server
from tests.services.stored import QUICK, hours, store, store_beside
from tests.trained import HORIZON, Trained, publish, values

FED_FROM = 1_704_067_200
"""seconds"""

pytestmark = [pytest.mark.one_database, pytest.mark.training]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with server() as started:
        yield started


@pytest.fixture
def sqlite(settings: Settings) -> str:
    return settings.database.render_as_string(hide_password=False)


@pytest.fixture
def filled(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """A service with all kinds of rows: a gap, covariates of both kinds, a version, a schedule, an alert, a job."""
    publish(database, settings, trained)
    y = values(500)
    y[100:120] = np.nan
    store(client, "a", y)
    store_beside(client, "b/ü")
    assert client.put("/models/m/schedule", json={"train": "0 3 * * *"}).status_code == 200
    send = [{"webhook": "https://example.org/x", "secret": "s" * 20}]
    rule = {"on": "data", "series": ["a"], "when": {"silent_for": "6h"}, "send": send}
    answer = client.put("/alerts/quiet", json=rule)
    assert answer.status_code == 201, answer.text
    rule = {"match": {"__name__": "m"}, "freq": "5min", "aggregate": "mean", "id": "fed", "late": "2h"}
    assert client.put("/ingest/rules/r", json=rule).status_code == 201
    lines = f"m v=1 {FED_FROM}\nm v=4 {FED_FROM + 400}"
    assert client.post("/api/v2/write?precision=s", content=lines).status_code == 204
    job = {"model": "n", "series": {"ids": ["a"]}, "horizon": HORIZON, **QUICK}
    assert client.post("/train", json=job).status_code == 202
    return client


def answers(client: TestClient) -> list[Any]:
    """What a service says, of which nothing may differ after a copy."""
    asked = {"model": "m", "series": ["a"], "origin": hours(499, 500)[0]}
    forecast = client.post("/forecast", json=asked)
    assert forecast.json()["forecasts"][0]["status"] == "ok", forecast.text
    paths = (
        "/series",
        "/series/a/observations?limit=1000",
        "/series/b%2F%C3%BC/observations?limit=1000",
        "/series/fed/observations",
        "/ingest/rules",
        "/covariates",
        "/models",
        "/models/m/versions/1",
        "/jobs",
        "/alerts",
    )
    return [forecast.json(), *(client.get(path).json() for path in paths)]


def copy(source: str, target: str) -> str:
    console = Console(width=200, record=True, quiet=False, file=Path("/dev/null").open("w"))  # noqa: SIM115
    with console.file:
        copy_databases(source, target, console)
    return console.export_text()


def test_a_copy_answers_the_same_and_takes_new_rows(
    filled: TestClient, settings: Settings, sqlite: str, postgresql: Server
) -> None:
    target = postgresql.database(migrated=False)
    before = answers(filled)
    assert "copied 3 series with" in copy(sqlite, target)
    there = settings.model_copy(update={"database_url": target})
    with TestClient(create_app(there)) as copied:
        assert answers(copied) == before
        # keys go on after those that were copied
        assert copied.post("/series", json={"id": "new", "freq": "h"}).status_code == 201
        body = {"ds": hours(500, 502), "y": [1.0, None]}
        assert copied.post("/series/a/observations", json=body).json()["inserted"] == 2
        # what was sent before is known, and the step goes on
        lines = f"m v=4 {FED_FROM + 400}\nm v=8 {FED_FROM + 401}"
        assert copied.post("/api/v2/write?precision=s", content=lines).status_code == 204
        assert copied.get("/series/fed/observations").json()["y"] == [1.0, 6.0]
    # the jobs that waited are in the new queue, once
    engine = create_engine(make_url(target).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        waiting = connection.execute(text("SELECT workflow_uuid FROM dbos.workflow_status")).scalars().all()
    engine.dispose()
    queued = [job["id"] for job in filled.get("/jobs?status=queued").json()["items"]]
    assert sorted(waiting) == sorted(queued) != []


@pytest.mark.slow
def test_it_goes_back_and_between_two_of_a_kind(
    filled: TestClient, settings: Settings, sqlite: str, postgresql: Server, tmp_path: Path
) -> None:
    first, second = (postgresql.database(migrated=False) for _ in range(2))
    back = f"sqlite:///{tmp_path / 'back.db'}"
    copy(sqlite, first)
    copy(first, second)
    copy(second, back)
    with TestClient(create_app(settings.model_copy(update={"database_url": back}))) as copied:
        assert answers(copied) == answers(filled)


def test_what_cannot_be_copied_is_refused_and_leaves_nothing(
    filled: TestClient, database: Database, sqlite: str, postgresql: Server, tmp_path: Path
) -> None:
    target = postgresql.database(migrated=False)
    with pytest.raises(ValueError, match="the same database"):
        copy(sqlite, sqlite)
    with pytest.raises(ValueError, match="there is no file"):
        copy(f"sqlite:///{tmp_path / 'none.db'}", target)
    with pytest.raises(ValueError, match="must be sqlite"):
        copy(sqlite, "mysql://localhost/x")
    empty = Database(make_url(f"sqlite:///{tmp_path / 'empty.db'}"))
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE x (y)")
    empty.dispose()
    with pytest.raises(ValueError, match="no tables of Gatecast"):
        copy(f"sqlite:///{tmp_path / 'empty.db'}", target)
    with database.write() as session:
        leases.renew(session, "w", "host", ["cpu"], 60)
    with pytest.raises(ValueError, match="1 workers run"):
        copy(sqlite, target)
    with database.write() as session:
        leases.release(session, "w")
    copy(sqlite, target)
    with pytest.raises(ValueError, match=r"holds .* already"):
        copy(sqlite, target)


def test_a_database_of_another_encoding_is_refused_in_a_sentence(postgresql: Server, settings: Settings) -> None:
    admin = create_engine(postgresql.url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        options = "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(text(f"CREATE DATABASE ascii {options}"))
    admin.dispose()
    url = postgresql.url.set(drivername="postgresql+psycopg", database="ascii")
    database = Database(url)
    with pytest.raises(UnsuitableDatabase, match="encoding SQL_ASCII, and texts need UTF8"):
        migrate.upgrade(database.engine)
    database.dispose()
    there = settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})
    with TestClient(create_app(there), raise_server_exceptions=False) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert "encoding SQL_ASCII" in ready.text
