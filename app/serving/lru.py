"""A cache that drops what was used longest ago, bounded in bytes."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class LruCache(Generic[V]):
    """Values by key, least recently used first out. Keys begin with the project."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[int, V]] = OrderedDict()
        """size in bytes and value, by key"""
        self.bytes = 0

    def get(self, key: Hashable) -> V | None:
        """Return the value of `key`, which counts as used now."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value of `size` bytes, and drop what is beyond the bound; a value above it is not kept."""
        with self._lock:
            previous = self._entries.pop(key, None)
            self.bytes -= previous[0] if previous else 0
            if size > self._max_bytes:
                return
            self._entries[key] = (size, value)
            self.bytes += size
            while self.bytes > self._max_bytes:
                _, (dropped, _) = self._entries.popitem(last=False)
                self.bytes -= dropped

    def __len__(self) -> int:
        return len(self._entries)
