"""Tables as bytes, one part after another: CSV, NDJSON, Parquet, Arrow stream.

Numbers are written by the shortest text that reads as the same number, and null is what the format has for it: an empty
cell, `null`, or a null. A time is of the type that `choose_stamp_type` names, so that a text can have an offset.
"""

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from app.formats.table import TableFormat

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS = frozenset({TableFormat.csv, TableFormat.ndjson})
"""formats whose times are RFC 3339 texts, with any offset"""
_WHOLE = r"^(-?\d+)$"


class TableWriter(Protocol):
    """Writes the batches of one table, all of its schema."""

    def begin(self) -> bytes:
        """Return what comes before the first batch."""

    def write(self, batch: "pa.RecordBatch") -> bytes:
        """Return a batch's rows."""

    def end(self) -> bytes:
        """Return what comes after the last batch."""


def choose_table_writer(format: TableFormat, schema: "pa.Schema") -> TableWriter:
    """Return a writer of a format."""
    writer: TableWriter = _WRITERS[format](schema)
    return writer


def choose_stamp_type(format: TableFormat) -> "pa.DataType":
    """Return the type of a column of times: texts, or timestamp[us, UTC]."""
    import pyarrow as pa  # costs a tenth of a second, and most processes never need it

    return pa.string() if format in TEXTS else pa.timestamp("us", tz="UTC")


class CsvTableWriter:
    """Writes lines, with a header; every text is quoted."""

    def __init__(self, schema: "pa.Schema") -> None:
        self._names = schema.names

    def begin(self) -> bytes:
        """Return the header."""
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(self._names)
        return line.getvalue().encode()

    def write(self, batch: "pa.RecordBatch") -> bytes:
        """Return a line a row."""
        from pyarrow.csv import WriteOptions, write_csv

        sink = io.BytesIO()
        write_csv(batch, sink, WriteOptions(include_header=False, quoting_style="needed"))
        return sink.getvalue()

    def end(self) -> bytes:
        """Return nothing: the last line is the end."""
        return b""


class NdjsonTableWriter:
    """Writes an object a line, with every column in it."""

    def __init__(self, schema: "pa.Schema") -> None:
        self._names = [orjson.dumps(name).decode() for name in schema.names]

    def begin(self) -> bytes:
        """Return nothing: there is no header."""
        return b""

    def write(self, batch: "pa.RecordBatch") -> bytes:
        """Return a line a row."""
        import pyarrow.compute as pc

        if not len(batch):
            return b""
        parts: list[Any] = []
        separator = "{"
        for name, column in zip(self._names, batch.columns, strict=True):
            parts += [f"{separator}{name}:", _spell_json(column)]
            separator = ","
        lines = pc.binary_join_element_wise(*parts, "}\n", "", null_handling="replace", null_replacement="null")
        return "".join(lines.to_pylist()).encode()

    def end(self) -> bytes:
        """Return nothing: the last line is the end."""
        return b""


class ArrowTableWriter:
    """Writes an Arrow stream, a record batch a part."""

    def __init__(self, schema: "pa.Schema") -> None:
        self._schema = schema
        self._sink = DrainedSink()
        self._stream: Any = None

    def begin(self) -> bytes:
        """Return the schema."""
        import pyarrow as pa

        self._stream = pa.ipc.new_stream(self._sink, self._schema)
        return self._sink.drain()

    def write(self, batch: "pa.RecordBatch") -> bytes:
        """Return a record batch."""
        self._stream.write_batch(batch)
        return self._sink.drain()

    def end(self) -> bytes:
        """Return the end of the stream."""
        self._stream.close()
        return self._sink.drain()


class ParquetTableWriter:
    """Writes a Parquet file, a row group a part."""

    def __init__(self, schema: "pa.Schema") -> None:
        self._schema = schema
        self._sink = DrainedSink()
        self._file: Any = None

    def begin(self) -> bytes:
        """Return the first bytes."""
        from pyarrow import parquet

        self._file = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        return self._sink.drain()

    def write(self, batch: "pa.RecordBatch") -> bytes:
        """Return a row group."""
        if len(batch):
            self._file.write_batch(batch, row_group_size=len(batch))
        return self._sink.drain()

    def end(self) -> bytes:
        """Return the footer, which says where the row groups lie."""
        self._file.close()
        return self._sink.drain()


class DrainedSink(io.RawIOBase):
    """A file whose bytes are taken away as they are written, and which knows how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def tell(self) -> int:
        """Return the number of bytes that were ever written."""
        return self._position

    def write(self, data: Any) -> int:
        """Keep some bytes until they are taken."""
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def drain(self) -> bytes:
        """Take what was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


_WRITERS: Mapping[TableFormat, type[Any]] = {
    TableFormat.csv: CsvTableWriter,
    TableFormat.ndjson: NdjsonTableWriter,
    TableFormat.parquet: ParquetTableWriter,
    TableFormat.arrow: ArrowTableWriter,
}


def _spell_json(column: "pa.Array") -> "pa.Array":
    """Return each value as JSON (N,), null where it is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):
        distinct = column.dictionary_encode()
        texts = [orjson.dumps(text).decode() for text in distinct.dictionary.to_pylist()]
        return pa.array(texts, pa.string()).take(distinct.indices)
    text = column.cast(pa.string())
    if pa.types.is_floating(column.type):  # 1.0, so that nobody takes the column for whole numbers
        return pc.replace_substring_regex(text, _WHOLE, r"\1.0")
    return text
