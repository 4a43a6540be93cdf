"""Types of columns, in Parquet and in Arrow."""

import base64
import datetime as dt
import io
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.formats.tables import read, refuse, write

IDS = pa.array(["a", "b"])


def at(*fields: int, utc: bool = False) -> dt.datetime:
    return dt.datetime(*fields, tzinfo=dt.UTC if utc else None)


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("ds", "expected"),
    [
        (pa.array([0, 19723], pa.date32()), [at(1970, 1, 1), at(2024, 1, 1)]),
        (pa.array([0, 86_400_000], pa.date64()), [at(1970, 1, 1), at(1970, 1, 2)]),
        (pa.array([0, 1500], pa.timestamp("ms")), [at(1970, 1, 1), at(1970, 1, 1, 0, 0, 1, 500_000)]),
        (pa.array([-1, 1999], pa.timestamp("ns")), [at(1969, 12, 31, 23, 59, 59, 999_999), at(1970, 1, 1, 0, 0, 0, 1)]),
        (pa.array([0, None], pa.timestamp("us", "Europe/Berlin")), [at(1970, 1, 1, utc=True), None]),
        (pa.array([1, 2], pa.int8()), [1, 2]),
        (pa.array([1, 2], pa.uint32()), [1, 2]),
        (pa.array([1.0, None]), [1, None]),
        (pa.array([1.5, 2.0]), ["1.5", "2.0"]),
        (pa.array([" 2024", "2024"]).dictionary_encode(), ["2024", "2024"]),
        (pa.array(["x", None], pa.large_string()), ["x", None]),
        (pa.array(["x", "y"], pa.string_view()), ["x", "y"]),
    ],
)
def test_timestamps_of_any_type_are_read(format: str, ds: Any, expected: list[Any]) -> None:
    _, rows, errors = read(write(format, {"unique_id": IDS, "ds": ds, "y": [1.0, 2.0]}), format)
    assert ([row[2] for row in rows], errors) == (expected, [])


@pytest.mark.parametrize(
    "ds",
    [
        pa.array([0, 2**31 - 1], pa.date32()),
        pa.array([0, 2**62], pa.timestamp("s")),
        pa.array([1, 2**64 - 1], pa.uint64()),
    ],
)
def test_a_timestamp_that_no_clock_shows_is_a_rejected_row(ds: Any) -> None:
    _, rows, errors = read(write("arrow", {"unique_id": IDS, "ds": ds, "y": [1, 2]}), "arrow")
    assert ([row[0] for row in rows], [error.row for error in errors]) == ([1], [2])


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([True, None]), [1.0, None]),
        (pa.array([1, 2], pa.uint8()), [1.0, 2.0]),
        (pa.array([2**64 - 1, 1], pa.uint64()), [2.0**64, 1.0]),
        (pa.array(np.array([1, 2], np.float16)), [1.0, 2.0]),
        (pa.array([0.1, 2], pa.float32()), [float(np.float32(0.1)), 2.0]),
        (pa.array([1, 2], pa.decimal128(10, 2)), [1.0, 2.0]),
        (pa.array([1, 2]).dictionary_encode(), [1.0, 2.0]),
        (pa.nulls(2), [None, None]),
        (pa.array(["1", "x"]).dictionary_encode(), ["1", "x"]),
    ],
)
def test_values_of_any_type_are_numbers_or_text(format: str, values: Any, expected: list[Any]) -> None:
    columns = {"unique_id": IDS, "ds": [1, 2], "y": values, "c": values}
    rows = read(write(format, columns), format)[1]
    assert [(row[3], row[4]) for row in rows] == [(value, value) for value in expected]


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("c", pa.array([{"a": 1}, {"a": 2}]), "struct<a: int64>"),
        ("c", pa.array([[1], [2]]), "list<"),
        ("c", pa.array([b"x", b"y"]), "binary"),
        ("c", pa.array([1, 2], pa.timestamp("us")), "timestamp[us]"),
        ("c", pa.array([1, 2], pa.duration("s")), "duration[s]"),
        ("ds", pa.array([True, False]), "bool"),
        ("unique_id", pa.array([1, 2], pa.timestamp("us")), "timestamp[us]"),
    ],
)
def test_a_type_that_tables_do_not_have_is_named(format: str, name: str, values: Any, kind: str) -> None:
    columns = {"unique_id": IDS, "ds": [1, 2], "y": [1, 2], name: values}
    said = refuse(write(format, columns), format)
    assert f"the column {name!r} holds {kind}" in said
    if name == "c":
        assert "columns=c:" in said
        assert len(read(write(format, columns), format, columns={"c": ""})[1]) == 2


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_texts_are_trimmed_and_long_ones_rejected(format: str) -> None:
    ids = pa.array([" a", "a ", "a", "x" * 201, "n\x00l"]).dictionary_encode()
    columns = {"unique_id": ids, "ds": [1, 2, 3, 4, 5], "y": [1.0] * 5, "c": ["u", "v", "w" * 201, "u", "v"]}
    _, rows, errors = read(write(format, columns), format)
    assert [(row[0], row[1], row[4]) for row in rows] == [(1, "a", "u"), (2, "a", "v")]
    assert [(error.row, error.code) for error in errors] == [(i, "invalid_value") for i in (3, 4, 5)]


def test_ids_may_be_whole_numbers() -> None:
    assert [row[1] for row in read(write("arrow", {"unique_id": [7, 8], "ds": [1, 2], "y": [1, 2]}), "arrow")[1]] == [
        "7",
        "8",
    ]


def test_a_long_text_that_stands_in_many_rows_is_held_once() -> None:
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(65_536, np.int32)), pa.array(["x" * 4_000_000]))
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table({"unique_id": ids, "ds": range(65_536), "y": ids}), sink)
    before = pa.default_memory_pool().max_memory()
    _, rows, errors = read(sink.getvalue(), "parquet")
    assert (rows, len(errors)) == ([], 65_536)  # 2 × 262 GB, written out
    assert pa.default_memory_pool().max_memory() - before < 200_000_000


@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_a_timezone_that_is_no_text_is_refused(format: str) -> None:
    stamps = pa.array([0, 3_600_000_000], pa.timestamp("us", "Europe/Berlin"))
    body = write(format, {"unique_id": ["a", "a"], "ds": stamps, "y": [1.0, 2.0]})
    if format == "parquet":  # which has the types of Arrow in base64
        schema = re.search(rb"/////[A-Za-z0-9+/=]{40,}", body)
        assert schema is not None
        broken = base64.b64encode(base64.b64decode(schema[0]).replace(b"Berlin", b"Berl\xa0n"))
        body = body.replace(schema[0], broken)
    else:
        body = body.replace(b"Berlin", b"Berl\xa0n")
    assert "the column 'ds' has a timezone that is no text" in refuse(body, format)
