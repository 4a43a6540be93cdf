"""The micro-batcher: one thread a process that runs the networks, for all requests that wait.

It never lingers: when it is idle, the first request starts a turn, and what arrives meanwhile shares the next one. A
turn takes the requests that wait, up to TURN_ROWS, and one piece of the large ones, so that a request of 10 000 series
holds a small one up for a piece and no longer. What is of one version runs as one batch.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.logs import get_logger
from app.serving.runtime import LoadedVersion
from models.arrays import Floats

log = get_logger(__name__)

Inputs = Mapping[str, NDArray[Any]]
"""what a network reads, by name, (B, ...) each"""

PIECE_ROWS = 128
"""windows of a large request that run at a time"""
TURN_ROWS = 256
"""windows of small requests that run at a time"""
AHEAD = 2
"""pieces of one request that wait at a time"""


class Request(Protocol):
    """What waits for a turn."""

    @property
    def rows(self) -> int:
        """How many windows it has at most."""


class Quantiles(NamedTuple):
    """What a network said."""

    values: Floats
    """(B, Q, H), contiguous"""
    finite: bool
    """whether all of the batch is: where not, some of it may be"""


class Work(NamedTuple):
    """Windows of one version, and who waits for them."""

    version: LoadedVersion
    inputs: Inputs
    done: Callable[[Quantiles], None]
    failed: Callable[[Exception], None]

    @property
    def rows(self) -> int:
        """The number of windows, B."""
        return len(next(iter(self.inputs.values())))


R = TypeVar("R", bound=Request)


class Batcher(Generic[R]):
    """Takes requests of type R, which `prepare` turns into work; `settle` is called after each batch."""

    def __init__(self, prepare: Callable[[Sequence[R]], Iterable[Work]], settle: Callable[[], None]) -> None:
        self._prepare, self._settle = prepare, settle
        self._arrived: SimpleQueue[Sequence[R] | Work | None] = SimpleQueue()
        self._requests: deque[R] = deque()
        self._pieces: deque[Work] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, requests: Sequence[R]) -> None:
        """Let requests wait for the next turn."""
        self._arrived.put(requests)

    def run(self, version: LoadedVersion, pieces: Iterable[Inputs | None]) -> Iterator[Quantiles | None]:
        """Run the pieces of a large request, from another thread: yield the quantiles of each, in order, and None for
        one without windows.

        Pieces are made as they are taken, a few ahead. Raises what running them raised.
        """
        waiting: deque[Future[Quantiles | None]] = deque()
        for inputs in pieces:
            future: Future[Quantiles | None] = Future()
            if inputs is None:
                future.set_result(None)
            else:
                self._arrived.put(Work(version, inputs, future.set_result, future.set_exception))
            waiting.append(future)
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def close(self) -> None:
        """End the thread after what has arrived."""
        self._arrived.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopping or self._requests or self._pieces:
            try:
                self._turn()
            except Exception:  # a bug in one turn must not end all later ones
                log.exception("turn_failed")

    def _turn(self) -> None:
        """Serve what waits."""
        self._take()
        requests, rows = [], 0
        while self._requests and rows < TURN_ROWS:
            requests.append(self._requests.popleft())
            rows += requests[-1].rows
        works = list(self._prepare(requests)) if requests else []
        if self._pieces:
            works.append(self._pieces.popleft())
        for group in _groups(works):
            _run(group)
            self._settle()
        if requests:
            self._settle()

    def _take(self) -> None:
        """Take all that has arrived, and wait for it where nothing is left over."""
        block = not (self._requests or self._pieces or self._stopping)
        try:
            while True:
                arrived = self._arrived.get(block)
                block = False
                if arrived is None:
                    self._stopping = True
                elif isinstance(arrived, Work):
                    self._pieces.append(arrived)
                else:
                    self._requests.extend(arrived)
        except Empty:
            return


def _groups(works: Sequence[Work]) -> list[list[Work]]:
    """Group what can run as one batch: a version's windows have one shape."""
    groups: dict[int, list[Work]] = {}
    for work in works:
        groups.setdefault(id(work.version), []).append(work)
    return list(groups.values())


def _run(works: Sequence[Work]) -> None:
    """Run works of one version as one batch."""
    try:
        first = works[0]
        if len(works) == 1:
            inputs = first.inputs
        else:
            inputs = {name: np.concatenate([work.inputs[name] for work in works]) for name in first.inputs}
        values = np.ascontiguousarray(first.version.run_arrays(inputs).transpose(0, 2, 1))
        finite = bool(np.isfinite(values).all())
    except Exception as e:
        log.exception("batch_failed")
        for work in works:
            work.failed(e)
        return
    at = 0
    for work in works:
        end = at + work.rows
        try:
            work.done(Quantiles(values[at:end], finite))
        except Exception:  # a bug of one work's owner is not the others'
            log.exception("batch_not_taken")
        at = end
