"""Small Arrow files that become large ones."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest

from app.formats import reading
from app.formats.arrow_sizes import measure_message
from tests.formats.tables import read, refuse

ROWS = 100_000
TABLE = pa.table(
    {
        "unique_id": pa.DictionaryArray.from_arrays(pa.array(np.zeros(ROWS, np.int8)), ["a"]),
        "ds": np.zeros(ROWS, np.int64),
        "y": np.arange(ROWS) % 2.0,
    }
)


def write(compression: str | None, *, file: bool = False) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, TABLE.schema, options=options) as writer:
        writer.write_table(TABLE)
    return sink.getvalue()


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_the_size_of_a_batch_is_known_before_it_is_decompressed(compression: str) -> None:
    sizes = [
        measure_message(message.metadata.to_pybytes(), message.body)
        for message in pa.ipc.MessageReader.open_stream(io.BytesIO(write(compression)))
        if message.body is not None
    ]
    assert max(sizes) == ROWS * (1 + 8 + 8)


def test_what_is_not_compressed_is_as_large_as_it_is() -> None:
    messages = list(pa.ipc.MessageReader.open_stream(io.BytesIO(write(None))))
    assert {measure_message(message.metadata.to_pybytes(), message.body) for message in messages[1:]} == {0}


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize("compression", ["lz4", "zstd", None])
def test_a_batch_that_becomes_too_large_is_refused(
    monkeypatch: pytest.MonkeyPatch, compression: Any, file: bool
) -> None:
    body = write(compression, file=file)
    assert len(read(body, "arrow")[1]) == ROWS
    monkeypatch.setattr("app.formats.arrow.LARGEST_BATCH", 1_000_000)
    if compression is None:
        assert len(read(body, "arrow")[1]) == ROWS
    else:
        assert "1700000 bytes when it is decompressed" in refuse(body, "arrow")


def test_a_table_that_says_it_has_any_number_of_rows_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 200_000)
    batch = pa.RecordBatch.from_arrays([pa.nulls(1 << 24)] * 3, ["unique_id", "ds", "y"])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    assert len(sink.getvalue()) < 2000
    assert "more than 200000 rows" in refuse(sink.getvalue(), "arrow")
