"""Batches of rows that wait: in memory while they are few, else in a file that nobody else sees."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from app.errors import ErrorCode, TooLarge

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 16 * 1024 * 1024
"""bytes of batches that stay in memory"""
MOST_BYTES = 8 * 1024**3
"""of the rows of a table while they wait: files of a few hundred kilobytes may hold hundreds of millions of rows"""
PARTITIONS = 128
"""parts that the series of a large table are divided into, each of which is checked in memory as a whole"""


class Spill:
    """Batches by partition, in the order in which they were added."""

    def __init__(self, limit: int = IN_MEMORY) -> None:
        self._limit = limit
        self._bytes = 0
        self._batches: dict[int, list[pa.RecordBatch]] = defaultdict(list)
        self._places: dict[int, list[int]] = defaultdict(list)
        """where the batches of a partition begin in the file"""
        self._file: BinaryIO | None = None

    def add(self, partition: int, batch: "pa.RecordBatch") -> None:
        """Keep a batch."""
        self._bytes += batch.nbytes
        if self._file is None and self._bytes <= self._limit:
            self._batches[partition].append(batch)
            return
        if self._file is None:
            self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - `close` closes it
        self._write(self._file, partition, batch)

    def load(self, partition: int) -> "list[pa.RecordBatch]":
        """Return the batches of a partition."""
        import pyarrow as pa

        batches = list(self._batches[partition])
        for place in self._places[partition]:
            assert self._file is not None
            self._file.seek(place)
            with pa.ipc.open_stream(self._file) as stream:
                batches.extend(stream)
        return batches

    def close(self) -> None:
        """Let go of everything."""
        self._batches.clear()
        if self._file is not None:
            self._file.close()

    def _write(self, file: BinaryIO, partition: int, batch: "pa.RecordBatch") -> None:
        """Append a batch with its schema: the types of a column may vary between batches."""
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        self._places[partition].append(file.seek(0, 2))
        file.write(sink.getvalue())


class PartitionedRows:
    """Rows that come in the order of a table, and are read again series by series: all rows of a series at once.

    Every batch has a column `code`, (N,) int32: which series a row is of. While they are few, they are one partition.
    """

    def __init__(self, limit: int = IN_MEMORY, most: int = MOST_BYTES) -> None:
        self._limit = limit
        self._most = most
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self._total = 0
        self._spill = Spill(limit=0)
        self._partitions: set[int] = set()

    def add(self, batch: "pa.RecordBatch") -> None:
        """Keep a batch. Raises TooLarge where the table is larger than any that is taken."""
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        self._total += batch.nbytes
        if self._total > self._most:
            detail = f"the table takes more than {self._most} bytes when it is unpacked; send it in parts"
            raise TooLarge(ErrorCode.body_too_large, detail)
        if self._bytes > self._limit:
            self._scatter()

    def read(self) -> "Iterator[list[pa.RecordBatch]]":
        """Yield the batches of one partition after another, when all were added."""
        if not self._partitions:
            if self._waiting:
                yield self._waiting
            return
        self._scatter()
        for partition in sorted(self._partitions):
            yield self._spill.load(partition)

    def close(self) -> None:
        """Let go of everything."""
        self._waiting = []
        self._spill.close()

    def _scatter(self) -> None:
        """Write the batches that wait to their partitions, each of which keeps the order of the rows."""
        for batch in merge_alike(self._waiting):
            partition = batch.column("code").to_numpy() % PARTITIONS
            order = np.argsort(partition, kind="stable")
            ordered = batch.take(order)
            present, starts = np.unique(partition[order], return_index=True)
            ends = [*starts[1:].tolist(), len(partition)]
            for number, start, end in zip(present.tolist(), starts.tolist(), ends, strict=True):
                self._spill.add(number, ordered.slice(start, end - start))
                self._partitions.add(number)
        self._waiting = []
        self._bytes = 0


def merge_alike(batches: "Sequence[pa.RecordBatch]") -> "list[pa.RecordBatch]":
    """Return the rows in as few batches as their types allow, in their order."""
    import pyarrow as pa

    merged: list[list[pa.RecordBatch]] = []
    for batch in batches:
        if merged and merged[-1][0].schema.equals(batch.schema):
            merged[-1].append(batch)
        else:
            merged.append([batch])
    return [pa.concat_batches(alike) for alike in merged]
