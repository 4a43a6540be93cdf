"""The micro-batcher: one thread, turns that are shared, and large requests that hold no small one up."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from app.serving.batcher import MAX_WAITING_PIECES, TURN_ROWS, Batcher, Inputs, PendingWindows, Quantiles
from app.serving.runtime import LoadedVersion
from tests.services.held import CONFIG, PATIENCE, Gate


def mean(quantiles: Quantiles | None) -> float:
    """Return the value of windows that are all alike."""
    assert quantiles is not None
    return float(quantiles.values.mean())


@dataclass(eq=False)
class Wanted:
    """A request of `rows` windows whose values are `value`, and its windows."""

    version: LoadedVersion
    value: float
    rows: int = 1
    owner: int = 1
    done: "Future[float]" = field(default_factory=Future)

    @property
    def inputs(self) -> Inputs:
        return {"y": np.full((self.rows, 4), self.value)}

    def finish(self, quantiles: Quantiles) -> None:
        self.done.set_result(mean(quantiles))

    def fail(self, error: Exception) -> None:
        self.done.set_exception(error)


class Broken:
    """A graph that cannot run."""

    def run(self, _names: Any, _inputs: Any) -> Any:
        raise ValueError("a broken graph")

    @property
    def version(self) -> LoadedVersion:
        return LoadedVersion(session=self, config=CONFIG, size=1)


Prepare = Callable[[Sequence[Wanted]], Iterable[PendingWindows]]


@dataclass
class FakeTurns:
    """Turns that prepare as they are told, and count how often they are flushed."""

    prepare: Prepare
    flushes: list[int]

    def flush(self) -> None:
        self.flushes.append(1)


class Batchers:
    """Makes batchers, and closes them."""

    def __init__(self) -> None:
        self.made: list[Batcher[Wanted]] = []
        self.flushes: list[int] = []

    def make(self, prepare: Prepare = iter) -> Batcher[Wanted]:
        self.made.append(Batcher[Wanted](FakeTurns(prepare, self.flushes)))
        return self.made[-1]


@pytest.fixture
def batchers() -> Iterator[Batchers]:
    batchers = Batchers()
    yield batchers
    for one in batchers.made:
        one.close()


def values_of(wanted: Sequence[Wanted]) -> list[float]:
    return [one.done.result(PATIENCE) for one in wanted]


def hold(batcher: Batcher[Wanted]) -> Gate:
    """Let the thread wait in a batch until the gate is opened."""
    gate = Gate()
    batcher.submit([Wanted(gate.version, 0.0)])
    assert gate.entered.wait(PATIENCE)
    return gate


def test_one_alone_is_served_at_once(batchers: Batchers) -> None:
    one = Wanted(Gate(is_open=True).version, 3.0)
    batchers.make().submit([one])
    assert one.done.result(PATIENCE) == 3.0


def test_what_waits_shares_a_batch(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, gate = hold(batcher), Gate(is_open=True)
    version = gate.version
    wanted = [Wanted(version, float(k), rows=1 + k % 3) for k in range(20)]
    for one in wanted:
        batcher.submit([one])
    blocker.opened.set()
    assert values_of(wanted) == [float(k) for k in range(20)]
    assert gate.batches == [sum(one.rows for one in wanted)]


def test_a_batch_is_of_one_version(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, gates = hold(batcher), [Gate(is_open=True), Gate(is_open=True)]
    versions = [gate.version for gate in gates]
    wanted = [Wanted(versions[k % 2], float(k)) for k in range(10)]
    for one in wanted:
        batcher.submit([one])
    blocker.opened.set()
    assert values_of(wanted) == [float(k) for k in range(10)]
    assert [gate.batches for gate in gates] == [[5], [5]]


def test_a_turn_is_bounded(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, gate = hold(batcher), Gate(is_open=True)
    version = gate.version
    wanted = [Wanted(version, float(k), rows=64) for k in range(10)]
    for one in wanted:
        batcher.submit([one])
    blocker.opened.set()
    values_of(wanted)
    assert sum(gate.batches) == 640
    assert max(gate.batches) <= TURN_ROWS + 64


def test_projects_take_turns(batchers: Batchers) -> None:
    """One request of another project beside a thousand waits for one turn, not for four."""
    batcher = batchers.make()
    blocker, gate = hold(batcher), Gate(is_open=True)
    version = gate.version
    many = [Wanted(version, 1.0, owner=1) for _ in range(4 * TURN_ROWS)]
    batcher.submit(many)
    one = Wanted(version, 2.0, owner=2)
    batcher.submit([one])
    turns: list[int] = []
    one.done.add_done_callback(lambda _: turns.append(len(gate.batches)))
    blocker.opened.set()
    values_of([*many, one])
    assert turns == [1]


def test_small_ones_wait_for_one_piece_of_a_large_one_at_most(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, large, small = hold(batcher), Gate(), Gate(is_open=True)
    version, asked = large.version, []

    def pieces() -> Iterator[dict[str, Any]]:
        for k in range(50):
            asked.append(k)
            yield {"y": np.full((8, 4), float(k))}

    found: list[float] = []
    consumer = threading.Thread(target=lambda: found.extend(map(mean, batcher.run(version, pieces()))))
    consumer.start()
    while len(asked) < 3:  # as many as it makes ahead
        pass
    wanted = [Wanted(small.version, float(k)) for k in range(20)]
    for one in wanted:
        batcher.submit([one])
    blocker.opened.set()
    try:
        assert values_of(wanted) == [float(k) for k in range(20)], "while the gate of the pieces is shut"
        assert len(asked) <= 4, "pieces are made as they are taken"
    finally:
        large.opened.set()
        consumer.join()
    assert found == [float(k) for k in range(50)]
    assert large.batches == [8] * 50


def test_small_ones_of_the_same_version_share_the_batch_of_a_piece(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, gate = hold(batcher), Gate(is_open=True)
    version = gate.version
    found: list[float] = []
    made: list[int] = []

    def pieces() -> Iterator[dict[str, Any]]:
        for k in range(50):
            made.append(k)
            yield {"y": np.full((8, 4), float(k))}

    consumer = threading.Thread(target=lambda: found.extend(map(mean, batcher.run(version, pieces()))))
    consumer.start()
    while len(made) < 3:
        pass
    wanted = [Wanted(version, float(k)) for k in range(20)]
    for one in wanted:
        batcher.submit([one])
    blocker.opened.set()
    assert values_of(wanted) == [float(k) for k in range(20)]
    consumer.join()
    assert found == [float(k) for k in range(50)]
    assert gate.batches[0] == 28


def test_pieces_of_large_ones_take_turns(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, gate = hold(batcher), Gate(is_open=True)
    both_wait = threading.Barrier(3, timeout=30)
    ends: list[str] = []

    def build(n: int) -> Iterator[Inputs]:
        for k in range(n):
            if k == MAX_WAITING_PIECES:  # the pieces before it have been submitted
                both_wait.wait()
            yield {"y": np.zeros((1, 4))}

    def consume(name: str, n: int) -> None:
        for _ in batcher.run(gate.version, build(n)):
            pass
        ends.append(name)

    threads = [threading.Thread(target=consume, args=args) for args in (("long", 400), ("short", 4))]
    for thread in threads:
        thread.start()
    both_wait.wait()
    blocker.opened.set()
    for thread in threads:
        thread.join()
    assert ends == ["short", "long"]


def test_pieces_without_windows(batchers: Batchers) -> None:
    gate = Gate(is_open=True)
    pieces = [None, {"y": np.full((2, 4), 7.0)}, None]
    first, second, third = batchers.make().run(gate.version, pieces)
    assert first is None
    assert third is None
    assert second is not None
    np.testing.assert_array_equal(second.values[:, 0, 0], [7.0, 7.0])


def test_a_failure_reaches_only_its_own(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, gate, broken = hold(batcher), Gate(is_open=True), Broken().version
    good, bad = [Wanted(gate.version, 1.0) for _ in range(3)], [Wanted(broken, 2.0) for _ in range(3)]
    for pair in zip(good, bad, strict=True):
        for one in pair:
            batcher.submit([one])
    blocker.opened.set()
    assert values_of(good) == [1.0] * 3
    for one in bad:
        with pytest.raises(ValueError, match="a broken graph"):
            one.done.result(PATIENCE)
    again = Wanted(gate.version, 5.0)
    batcher.submit([again])
    assert again.done.result(PATIENCE) == 5.0


def test_a_failed_piece_is_raised_to_its_own_request(batchers: Batchers) -> None:
    batcher = batchers.make()
    with pytest.raises(ValueError, match="a broken graph"):
        list(batcher.run(Broken().version, ({"y": np.zeros((1, 4))} for _ in range(9))))
    one = Wanted(Gate(is_open=True).version, 4.0)
    batcher.submit([one])
    assert one.done.result(PATIENCE) == 4.0


def test_a_bug_in_a_turn_does_not_end_later_ones(batchers: Batchers) -> None:
    failed = threading.Event()

    def prepare(asks: Sequence[Wanted]) -> Iterator[PendingWindows]:
        for one in asks:
            if one.value < 0:
                failed.set()
                raise RuntimeError("a bug")
            yield one

    batcher = batchers.make(prepare)
    gate = Gate(is_open=True)
    batcher.submit([Wanted(gate.version, -1.0)])
    assert failed.wait(PATIENCE)
    one = Wanted(gate.version, 4.0)
    batcher.submit([one])
    assert one.done.result(PATIENCE) == 4.0


def test_what_needs_no_network_is_flushed_too(batchers: Batchers) -> None:
    batcher = batchers.make(lambda _: [])
    batcher.submit([Wanted(Gate(is_open=True).version, 1.0)])
    batcher.close()
    assert batchers.flushes


def test_close_serves_what_has_arrived_and_ends_the_thread(batchers: Batchers) -> None:
    batcher = batchers.make()
    blocker, gate = hold(batcher), Gate(is_open=True)
    version = gate.version
    wanted = [Wanted(version, float(k), rows=64) for k in range(10)]
    for one in wanted:
        batcher.submit([one])
    closing = threading.Thread(target=batcher.close)
    closing.start()
    blocker.opened.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert all(one.done.done() for one in wanted)
    assert not batcher._thread.is_alive()
