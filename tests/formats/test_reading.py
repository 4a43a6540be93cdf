"""Tables in any format: what is written reads back, and what is broken or called something else is refused."""

import bz2
import datetime as dt
import gzip
import io
import lzma
import random
import zipfile
from contextlib import suppress
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Invalid
from app.formats.reading import open_table
from app.formats.signatures import find_format
from app.formats.table import TableFormat, TableOptions
from tests.formats.tables import FORMATS, LONG, read, refuse, tell, write

COLUMNS = {
    "unique_id": ["a", "b"] * 200,
    "ds": list(range(400)),
    "y": [0.1 * i for i in range(400)],
    "c": ["x", None] * 200,
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).map(str.strip)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
STAMPS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))


def workbook() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(zipfile.ZipInfo("xl/workbook.xml"), "")
    return sink.getvalue()


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXTS.filter(bool), STAMPS, NUMBERS, NUMBERS), min_size=1, max_size=20),
    format=st.sampled_from(FORMATS),
)
def test_any_table_reads_back(rows: list[tuple[Any, ...]], format: TableFormat) -> None:
    ids, stamps, y, numbers = (list(column) for column in zip(*rows, strict=True))
    text = format in (TableFormat.csv, TableFormat.ndjson)
    ds = pa.array([stamp.isoformat() for stamp in stamps] if text else stamps)
    columns = {"n": pa.array(numbers, pa.float64()), "ds": ds, "y": pa.array(y, pa.float64()), "unique_id": ids}
    opened, found, errors = read(write(format, columns), format)
    assert (opened.layout, opened.covariates, errors) == ("long", ["n"], [])
    assert [(row[0], row[1], row[2]) for row in found] == [
        (i, ids[i - 1], ds[i - 1].as_py()) for i in range(1, len(ids) + 1)
    ]
    for position, expected in ((3, y), (4, numbers)):
        assert [None if row[position] in ("", None) else float(row[position]) for row in found] == expected


@pytest.mark.parametrize("index", [None, "RangeIndex", "shuffled"])
def test_a_frame_reads_back_with_its_index_left_out(index: str | None) -> None:
    frame = pd.DataFrame({"unique_id": pd.Categorical(["a", "b"]), "ds": pd.to_datetime(["2024", "2025"]), "y": [1, 2]})
    if index == "shuffled":
        frame = frame.loc[[1, 0]]
    sink = io.BytesIO()
    frame.to_parquet(sink, index=None if index == "shuffled" else False)
    opened, rows, _ = read(sink.getvalue(), "parquet")
    expected = ["b", "a"] if index == "shuffled" else ["a", "b"]
    assert ([row[1] for row in rows], [row[3] for row in rows]) == (
        expected,
        [2.0, 1.0] if index == "shuffled" else [1.0, 2.0],
    )
    assert opened.covariates == []
    assert tell(opened) == ({"columns": "__index_level_0__:"} if index == "shuffled" else {})


@pytest.mark.parametrize("format", [TableFormat.parquet, TableFormat.arrow])
def test_what_is_broken_is_refused(format: TableFormat) -> None:
    body = write(format, COLUMNS)
    generator = random.Random(5)
    refused = 0
    for i in range(150):
        broken = bytearray(body)
        if i % 2:
            broken = broken[: generator.randrange(len(body))]
        else:
            for _ in range(4):
                broken[generator.randrange(len(body))] = generator.randrange(256)
        with suppress(Invalid):  # any other error is a failure; what is damaged may still be a table
            read(bytes(broken), format)
            continue
        refused += 1
    assert refused > 75


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("sent", FORMATS)
def test_what_is_called_something_else_is_told_so(format: TableFormat, sent: TableFormat) -> None:
    if format is sent:
        return
    refuse(write(sent, COLUMNS), format)


def test_a_body_that_shows_what_it_is_is_told_how_to_send_it() -> None:
    assert "format=parquet" in refuse(write(TableFormat.parquet, COLUMNS), "csv")
    assert "the body is an Arrow stream" in refuse(write(TableFormat.arrow, COLUMNS), "csv")
    assert "format=ndjson" in refuse(write(TableFormat.ndjson, COLUMNS), "csv")
    assert "POST /series/{id}/observations" in refuse(b' {"ds": []}', "csv")
    assert "format=csv" in refuse(LONG, "parquet")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (workbook(), "an Excel workbook"),
        (gzip.compress(LONG.encode(), mtime=0), "compressed with gzip more than once"),
        (zstandard.compress(LONG.encode()), "compressed with zstd more than once"),
        (bz2.compress(LONG.encode()), "compressed with bzip2"),
        (lzma.compress(LONG.encode()), "compressed with xz"),
        (b'[{"unique_id": "a"}]', "a JSON array; send one object a line"),
        (b"PARE....", "encrypted"),
        (b"\x80\x04\x95.", "pickle"),
        (b"<!doctype html>", "HTML"),
    ],
)
def test_a_body_that_is_no_table_says_what_it_is(format: TableFormat, body: bytes, said: str) -> None:
    assert said in refuse(body, format)


def test_the_file_stays_open() -> None:
    file = io.BytesIO(LONG.encode())
    assert sum(batch.count for batch in open_table(file, TableFormat.csv, TableOptions()).batches) == 2
    assert not file.closed


@pytest.mark.parametrize("format", FORMATS[1:])
def test_a_table_without_rows_is_refused(format: TableFormat) -> None:
    if format is not TableFormat.ndjson:
        columns = {
            "unique_id": pa.array([], pa.string()),
            "ds": pa.array([], pa.int64()),
            "y": pa.array([], pa.float64()),
        }
        assert "no rows" in refuse(write(format, columns), format)


def test_nothing_but_nul_shows_no_format() -> None:
    assert find_format(bytes(4)) is None
