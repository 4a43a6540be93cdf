"""What a run tells of itself while it is busy."""

import pytest

from app.services.runs.journal import SILENT_SECONDS, Journal
from app.storage import jobs, keys
from app.storage.engine import Database
from tests.e2e.processes import until
from tests.services.stored import claimed


@pytest.fixture
def journal(database: Database) -> Journal:
    with database.write() as session:
        jobs.add(session, keys.get_default_scope(session), id="j", kind="train", request={})
    return Journal(database, claimed(database, "j"))


def told(database: Database) -> dict[str, float]:
    with database.read() as session:
        row = jobs.get_unscoped(session, "j")
    assert row is not None
    return dict(row.progress or {})


def test_progress_is_told_again_while_a_step_takes_long(journal: Journal, database: Database) -> None:
    journal.tell({"fraction": 0.5, "eta_s": 100.0})
    first = told(database)
    assert (first["tick"], first["eta_s"]) == (1, 100.0)
    again = until(lambda: found if (found := told(database))["tick"] >= 3 else None, 30, "it is told twice more")
    assert again["fraction"] == 0.5
    assert again["eta_s"] <= 100.0 - 2 * SILENT_SECONDS
    journal.close()


def test_a_wish_to_stop_is_noticed_without_a_word_of_the_run(journal: Journal, database: Database) -> None:
    journal.tell({"phase": "select", "fraction": 0.5, "eta_s": None})
    with database.write() as session:
        assert jobs.request_stop(session, keys.get_default_scope(session), "j")
    until(lambda: journal.stopping, 30, "the run knows")
    journal.close()


def test_nothing_is_told_of_a_job_that_has_ended(journal: Journal, database: Database) -> None:
    journal.tell({"fraction": 0.5, "eta_s": 1.0})
    with database.write() as session:
        jobs.finish(session, journal.fence, "succeeded", progress={"fraction": 1.0})
    assert journal._thread is not None
    journal._thread.join(30)
    assert not journal._thread.is_alive(), "it has met the lost fence and stopped"
    assert told(database) == {"fraction": 1.0}
