"""The footer of a Parquet file says where its columns lie, and none ends the process."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from app.formats.parquet_footer import ThriftReader, read_row_groups


def write(**options: Any) -> bytes:
    columns = {
        "unique_id": ["a", "b"] * 500,
        "ds": np.arange(1000),
        "y": np.linspace(0, 1, 1000),
        "c": [[1], [2, 3]] * 500,
    }
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("version", ["1.0", "2.4", "2.6"])
@pytest.mark.parametrize("use_dictionary", [True, False])
@pytest.mark.parametrize("rows", [1000, 300])
def test_the_footer_is_read_as_pyarrow_reads_it(version: str, use_dictionary: bool, rows: int) -> None:
    content = write(
        version=version, use_dictionary=use_dictionary, row_group_size=rows, write_page_index=True, compression="gzip"
    )
    metadata = pa.parquet.ParquetFile(io.BytesIO(content)).metadata
    groups = read_row_groups(pa.py_buffer(content))
    assert [group.rows for group in groups] == [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    for number, group in enumerate(groups):
        assert len(group.chunks) == 4
        for i, chunk in enumerate(group.chunks):
            column = metadata.row_group(number).column(i)
            start = column.dictionary_page_offset if use_dictionary else column.data_page_offset
            assert chunk.start == start
            assert chunk.size == column.total_compressed_size
            assert chunk.decompressed == column.total_uncompressed_size


@pytest.mark.parametrize(
    "data",
    [b"", b"\x49", b"\x49\x2c", b"\x49\xfc\xff\xff\xff\xff\x0f", b"\x1c" * 50, b"\x19" + b"\x19" * 50, b"\x1b\x00"],
)
def test_what_is_no_footer_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="page or column"):
        read_row_groups(pa.py_buffer(data + len(data).to_bytes(4, "little") + b"PAR1"))


def test_lists_of_truth_values_have_a_byte_each() -> None:
    reader = ThriftReader(memoryview(b"\x19\x21\x01\x02\x16\x06\x00"))
    assert reader.read_struct(6) == {2: 3}


DAMAGED = """
import io, sys
from app.errors import Invalid
from app.formats.reading import open_table
from app.formats.table import TableFormat, TableOptions
content = bytes.fromhex(sys.stdin.read())
refused = 0
for at in range(4, len(content)):
    for mask in (1, 2):
        damaged = bytearray(content)
        damaged[at] ^= mask
        try:
            for batch in open_table(io.BytesIO(damaged), TableFormat.parquet, TableOptions()).batches:
                pass
        except Invalid:
            refused += 1
print(refused)
"""


def test_no_damage_to_a_footer_ends_the_process() -> None:
    sink = io.BytesIO()
    columns = {"unique_id": ["a", None, "b"], "ds": [1, 2, None], "y": [0.5, None, 1.5]}
    pa.parquet.write_table(pa.table(columns), sink, store_schema=False)
    done = subprocess.run(
        [sys.executable, "-c", DAMAGED], input=sink.getvalue().hex(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) > 100
