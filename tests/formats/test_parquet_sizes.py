"""How large pages of Parquet become is known before they are decompressed."""

import contextlib
import io
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from app.errors import Invalid
from app.formats import parquet
from app.formats.parquet_sizes import measure_largest_page
from tests.formats.tables import read, refuse

ROWS = 50_000


def write(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def measure(content: bytes, leaf: int = 0, group: int = 0) -> int:
    column = pa.parquet.ParquetFile(io.BytesIO(content)).metadata.row_group(group).column(leaf)
    start = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
    return measure_largest_page(pa.py_buffer(content), start, column.total_compressed_size, ROWS)


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_page_is_as_large_as_its_values(compression: str, version: str) -> None:
    options = {"compression": compression, "data_page_version": version, "use_dictionary": False}
    whole = {"data_page_size": 10_000_000, "max_rows_per_page": ROWS, "write_batch_size": ROWS}
    content = write({"y": np.zeros(ROWS)}, **options, **whole)
    assert measure(content) == pytest.approx(8 * ROWS, rel=0.01)
    assert measure(write({"y": np.zeros(ROWS)}, **options, data_page_size=8000, write_batch_size=100)) < 20_000


def test_a_dictionary_is_a_page() -> None:
    texts = [str(10_000_000 + k) for k in range(ROWS)]
    assert measure(write({"c": texts}, dictionary_pagesize_limit=10_000_000)) == pytest.approx(12 * ROWS, rel=0.01)


def test_a_small_file_with_large_pages_is_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "LARGEST_PAGES", 1_000_000)
    nested = pa.array([{"a": 1, "b": [2]}] * ROWS)
    columns = {"other": nested, "unique_id": ["a"] * ROWS, "ds": np.arange(ROWS), "y": np.zeros(ROWS)}
    large = {"use_dictionary": ["unique_id"], "data_page_size": 10_000_000, "write_batch_size": ROWS}
    content = write({**columns, "c": np.zeros(ROWS)}, **large, max_rows_per_page=ROWS, compression="zstd")
    said = refuse(content, "parquet", columns={"other": ""})
    assert "the pages of row group 0 have 1200" in said
    assert "smaller pages" in said
    _, rows, errors = read(content, "parquet", columns={"other": "", "c": ""})
    assert (len(rows), errors) == (ROWS, [])


def test_a_file_without_rows_has_no_pages() -> None:
    nothing = {"unique_id": pa.array([], pa.string()), "ds": pa.array([], pa.int64()), "y": pa.array([], pa.float64())}
    assert "no rows" in refuse(write(nothing), "parquet")


def test_what_is_no_page_is_refused_and_nothing_else_happens() -> None:
    content = write({"unique_id": ["a"] * 1000, "ds": np.arange(1000), "y": np.random.default_rng(0).normal(size=1000)})
    random_bytes = random.Random(0)
    for _ in range(300):
        start = random_bytes.randrange(len(content))
        size = random_bytes.randrange(2 * len(content))
        with contextlib.suppress(ValueError):
            assert measure_largest_page(pa.py_buffer(content), start, size, ROWS) >= 0
        damaged = bytearray(content)
        damaged[random_bytes.randrange(4, len(content))] ^= 1 << random_bytes.randrange(8)
        with contextlib.suppress(Invalid):
            read(bytes(damaged), "parquet")


@pytest.mark.parametrize(
    "head",
    [b"", b"\x15", b"\x15" + b"\xff" * 20, b"\x1c" * 100, b"\x19\x0f", b"\x18\xff\xff\xff\x7f", b"\x15\x00\x00"],
)
def test_heads_that_are_none(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"page|column"):
        measure_largest_page(pa.py_buffer(head), 0, max(1, len(head)), ROWS)


def test_pages_beyond_number_are_not_looked_at() -> None:
    """Heads of pages without content, one after another: each costs some time."""
    content = write({"y": np.zeros(10)}, use_dictionary=False, compression="none")
    column = pa.parquet.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0)
    chunk = content[column.data_page_offset :][: column.total_compressed_size]
    assert measure_largest_page(pa.py_buffer(chunk * 10), 0, 10 * len(chunk), 10) > 0
    with pytest.raises(ValueError, match="more pages than rows"):
        measure_largest_page(pa.py_buffer(chunk * 10), 0, 10 * len(chunk), 9)
