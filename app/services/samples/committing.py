"""Group commit: bodies that come while a transaction runs share the next one, with those that are being read then.

A transaction of samples costs by the series that it touches, hardly by the samples. So the faster bodies come, the more
of them one transaction takes, and each is answered when what it brought is stored.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
from anyio import CapacityLimiter, to_thread

from app.errors import ErrorCode, Unavailable
from app.logs import get_logger
from app.scope import Scope
from app.services.samples.book import SampleBatch
from app.services.samples.writing import RulesChanged
from app.storage.engine import OUTAGE

log = get_logger(__name__)

MOST_WAITING = 2_000_000
"""samples that wait for a transaction: 24 bytes each and what came with them"""
LINGER_SECONDS = 0.25
"""how long a transaction waits for bodies that are being read, at most"""
RETRY_SECONDS = 2
Commit = Callable[[Scope, Sequence[SampleBatch]], None]
"""stores the samples of some bodies of a project in one transaction"""


@dataclass(eq=False)
class _Waiting:
    """A body that waits."""

    scope: Scope
    batch: SampleBatch
    done: "asyncio.Future[None]"


class GroupCommit:
    """Stores bodies, those of one project together."""

    def __init__(self, commit: Commit, most_samples: int) -> None:
        """Set up; `most_samples` go into one transaction, or one body that has more."""
        self._commit = commit
        self._most_samples = most_samples
        self._waiting: deque[_Waiting] = deque()
        self._samples = 0
        self._task: asyncio.Task[None] | None = None
        self._limiter = CapacityLimiter(1)
        self._readers = CapacityLimiter(1)  # it is all Python's work: two would not be faster
        self._reading = 0
        self._all_read = asyncio.Event()
        self._all_read.set()

    @property
    def reading(self) -> int:
        """Bodies that are being read."""
        return self._reading

    @property
    def waiting(self) -> int:
        """Bodies that wait for a transaction."""
        return len(self._waiting)

    async def read(self, scope: Scope, read: Callable[[], SampleBatch]) -> SampleBatch:
        """Read a body in a thread, and return its samples when they are stored.

        Raises what reading or storing them raised, and Unavailable when too many wait.
        """
        self._reading += 1
        self._all_read.clear()
        try:
            batch = await to_thread.run_sync(read, limiter=self._readers)
        finally:
            self._reading -= 1
            if not self._reading:
                self._all_read.set()
        await self._submit(scope, batch)
        return batch

    async def _submit(self, scope: Scope, batch: SampleBatch) -> None:
        if self._samples and self._samples + len(batch.ts) > MOST_WAITING:
            detail = f"more than {MOST_WAITING} samples wait to be stored; send them again in {RETRY_SECONDS} seconds"
            raise Unavailable(ErrorCode.overloaded, detail, headers={"Retry-After": str(RETRY_SECONDS)})
        one = _Waiting(scope, batch, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._samples += len(batch.ts)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await one.done

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._samples < self._most_samples:
                    with anyio.move_on_after(LINGER_SECONDS):
                        await self._all_read.wait()
                group = self._take()
                await self._store(group)
                self._samples -= sum(len(one.batch.ts) for one in group)
        finally:
            self._task = None

    def _take(self) -> list[_Waiting]:
        """Take the bodies of the project whose turn it is, as many as one transaction takes."""
        first = self._waiting.popleft()
        group = [first]
        room = self._most_samples - len(first.batch.ts)
        others: deque[_Waiting] = deque()
        while self._waiting:
            one = self._waiting.popleft()
            if one.scope.project_id == first.scope.project_id and len(one.batch.ts) <= room:
                room -= len(one.batch.ts)
                group.append(one)
            else:
                others.append(one)
        self._waiting = others
        return group

    async def _store(self, group: list[_Waiting]) -> None:
        """Store bodies together; where that fails for a reason that may be one body's, each by itself."""
        batches = [one.batch for one in group]
        try:
            await to_thread.run_sync(self._commit, group[0].scope, batches, limiter=self._limiter)
        except Exception as e:
            is_of_all = isinstance(e, (RulesChanged, *OUTAGE)) or getattr(e, "code", None) == ErrorCode.no_ingest_rules
            if len(group) > 1 and not is_of_all:
                log.warning("samples_stored_one_by_one", detail=str(e)[:200])
                for one in group:
                    await self._store([one])
                return
            for one in group:
                if not one.done.done():
                    one.done.set_exception(e)
            return
        for one in group:
            if not one.done.done():  # else its client has gone
                one.done.set_result(None)
