"""What was used lately, bounded in bytes."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Lru(Generic[V]):
    """Values by key, least recently used first out. Keys begin with the project."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[int, V]] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable) -> V | None:
        """Return the value of `key`, which counts as used now."""
        with self._lock:
            held = self._values.get(key)
            if held is None:
                return None
            self._values.move_to_end(key)
            return held[1]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value of `size` bytes, and drop what is beyond the bound; a value above it is not kept."""
        with self._lock:
            before = self._values.pop(key, None)
            self.bytes -= before[0] if before else 0
            if size > self._max_bytes:
                return
            self._values[key] = (size, value)
            self.bytes += size
            while self.bytes > self._max_bytes:
                _, (dropped, _) = self._values.popitem(last=False)
                self.bytes -= dropped

    def __len__(self) -> int:
        return len(self._values)
