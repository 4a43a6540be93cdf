"""Bodies share a transaction, each is answered when it is stored, and none is refused for another's sake."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from app.errors import ErrorCode, Forbidden, Unavailable
from app.scope import Right, Scope
from app.services.samples import committing
from app.services.samples.book import RuleBook, SampleBatch
from app.services.samples.committing import GroupCommit

BOOK = RuleBook([], [])
SCOPES = [Scope(number, frozenset(Right)) for number in (1, 2)]


def batch(number: int, size: int = 1) -> SampleBatch:
    return SampleBatch(BOOK, np.zeros(size, np.int64), np.full(size, number), np.zeros(size))


class Store:
    """A store that writes down what each transaction brought, and lets the first one wait for `go`."""

    def __init__(self) -> None:
        self.groups: list[tuple[int, list[int]]] = []
        self.go = threading.Event()
        self.begun = threading.Event()
        self.refuse: Callable[[int], Exception | None] = lambda _: None

    def commit(self, scope: Scope, batches: Sequence[SampleBatch]) -> None:
        numbers = [int(one.ts[0]) for one in batches]
        self.begun.set()
        self.go.wait()
        for number in numbers:
            error = self.refuse(number)
            if error is not None:
                raise error
        self.groups.append((scope.project_id, numbers))


async def send_while_busy(
    store: Store, group: GroupCommit, bodies: Sequence[tuple[Scope, SampleBatch]]
) -> list[object]:
    """Send a first body, and the others while its transaction runs; return what became of each."""
    first = asyncio.create_task(group.read(SCOPES[0], lambda: batch(0)))
    await asyncio.to_thread(store.begun.wait)
    others = [asyncio.create_task(group.read(scope, lambda one=one: one)) for scope, one in bodies]  # type: ignore[misc]
    while group.reading or group.waiting < len(bodies):
        await asyncio.sleep(0)
    store.go.set()
    return list(await asyncio.gather(first, *others, return_exceptions=True))


def test_bodies_that_come_during_a_transaction_share_the_next_by_project() -> None:
    store = Store()
    bodies = [(SCOPES[number % 2], batch(number)) for number in range(1, 7)]
    answers = asyncio.run(send_while_busy(store, GroupCommit(store.commit, 1000), bodies))
    assert all(isinstance(answer, SampleBatch) for answer in answers)
    assert store.groups == [(1, [0]), (2, [1, 3, 5]), (1, [2, 4, 6])]


def test_a_transaction_takes_no_more_than_it_may() -> None:
    store = Store()
    bodies = [(SCOPES[0], batch(number, 4)) for number in range(1, 6)] + [(SCOPES[0], batch(6, 50))]
    asyncio.run(send_while_busy(store, GroupCommit(store.commit, 10), bodies))
    assert store.groups == [(1, [0]), (1, [1, 2]), (1, [3, 4]), (1, [5]), (1, [6])]


def test_a_body_that_cannot_be_stored_is_refused_alone() -> None:
    store = Store()
    store.refuse = lambda number: ValueError("a bug") if number == 2 else None
    bodies = [(SCOPES[0], batch(number)) for number in (1, 2, 3)]
    answers = asyncio.run(send_while_busy(store, GroupCommit(store.commit, 1000), bodies))
    assert [type(answer) for answer in answers] == [SampleBatch, SampleBatch, ValueError, SampleBatch]
    assert store.groups == [(1, [0]), (1, [1]), (1, [3])]


def test_a_body_beyond_a_quota_is_refused_alone() -> None:
    store = Store()
    store.refuse = lambda number: Forbidden(ErrorCode.quota_exceeded, "too many") if number == 2 else None
    bodies = [(SCOPES[0], batch(number)) for number in (1, 2, 3)]
    answers = asyncio.run(send_while_busy(store, GroupCommit(store.commit, 1000), bodies))
    assert [type(answer) for answer in answers] == [SampleBatch, SampleBatch, Forbidden, SampleBatch]


def test_an_outage_is_told_to_all_at_once() -> None:
    store = Store()
    asked: list[int] = []

    def refuse(number: int) -> Exception | None:
        asked.append(number)
        return OperationalError("", None, Exception("away")) if number else None

    store.refuse = refuse
    bodies = [(SCOPES[0], batch(number)) for number in (1, 2, 3)]
    answers = asyncio.run(send_while_busy(store, GroupCommit(store.commit, 1000), bodies))
    assert [type(answer) for answer in answers] == [SampleBatch, *[OperationalError] * 3]
    assert asked == [0, 1], "the database is not asked again for each"


def test_too_many_that_wait_are_refused_with_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "MOST_WAITING", 10)
    store = Store()

    async def overload() -> list[object]:
        group = GroupCommit(store.commit, 1000)
        first = asyncio.create_task(group.read(SCOPES[0], lambda: batch(0, 8)))
        await asyncio.to_thread(store.begun.wait)
        with pytest.raises(Unavailable) as refused:
            await group.read(SCOPES[0], lambda: batch(1, 3))
        store.go.set()
        await first
        return [refused.value.code, refused.value.headers, await group.read(SCOPES[0], lambda: batch(2, 3))]

    code, headers, answer = asyncio.run(overload())
    assert (code, headers) == (ErrorCode.overloaded, {"Retry-After": "2"})
    assert isinstance(answer, SampleBatch), "there is room again"


def test_a_client_that_goes_does_not_take_its_body_along() -> None:
    store = Store()

    async def leave() -> None:
        group = GroupCommit(store.commit, 1000)
        first = asyncio.create_task(group.read(SCOPES[0], lambda: batch(0)))
        await asyncio.to_thread(store.begun.wait)
        second = asyncio.create_task(group.read(SCOPES[0], lambda: batch(1)))
        while group.waiting < 1:
            await asyncio.sleep(0)
        second.cancel()
        store.go.set()
        await first
        await group.read(SCOPES[0], lambda: batch(2))

    asyncio.run(leave())
    assert [number for _, numbers in store.groups for number in numbers] == [0, 1, 2]
