"""Samples: values at times of sources, which their labels name. Protocols of monitoring send them in any order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from models.arrays import Floats, Ints

Labels = Mapping[str, str]
NAME = "__name__"
"""the label that holds the name of a metric or measurement"""
MOST_SOURCES = 100_000
"""sources that a table remembers"""
LONGEST_KEYS = 32 << 20
"""bytes or characters of their keys"""
K = TypeVar("K", bytes, str)


class SampleError(ValueError):
    """A body that cannot be read. Its text says where, and what is expected there."""


class SourceTable(Generic[K]):
    """The sources that were seen, by the bytes or the text in which a protocol writes their labels.

    Reading labels costs more than all else that is done with a sample, so each source's are read once. A table is never
    cleared: one that is full is replaced, and batches that name its slots keep it.
    """

    def __init__(self, decode: Callable[[K], Labels]) -> None:
        self.slots: dict[K, int] = {}
        """the number of each source by its key"""
        self.keys: list[K] = []
        self._decode: Callable[[K], Labels] = decode
        self._size = 0

    def add(self, key: K) -> int:
        """Return the slot of a source, a new one where it is not known."""
        slot = self.slots.setdefault(key, len(self.keys))
        if slot == len(self.keys):
            self.keys.append(key)
            self._size += len(key)
        return slot

    def read_labels(self, slot: int) -> Labels:
        """Return the labels of a source."""
        return self._decode(self.keys[slot])

    @property
    def is_full(self) -> bool:
        """Whether another table should take its place."""
        return len(self.keys) >= MOST_SOURCES or self._size >= LONGEST_KEYS


@dataclass(frozen=True)
class SampleBatch:
    """The samples of one body, in its order."""

    table: SourceTable[Any]
    slots: Ints
    """(N,) sources, as the table numbers them"""
    ts: Ints
    """(N,) microseconds UTC"""
    values: Floats
    """(N,)"""


def build_batch(
    table: SourceTable[Any], slots: Sequence[int], stamps: Sequence[int], values: Sequence[float]
) -> SampleBatch:
    """Return the batch of samples (N,). Raises SampleError for a time that is none."""
    try:
        ts = np.array(stamps, np.int64)
    except OverflowError as e:
        raise SampleError("a timestamp is beyond what 64 bits hold; check the precision that was sent") from e
    return SampleBatch(table, np.array(slots, np.int64), ts, np.array(values, np.float64))
