"""Loaded versions, least recently used first out, bounded in bytes; one load for many waiters."""

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from app.serving.runtime import LoadedVersion

RETURNED_BYTES = 50_000_000
"""Bytes of dropped versions after which `malloc_trim` runs, which takes 6 ms."""


class ModelCache:
    """Versions by key. Keys begin with the project."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._versions: OrderedDict[Hashable, LoadedVersion] = OrderedDict()
        self._loading: dict[Hashable, threading.Lock] = {}
        self._dropped_bytes = 0
        """bytes of versions that were dropped since memory was last returned"""
        self.bytes = 0
        self.loads = 0

    def get(self, key: Hashable, load: Callable[[], LoadedVersion]) -> LoadedVersion:
        """Return the version of `key`; the first caller loads it, the others wait for that. What `load` raises is
        raised to its caller, and the next one tries again."""
        version = self._lookup(key)
        if version is not None:
            return version
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            version = self._lookup(key)
            if version is None:
                version = load()
                self._keep(key, version)
                self._release_memory()
            return version

    def held(self, key: Hashable) -> LoadedVersion | None:
        """Return the version of `key` where it is in memory; it counts as used now."""
        return self._lookup(key)

    @property
    def full(self) -> bool:
        """Whether another version would push one out, if it is as large as the ones in memory."""
        return bool(self._versions) and self.bytes * (1 + 1 / len(self._versions)) > self._max_bytes

    def __len__(self) -> int:
        return len(self._versions)

    def _lookup(self, key: Hashable) -> LoadedVersion | None:
        with self._lock:
            if key in self._versions:
                self._versions.move_to_end(key)
            return self._versions.get(key)

    def _keep(self, key: Hashable, version: LoadedVersion) -> None:
        """Store a version and drop the least recently used beyond the bound; the newest always stays."""
        with self._lock:
            self.loads += 1
            self._loading.pop(key, None)
            previous = self._versions.pop(key, None)
            self._versions[key] = version
            self.bytes += version.size - (previous.size if previous else 0)
            while self.bytes > self._max_bytes and len(self._versions) > 1:
                _, dropped = self._versions.popitem(last=False)
                self.bytes -= dropped.size
                self._dropped_bytes += dropped.size

    def _release_memory(self) -> None:
        """Return the memory of dropped versions to the system, once there is enough of it."""
        with self._lock:
            if self._dropped_bytes < RETURNED_BYTES:
                return
            self._dropped_bytes = 0
        _trim()


def _trim() -> None:
    """Return what has been freed to the system: glibc keeps it, and threads do not reuse each other's, so that models
    in turn took twice the memory of those that are held. Other allocators lack the call and go without."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
