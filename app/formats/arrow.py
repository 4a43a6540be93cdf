"""Tables in Arrow's formats: the stream, and the file, which is Feather too."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from app.errors import ErrorCode, Invalid
from app.formats.arrow_sizes import measure_message
from app.formats.columns import split_evenly
from app.formats.mapped import map_file
from app.formats.source import SourceBatch, bound_rows
from app.formats.table import Guess

if TYPE_CHECKING:
    import pyarrow as pa

FILE = b"ARROW1"
"""first bytes of the file format"""
FILE_START = 8
"""bytes before the stream in a file"""
LARGEST_BATCH = 512 * 1024 * 1024
"""bytes of a batch, or of a dictionary, when it is decompressed: it is done at once"""


class ArrowSource:
    """An Arrow stream or file."""

    code = ErrorCode.table_malformed
    has_types = True
    is_columnar = False
    hint = ""

    def __init__(self, file: BinaryIO) -> None:
        """Read the schema. Raises Invalid for what is none."""
        self._buffer = map_file(file)
        self.guesses: Sequence[Guess] = ()
        with refuse_broken("Arrow"):
            self.names: Sequence[str] = [name.strip() for name in self._open().schema.names]

    def _slice(self) -> "pa.Buffer":
        """Return the stream; a file has the same one between its first bytes and its footer."""
        is_file = self._buffer[: len(FILE)].to_pybytes() == FILE
        return self._buffer[FILE_START:] if is_file else self._buffer

    def _open(self) -> Any:
        import pyarrow as pa
        import pyarrow.ipc

        return pa.ipc.open_stream(self._slice())

    def read(self, positions: Sequence[int]) -> Iterator[SourceBatch]:
        """Yield the rows. Raises Invalid for what is broken."""
        number = 0
        most = bound_rows(len(positions))
        for batch in self._read_batches(positions):
            for start, length in split_evenly(batch.num_rows, most):
                columns = {i: batch.column(i).slice(start, length) for i in positions}
                rows = np.arange(number + 1, number + 1 + length)
                number += length
                yield SourceBatch(length, rows, columns, [])

    def _read_batches(self, positions: Sequence[int]) -> "Iterator[pa.RecordBatch]":
        """Yield what was written at once, with these columns checked: offsets that point anywhere would crash whoever
        follows them."""
        import pyarrow as pa
        import pyarrow.ipc

        with refuse_broken("Arrow"):
            reader = self._open()
            messages = pa.ipc.MessageReader.open_stream(pa.BufferReader(self._slice()))
            while True:
                self._check_size(messages)
                batch = next(reader, None)
                if batch is None:
                    return
                for i in positions:
                    _validate(batch.column(i))
                yield batch

    def _check_size(self, messages: Any) -> None:
        """Read on to the end of the next batch. Raises Invalid where it, or a dictionary before it, is too large."""
        for message in messages:
            size = measure_message(message.metadata.to_pybytes(), message.body) if message.body is not None else 0
            if size > LARGEST_BATCH:
                detail = f"a batch of the Arrow table has {size} bytes when it is decompressed, the limit is"
                raise Invalid(self.code, f"{detail} {LARGEST_BATCH}; write batches of a million rows or fewer")
            if message.type == "record batch":
                return


def _validate(column: "pa.Array") -> None:
    """Check a column, but for texts that are views: those are as they are copied, for many may be of one text."""
    import pyarrow as pa

    if pa.types.is_string_view(column.type):
        return
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
        column.indices.validate(full=True)
        indices = np.asarray(column.indices.cast(pa.int64()).fill_null(0))
        if len(indices) and not 0 <= indices.min() <= indices.max() <= max(0, len(column.dictionary) - 1):
            raise ValueError("an index lies beyond its dictionary")
        return
    column.validate(full=True)


@contextmanager
def refuse_broken(format: str) -> Iterator[None]:
    """Turn what pyarrow raises for a broken file into an Invalid that says what it says."""
    import pyarrow as pa

    try:
        yield
    except (
        pa.ArrowException,
        struct.error,
        OSError,
        ValueError,
        MemoryError,
        OverflowError,
        KeyError,
        IndexError,
    ) as e:
        raise Invalid(ErrorCode.table_malformed, f"the {format} table cannot be read: {_summarize(e)}") from e


def _summarize(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = lines[0][:200].rstrip(".")
    if "encrypt" in str(error).lower() or "decrypt" in str(error).lower():
        return f"it is encrypted ({said}); write it without encryption"
    return f"{said}; it is cut off or damaged: write it again and send it whole"
