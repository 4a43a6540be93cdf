"""Every format of a table is read back as what was written, by pyarrow and by the standard library."""

import csv
import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv
from pyarrow import json as arrow_json
from pyarrow import parquet

from app.formats.table import TableFormat
from app.formats.writers import choose_stamp_type, choose_table_writer

SCHEMA = pa.schema([("unique_id", pa.string()), ("y", pa.float64()), ("sky", pa.string()), ("count", pa.int64())])
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=12)
ROWS = st.lists(st.tuples(TEXTS, NUMBERS, st.one_of(st.none(), TEXTS), st.integers(-(2**63), 2**63 - 1)), max_size=8)


def build_batch(rows: list[Any]) -> pa.RecordBatch:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def write(format: TableFormat, parts: list[list[Any]]) -> bytes:
    writer = choose_table_writer(format, SCHEMA)
    return writer.begin() + b"".join(writer.write(build_batch(rows)) for rows in parts) + writer.end()


def read(format: TableFormat, data: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]]
    match format:
        case TableFormat.csv:
            options = arrow_csv.ConvertOptions(
                column_types=SCHEMA, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
            )
            parse = arrow_csv.ParseOptions(newlines_in_values=True)
            rows = arrow_csv.read_csv(io.BytesIO(data), convert_options=options, parse_options=parse).to_pylist()
        case TableFormat.ndjson:
            rows = [json.loads(line) for line in data.decode().split("\n")[:-1]]
        case TableFormat.parquet:
            rows = parquet.read_table(io.BytesIO(data)).to_pylist()
        case TableFormat.arrow:
            rows = pa.ipc.open_stream(data).read_all().to_pylist()
    return rows


@pytest.mark.parametrize("format", list(TableFormat))
@given(parts=st.lists(ROWS, max_size=3))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_back(format: TableFormat, parts: list[list[Any]]) -> None:
    expected = [dict(zip(SCHEMA.names, row, strict=True)) for rows in parts for row in rows]
    assert read(format, write(format, parts)) == expected


@given(parts=st.lists(ROWS, max_size=2))
@settings(max_examples=40, deadline=None)
def test_the_standard_library_reads_the_same_csv(parts: list[list[Any]]) -> None:
    data = write(TableFormat.csv, parts).decode()
    header, *rows = csv.reader(io.StringIO(data, newline=""))
    assert header == SCHEMA.names
    expected = [("" if v is None else v for v in row) for rows in parts for row in rows]
    for found, (name, y, sky, count) in zip(rows, expected, strict=True):
        assert (found[0], found[2], int(found[3])) == (name, sky, count)
        assert (float(found[1]) if found[1] else "") == y


def test_numbers_of_ndjson_stay_numbers_with_a_point_or_an_exponent() -> None:
    values = [1.0, -0.0, 1e20, 5e-324, 0.1 + 0.2, -1.7976931348623157e308, 123456789.123456789]
    data = write(TableFormat.ndjson, [[("a", y, None, 1)] for y in values])
    assert data.splitlines()[0] == b'{"unique_id":"a","y":1.0,"sky":null,"count":1}'
    found = [json.loads(line)["y"] for line in data.splitlines()]
    assert [type(y) for y in found] == [float] * len(values)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(values))
    assert found == values
    assert arrow_json.read_json(io.BytesIO(data)).schema.field("y").type == pa.float64()


@pytest.mark.parametrize("format", list(TableFormat))
def test_a_table_without_rows_has_its_columns(format: TableFormat) -> None:
    data = write(format, [])
    assert read(format, data) == []
    match format:
        case TableFormat.csv:
            assert data == b"unique_id,y,sky,count\n"
        case TableFormat.ndjson:
            assert data == b""
        case TableFormat.parquet:
            assert parquet.read_schema(io.BytesIO(data)) == SCHEMA
        case TableFormat.arrow:
            assert pa.ipc.open_stream(data).schema == SCHEMA


def test_parts_are_row_groups_and_record_batches() -> None:
    rows = [("a", float(i), "wet", i) for i in range(10)]
    assert parquet.ParquetFile(io.BytesIO(write(TableFormat.parquet, [rows[:7], [], rows[7:]]))).num_row_groups == 2
    with pa.ipc.open_stream(write(TableFormat.arrow, [rows[:7], rows[7:]])) as reader:
        assert [len(batch) for batch in reader] == [7, 3]


def test_times_are_texts_where_the_format_has_no_type_for_them() -> None:
    assert {format: str(choose_stamp_type(format)) for format in TableFormat} == {
        TableFormat.csv: "string",
        TableFormat.ndjson: "string",
        TableFormat.parquet: "timestamp[us, tz=UTC]",
        TableFormat.arrow: "timestamp[us, tz=UTC]",
    }
