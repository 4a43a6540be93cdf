"""Bodies that are no UTF-8 text are named for what they are."""

import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from app.errors import Invalid
from app.formats.csv import read_csv
from app.formats.text import open_text

TABLE = "unique_id,ds,y\na,2024-01-01,1\n"


def parquet() -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"y": [1.0]}), sink)
    return sink.getvalue()


def arrow(*, file: bool) -> bytes:
    sink = io.BytesIO()
    table = pa.table({"y": [1.0]})
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def workbook() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    return sink.getvalue()


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (gzip.compress(TABLE.encode(), mtime=0), "Content-Encoding: gzip"),
        (zstandard.compress(TABLE.encode()), "Content-Encoding: zstd"),
        (parquet(), "a Parquet file"),
        (arrow(file=True), "an Arrow (Feather) file"),
        (arrow(file=False), "an Arrow stream"),
        (workbook(), "an Excel workbook"),
        (TABLE.encode("utf-16"), "UTF-16"),
        (TABLE.encode("utf-16-le"), "UTF-16"),
        (TABLE.encode("utf-16-be"), "UTF-16"),
        (b'[{"unique_id": "a"}]', "JSON"),
        (b' {"ds": []}', "JSON"),
        (b"<!doctype html>", "HTML"),
    ],
)
def test_bodies_of_another_kind(body: bytes, seen: str) -> None:
    with pytest.raises(Invalid, match="the body is") as refused, open_text(io.BytesIO(body)):
        pass
    assert seen in refused.value.detail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(encoding: str) -> None:
    file = io.BytesIO(TABLE.encode(encoding))
    with open_text(file) as lines:
        assert lines.read() == TABLE
    assert not file.closed


@pytest.mark.parametrize("before", [3, 2000])
def test_a_byte_of_another_encoding_is_named_with_its_line(before: int) -> None:
    text = "unique_id,ds,y\n" + "a,2024-01-01,1\n" * before + "Zürich,2024-01-01,1\n"
    with open_text(io.BytesIO(text.encode("latin-1"))) as lines, pytest.raises(Invalid) as refused:
        list(read_csv(lines).rows)
    assert f"line {before + 2} of the body holds the byte 0xFC" in refused.value.detail
    assert "'ü'" in refused.value.detail
