"""Only the newest attempt at a job may write about it."""

import pytest

from app.scope import Scope
from app.storage import jobs, keys
from app.storage.engine import Database
from app.storage.jobs import Fence, FenceLost


@pytest.fixture
def scope(database: Database) -> Scope:
    with database.write() as session:
        scope = keys.get_default_scope(session)
        jobs.add(session, scope, id="j", kind="train", request={})
    return scope


def claimed(database: Database) -> Fence:
    with database.write() as session:
        fence = jobs.claim(session, "j")
    assert fence is not None
    return fence


def test_a_replaced_run_writes_nothing(database: Database, scope: Scope) -> None:
    old, new = claimed(database), claimed(database)
    assert (old.attempt, new.attempt) == (1, 2)
    with pytest.raises(FenceLost), database.write() as session:
        jobs.write(session, old, progress={"fraction": 0.9})
    with pytest.raises(FenceLost), database.write() as session:
        jobs.finish(session, old, "succeeded", version=1)
    with database.write() as session:
        jobs.write(session, new, progress={"fraction": 0.1})
    with database.read() as session:
        job = jobs.get(session, scope, "j")
        assert job is not None
        assert (job.status, job.progress, job.version) == ("running", {"fraction": 0.1}, None)


def test_a_cancelled_run_writes_nothing(database: Database, scope: Scope) -> None:
    fence = claimed(database)
    with database.write() as session:
        assert jobs.cancel(session, scope, "j")
        assert not jobs.cancel(session, scope, "j")
    with pytest.raises(FenceLost), database.write() as session:
        jobs.finish(session, fence, "succeeded")
    with database.write() as session:
        assert jobs.claim(session, "j") is None


def test_an_ended_job_stays_ended(database: Database, scope: Scope) -> None:
    fence = claimed(database)
    with database.write() as session:
        jobs.finish(session, fence, "failed", error={"code": "x", "detail": "y"})
    with pytest.raises(FenceLost), database.read() as session:
        jobs.require_fenced(session, fence)
    with database.write() as session:
        assert jobs.claim(session, "j") is None
        assert not jobs.cancel(session, scope, "j")
