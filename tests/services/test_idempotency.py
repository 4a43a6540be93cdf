"""An Idempotency-Key: one answer however often a call comes, and never two calls at once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.scope import Right, Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once, respond_to_long
from app.storage import call_locks, keys
from app.storage.engine import Database
from tests.services.held import PATIENCE, Call

KEY = Idempotency("k", "POST /x", "d" * 64)


@pytest.fixture
def scope(database: Database) -> Scope:
    with database.read() as session:
        return keys.get_default_scope(session)


class Work:
    """What a call does, held until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.count = 0

    def __call__(self, *_: Any) -> ServiceResponse:
        self.count += 1
        self.begun.set()
        assert self.let_go.wait(PATIENCE)
        return ServiceResponse(201, {"n": self.count})


def short(database: Database, scope: Scope, work: Work) -> ServiceResponse:
    return respond_once(database, scope, KEY, work)


def long(database: Database, scope: Scope, work: Work) -> ServiceResponse:
    def run() -> ServiceResponse:
        answer = work()
        return respond_once(database, scope, KEY, lambda _: answer, is_held=True)

    return respond_to_long(database, scope, KEY, run)


@pytest.mark.parametrize("call", [short, long])
def test_a_call_that_runs_is_not_run_again(
    database: Database, scope: Scope, call: Callable[[Database, Scope, Work], ServiceResponse]
) -> None:
    work = Work()
    first = Call(lambda: call(database, scope, work))
    assert work.begun.wait(PATIENCE)
    with pytest.raises(Conflict, match="runs now") as refused:
        call(database, scope, work)
    assert (refused.value.code, refused.value.headers) == ("idempotency_key_in_use", {"Retry-After": "1"})
    work.let_go.set()
    assert first.result() == ServiceResponse(201, {"n": 1})
    assert call(database, scope, work) == ServiceResponse(201, {"n": 1})
    assert work.count == 1


@pytest.mark.one_database("postgresql")
def test_nor_while_another_process_runs_it(database: Database, scope: Scope) -> None:
    work = Work()
    work.let_go.set()
    name = f"{scope.project_id}\nk\nPOST /x"
    with database.engine.connect() as other:  # as another process would
        assert other.execute(select(func.pg_try_advisory_lock(call_locks._number(name)))).scalar_one()
        for call in (short, long):
            with pytest.raises(Conflict, match="runs now"):
                call(database, scope, work)
        other.execute(select(func.pg_advisory_unlock_all()))
    assert long(database, scope, work).body == {"n": 1}


def test_a_call_that_failed_may_come_again(database: Database, scope: Scope) -> None:
    def fail(_: Session) -> ServiceResponse:
        raise ValueError("no")

    work = Work()
    work.let_go.set()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            respond_once(database, scope, KEY, fail)
    assert short(database, scope, work).body == {"n": 1}


@pytest.mark.one_database
def test_who_sees_other_series_is_not_told_the_answer(database: Database, scope: Scope) -> None:
    work = Work()
    work.let_go.set()
    short(database, scope, work)
    limited = Scope(scope.project_id, frozenset(Right), "key x", None, (("team", "bikes"),))
    with pytest.raises(Conflict, match="another body"):
        short(database, limited, work)
