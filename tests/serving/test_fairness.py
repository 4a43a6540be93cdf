"""Turns between projects."""

import threading
from collections.abc import Callable

import pytest

from app.serving.fairness import FairPool, FairQueue
from tests.services.held import PATIENCE


def drain(queue: FairQueue[int]) -> list[int]:
    taken = []
    while queue:
        taken.append(queue.pop()[1])
    return taken


def test_owners_take_turns_and_each_is_first_in_first_out() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(5):
        queue.push("a", number)
    queue.push("b", 10)
    queue.push("b", 11)
    queue.push("c", 20)
    assert drain(queue) == [0, 10, 20, 1, 11, 2, 3, 4]
    assert not queue


def test_one_who_comes_late_waits_for_one_turn_of_each() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(1000):
        queue.push("a", number)
    assert queue.pop() == ("a", 0)
    queue.push("b", -1)
    assert [queue.pop()[1] for _ in range(2)] == [1, -1]


def test_some_may_be_passed_over() -> None:
    queue: FairQueue[int] = FairQueue()
    queue.push("a", 1)
    queue.push("b", 2)
    assert queue.pop({"a"}) == ("b", 2)
    with pytest.raises(LookupError):
        queue.pop({"a"})
    assert queue.pop() == ("a", 1)


class Held:
    """Calls that wait until they are let go."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.begun: list[str] = []
        self._more = threading.Semaphore(0)

    def call(self, name: str) -> Callable[[], None]:
        def run() -> None:
            self.begun.append(name)
            self._more.release()
            assert self.opened.wait(PATIENCE)

        return run

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self._more.acquire(timeout=PATIENCE)


def test_no_project_has_all_threads() -> None:
    pool, held = FairPool(4, "t", kept=1), Held()
    for number in range(10):
        pool.submit("a", held.call(f"a{number}"))
    held.wait(3)
    pool.submit("b", held.call("b0"))
    held.wait(1)
    assert sorted(held.begun) == ["a0", "a1", "a2", "b0"]
    held.opened.set()
    held.wait(7)
    assert sorted(held.begun) == sorted([*(f"a{number}" for number in range(10)), "b0"])
    pool.close()


def test_a_call_that_fails_gives_its_thread_back() -> None:
    pool, held = FairPool(2, "t"), Held()
    held.opened.set()

    def fail() -> None:
        raise ValueError("a bug")

    for _ in range(5):
        pool.submit("a", fail)
    pool.submit("a", held.call("after"))
    held.wait(1)
    pool.close()
