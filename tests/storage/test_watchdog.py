"""A PostgreSQL that accepts connections and never answers: whoever waits for it is told, and nobody else is cut off."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from app.scope import Scope
from app.storage import keys, watchdog
from app.storage.engine import OUTAGE, Database
from app.storage.freshness import Freshness, FreshnessKeys
from tests.e2e.processes import until
from tests.e2e.servers import halted
from tests.services.held import Call

pytestmark = [pytest.mark.one_database("postgresql"), pytest.mark.process]

WAITING_SECONDS = 0.3
ANSWER_SECONDS = 2
"""the least that the driver knows"""
SOON = 1.0
"""for what does not wait for the server, on a loaded machine"""


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(watchdog, "WAITING_SECONDS", WAITING_SECONDS)
    monkeypatch.setattr(watchdog, "ANSWER_SECONDS", ANSWER_SECONDS)


@pytest.fixture
def freshness(database: Database) -> Iterator[Freshness]:
    freshness = Freshness(database)
    yield freshness
    freshness.close()


def read(database: Database) -> Scope:
    with database.read() as session:
        return keys.get_default_scope(session)


def measure_failure(work: Any) -> float:
    """Return how many seconds it took to fail as in an outage."""
    began = time.monotonic()
    with pytest.raises(OUTAGE):
        work()
    return time.monotonic() - began


def list_watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "watchdog"]


def test_a_server_that_never_answers_counts_as_away(database: Database, freshness: Freshness) -> None:
    scope = read(database)
    assert freshness.query(FreshnessKeys(series={1})).series == set()
    within = WAITING_SECONDS + ANSWER_SECONDS + 2 * SOON
    with halted(database.engine.url):
        waiting = [Call(lambda: measure_failure(lambda: read(database))) for _ in range(3)]
        asked = Call(lambda: measure_failure(lambda: freshness.query(FreshnessKeys(series={1}))))
        assert all(WAITING_SECONDS < call.result() < within for call in [*waiting, asked])
        assert measure_failure(lambda: read(database)) < SOON, "nobody else waits"
        assert measure_failure(lambda: freshness.query(FreshnessKeys(series={1}))) < SOON

    def answers() -> bool:
        try:
            return read(database) == scope
        except OperationalError:
            return False

    assert until(answers, 10, "it is back")
    assert freshness.query(FreshnessKeys(series={1})).series == set()


def test_long_statements_of_a_server_that_answers_are_let_be(database: Database) -> None:
    with database.write() as session:
        began = time.monotonic()
        session.execute(text(f"SELECT pg_sleep({4 * WAITING_SECONDS})"))
        assert time.monotonic() - began >= 4 * WAITING_SECONDS
        assert session.execute(text("SELECT 1")).scalar_one() == 1, "in the same transaction"


def test_an_error_is_an_answer(database: Database) -> None:
    """Nobody may log in any more; who is in goes on."""
    url = database.engine.url
    other = Database(url.set(database="postgres"))
    with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin, database.write() as session:
        mine = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        admin.execute(text(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false'))
        with pytest.raises(OperationalError, match="not currently accepting connections"):
            read(Database(url))
        session.execute(text(f"SELECT pg_sleep({4 * WAITING_SECONDS})"))
        assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() == mine
    other.dispose()


def test_a_single_connection_that_is_lost_is_no_silence(database: Database) -> None:
    """One session is ended in the middle of its statement; the others are not cut off."""
    with database.read() as session:
        mine = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other = Call(lambda: measure_failure_of_sleep(database))
        find = text("SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND pid <> :mine")
        (pid,) = until(lambda: read_rows(database, find, mine), 10, "it sleeps")
        session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        assert other.result() < 60
        assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() == mine


def read_rows(database: Database, statement: Any, mine: int) -> list[int]:
    with database.read() as session:
        return list(session.execute(statement, {"mine": mine}).scalars())


def measure_failure_of_sleep(database: Database) -> float:
    began = time.monotonic()
    with pytest.raises(DBAPIError), database.read() as session:
        session.execute(text("SELECT pg_sleep(60)"))
    return time.monotonic() - began


def test_it_ends_with_the_connections(database: Database) -> None:
    read(database)
    before = list_watchers()
    assert before
    database.dispose()
    until(lambda: len(list_watchers()) < len(before), 10, "its thread has ended")
    read(database)
    assert len(list_watchers()) == len(before), "and begins again with the next one"
