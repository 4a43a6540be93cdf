"""Turns between projects: much that one has asked for does not hold up the little that another does."""

import contextlib
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """What waits: first in first out of each owner, and the owners take turns. Not for several threads at once."""

    def __init__(self) -> None:
        self._by_owner: OrderedDict[Hashable, deque[T]] = OrderedDict()
        """what each owner waits for, never empty; the owner whose turn is next comes first"""

    def __bool__(self) -> bool:
        return bool(self._by_owner)

    def push(self, owner: Hashable, item: T) -> None:
        """Add what an owner waits for."""
        waiting = self._by_owner.get(owner)
        if waiting is None:
            self._by_owner[owner] = deque([item])
        else:
            waiting.append(item)

    def pop(self, passed_over: Collection[Hashable] = ()) -> tuple[Hashable, T]:
        """Take what is next, of other owners than some. Raises LookupError where nothing is."""
        owner = next((one for one in self._by_owner if one not in passed_over), None)
        if owner is None:
            raise LookupError
        waiting = self._by_owner[owner]
        item = waiting.popleft()
        if waiting:
            self._by_owner.move_to_end(owner)
        else:
            del self._by_owner[owner]
        return owner, item


class FairPool:
    """Threads that projects share: none of them has all, and they take turns for those that are free."""

    def __init__(self, threads: int, name: str, *, kept: int = 1) -> None:
        """Set up the pool; `kept` of the threads are for other projects than the one that has all the others."""
        self._threads = threads
        self._most = threads - kept
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._waiting: FairQueue[Callable[[], Any]] = FairQueue()
        self._running: Counter[Hashable] = Counter()

    def submit(self, owner: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        """Let a thread call a function, which raises nothing, when it is the owner's turn."""
        with self._lock:
            self._waiting.push(owner, lambda: function(*arguments))
            self._start()

    def close(self) -> None:
        """Finish what is running, and begin nothing else."""
        self._executor.shutdown(cancel_futures=True)

    def _start(self) -> None:
        """Start what threads are free for."""
        while self._running.total() < self._threads:
            full = [owner for owner, count in self._running.items() if count >= self._most]
            try:
                owner, call = self._waiting.pop(full)
            except LookupError:
                return
            self._running[owner] += 1
            with contextlib.suppress(RuntimeError):  # the pool is closed
                self._executor.submit(self._run, owner, call)

    def _run(self, owner: Hashable, call: Callable[[], Any]) -> None:
        try:
            call()
        finally:
            with self._lock:
                self._running[owner] -= 1
                if not self._running[owner]:
                    del self._running[owner]
                self._start()
