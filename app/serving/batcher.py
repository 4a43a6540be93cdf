"""The micro-batcher: one thread a process that runs the networks, for all requests that wait.

It never lingers: when it is idle, the first request starts a turn, and what arrives meanwhile shares the next one. A
turn takes the requests that wait, of one project after the other, up to TURN_ROWS, and one piece of the large ones, so
that a request of 10 000 series holds a small one up for a piece and no longer. Windows of one version run as one batch.
"""

import threading
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.logs import get_logger
from app.serving.fairness import FairQueue
from app.serving.runtime import LoadedVersion
from models.arrays import Floats

log = get_logger(__name__)

Inputs = Mapping[str, NDArray[Any]]
"""arrays that a network reads, by name, (B, ...) each"""

PIECE_ROWS = 128
"""windows of a large request that run at a time"""
TURN_ROWS = 256
"""windows of small requests that run at a time"""
MAX_WAITING_PIECES = 2
"""pieces of one large request that wait at a time"""


class Quantiles(NamedTuple):
    """A network's forecast of some windows."""

    values: Floats
    """(B, Q, H), contiguous"""
    finite: bool
    """whether all of the batch is finite: where not, some of its windows may be"""
    means: Floats | None
    """(B, H); None: the version's graph gives quantiles alone"""


class PendingWindows(Protocol):
    """Windows of one version, and the methods that the batcher calls with their quantiles."""

    @property
    def version(self) -> LoadedVersion:
        """The version whose network runs."""

    @property
    def inputs(self) -> Inputs:
        """What the network reads, (B, ...) each."""

    def finish(self, quantiles: Quantiles) -> None:
        """Take the quantiles of these windows, (B, Q, H)."""

    def fail(self, error: Exception) -> None:
        """Take the error that running them raised."""


class Countable(Protocol):
    """A request that waits for a turn."""

    @property
    def rows(self) -> int:
        """The number of its windows, at most."""

    @property
    def owner(self) -> Hashable:
        """Whose it is: owners take turns."""


R = TypeVar("R", bound=Countable)
R_contra = TypeVar("R_contra", bound=Countable, contravariant=True)


class Turns(Protocol[R_contra]):
    """The methods that a batcher calls, in its thread, for the requests that are submitted to it."""

    def prepare(self, requests: Sequence[R_contra]) -> Iterable[PendingWindows]:
        """Yield the windows of those requests that need a network."""

    def flush(self) -> None:
        """Deliver the responses that are finished; called after each batch."""


@dataclass(eq=False, slots=True)
class Piece:
    """Windows of a large request, whose thread waits for the future."""

    version: LoadedVersion
    inputs: Inputs
    future: "Future[Quantiles | None]"

    def finish(self, quantiles: Quantiles) -> None:
        """Wake the thread with the quantiles."""
        self.future.set_result(quantiles)

    def fail(self, error: Exception) -> None:
        """Raise the error in the thread."""
        self.future.set_exception(error)


class Batcher(Generic[R]):
    """Runs requests of type R, which `turns` prepares, and pieces of large requests."""

    def __init__(self, turns: Turns[R]) -> None:
        self._turns = turns
        self._arrivals: SimpleQueue[Sequence[R] | Piece | None] = SimpleQueue()
        self._requests: FairQueue[R] = FairQueue()
        self._pieces: deque[Piece] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, requests: Sequence[R]) -> None:
        """Let requests wait for the next turn."""
        self._arrivals.put(requests)

    def run(self, version: LoadedVersion | None, pieces: Iterable[Inputs | None]) -> Iterator[Quantiles | None]:
        """Run the pieces of a large request, from another thread: yield the quantiles of each, in order, and None for
        one without windows. Where no piece has any, it needs no version.

        Pieces are built as they are taken, MAX_WAITING_PIECES before their turn. Raises what running them raised.
        """
        waiting: deque[Future[Quantiles | None]] = deque()
        for inputs in pieces:
            future: Future[Quantiles | None] = Future()
            if inputs is None:
                future.set_result(None)
            else:
                assert version is not None, "a version runs windows"
                self._arrivals.put(Piece(version, inputs, future))
            waiting.append(future)
            if len(waiting) > MAX_WAITING_PIECES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def close(self) -> None:
        """End the thread after what has arrived."""
        self._arrivals.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopping or self._requests or self._pieces:
            try:
                self._take_turn()
            except Exception:  # a bug in one turn must not end all later ones
                log.exception("turn_failed")

    def _take_turn(self) -> None:
        """Serve what waits."""
        self._receive()
        requests: list[R] = []
        rows = 0
        while self._requests and rows < TURN_ROWS:
            requests.append(self._requests.pop()[1])
            rows += requests[-1].rows
        windows: list[PendingWindows] = list(self._turns.prepare(requests)) if requests else []
        if self._pieces:
            windows.append(self._pieces.popleft())
        for group in _group_by_version(windows):
            _run_batch(group)
            self._turns.flush()
        if requests:
            self._turns.flush()

    def _receive(self) -> None:
        """Take all that has arrived, and wait for it where nothing is left over."""
        block = not (self._requests or self._pieces or self._stopping)
        try:
            while True:
                arrival = self._arrivals.get(block)
                block = False
                if arrival is None:
                    self._stopping = True
                elif isinstance(arrival, Piece):
                    self._pieces.append(arrival)
                else:
                    for request in arrival:
                        self._requests.push(request.owner, request)
        except Empty:
            return


def _group_by_version(windows: Sequence[PendingWindows]) -> list[list[PendingWindows]]:
    """Group what can run as one batch: a version's windows have one shape."""
    groups: dict[int, list[PendingWindows]] = {}
    for member in windows:
        groups.setdefault(id(member.version), []).append(member)
    return list(groups.values())


def _run_batch(members: Sequence[PendingWindows]) -> None:
    """Run windows of one version as one batch, and give each member its quantiles, or the error."""
    try:
        inputs = _concatenate([member.inputs for member in members])
        quantiles, *rest = members[0].version.run_outputs(inputs)
        values = np.ascontiguousarray(quantiles.transpose(0, 2, 1))  # (B, Q, H)
        finite = bool(np.isfinite(values).all())
    except Exception as e:
        log.exception("batch_failed")
        for member in members:
            member.fail(e)
        return
    start = 0
    for member in members:
        end = start + _count_rows(member.inputs)
        try:
            member.finish(Quantiles(values[start:end], finite, rest[0][start:end] if rest else None))
        except Exception:  # a bug of one member is not the others'
            log.exception("batch_not_taken")
        start = end


def _concatenate(batches: Sequence[Inputs]) -> Inputs:
    if len(batches) == 1:
        return batches[0]
    return {name: np.concatenate([inputs[name] for inputs in batches]) for name in batches[0]}


def _count_rows(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))
