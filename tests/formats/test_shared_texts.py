"""Texts that many rows share: they are read as others are, and never written out once for each row."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from app.formats.shared_texts import LONGEST_COPIED, copy_views, decode_runs, select_used
from tests.formats.tables import read, refuse, write

N = 65_536
TEXT = "x" * 1_000_000
FEW_BYTES = 400_000_000
"""of N rows, each with a text that has no more characters than are kept; written out, TEXT alone has 65 GB"""


def share(count: int, text: str) -> pa.Array:
    """Return views (count,) of one text."""
    one = pa.array([text], pa.string_view())
    _, view, data = one.buffers()
    return pa.Array.from_buffers(pa.string_view(), count, [None, pa.py_buffer(view.to_pybytes() * count), data])


def slide(count: int, size: int) -> pa.Array:
    """Return views (count,) of parts of one text, no two of them alike."""
    data = bytes(range(97, 123)) * (1 + (count + size) // 26)
    views = np.zeros((count, 4), np.int32)
    views[:, 0] = size
    views[:, 1] = [int.from_bytes(data[i : i + 4], "little") for i in range(count)]
    views[:, 3] = np.arange(count)
    return pa.Array.from_buffers(pa.string_view(), count, [None, pa.py_buffer(views.tobytes()), pa.py_buffer(data)])


def many_entries() -> pa.Array:
    texts = [*map(str, range(N + 1)), TEXT]
    return pa.DictionaryArray.from_arrays(pa.array(np.full(N, N + 1, np.int32)), pa.array(texts))


@pytest.mark.parametrize("name", ["unique_id", "ds", "y", "c"])
@pytest.mark.parametrize(
    "column",
    [
        pa.RunEndEncodedArray.from_arrays(pa.array([N], pa.int32()), pa.array([TEXT])),
        share(N, TEXT),
        slide(N, 100_000),
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(N, np.int32)), share(1, TEXT)),
        many_entries(),
    ],
    ids=["runs", "views", "sliding views", "a dictionary of views", "a dictionary of many"],
)
def test_a_long_text_of_all_rows_costs_little(name: str, column: Any) -> None:
    columns = {"unique_id": ["a"] * N, "ds": range(N), "y": [1.0] * N, name: column}
    content = write("arrow", columns)
    before = pa.default_memory_pool().max_memory()
    _, rows, errors = read(content, "arrow")
    assert (rows, len(errors)) == ([], N)
    assert pa.default_memory_pool().max_memory() - before < FEW_BYTES


@pytest.mark.parametrize("name", ["unique_id", "ds", "y", "c"])
def test_bytes_that_a_table_cannot_have_are_refused_before_they_are_read(name: str) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(N, np.int32)), pa.array([TEXT.encode()]))
    columns = {"unique_id": pa.array(["a"] * N), "ds": pa.array(range(N)), "y": pa.array([1.0] * N), name: column}
    before = pa.default_memory_pool().max_memory()
    for store_schema in (True, False):
        sink = io.BytesIO()
        pa.parquet.write_table(pa.table(columns), sink, store_schema=store_schema)
        assert f"the column {name!r} holds" in refuse(sink.getvalue(), "parquet")
    assert f"the column {name!r} holds" in refuse(write("arrow", columns), "arrow")
    assert pa.default_memory_pool().max_memory() - before < FEW_BYTES


def test_runs_are_read_from_any_place_on() -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 7], pa.int32()), pa.array(["a", None, "ü" * 20]))
    for start in range(7):
        for length in range(8 - start):
            part = runs.slice(start, length)
            assert decode_runs(part).to_pylist() == part.to_pylist()


def test_runs_of_a_dictionary() -> None:
    values = pa.array(["a", "b", "a"]).dictionary_encode()
    assert decode_runs(pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 4], pa.int32()), values)).to_pylist() == [
        "a",
        "b",
        "a",
        "a",
    ]


def test_views_are_copied_from_any_place_on() -> None:
    texts = ["", None, "short", "a text that no view holds itself", "ü" * 499, "y" * LONGEST_COPIED, "z" * 2000, None]
    views = pa.array(texts, pa.string_view())
    kept = [text if text is None or len(text) <= LONGEST_COPIED else "x" * (LONGEST_COPIED + 1) for text in texts]
    for start in range(len(texts)):
        copied = copy_views(views.slice(start))
        assert (copied.type, copied.to_pylist()) == (pa.string(), kept[start:])


def test_only_the_entries_that_are_used_are_kept() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([3, None, 1, 3]), pa.array(["a", "b", "c", "d"]))
    used = select_used(column)
    assert (used.to_pylist(), used.dictionary.to_pylist()) == (["d", None, "b", "d"], ["a", "b", "d"])


@pytest.mark.parametrize(
    ("field", "value"),
    [(0, -1), (2, 1), (2, -1), (3, -1), (3, 2**30)],
    ids=["a length below 0", "another buffer", "a buffer below 0", "a place below 0", "a place beyond the end"],
)
@pytest.mark.parametrize("in_dictionary", [False, True])
def test_views_that_point_nowhere_are_refused(field: int, value: int, in_dictionary: bool) -> None:
    one = pa.array(["a text that no view holds itself"], pa.string_view())
    _, view, data = one.buffers()
    fields = np.frombuffer(view, np.int32).copy()
    fields[field] = value
    column = pa.Array.from_buffers(pa.string_view(), 1, [None, pa.py_buffer(fields.tobytes()), data])
    if in_dictionary:
        column = pa.DictionaryArray.from_arrays(pa.array([0]), column)
    said = refuse(write("arrow", {"unique_id": ["a"], "ds": [1], "y": [1.0], "c": column}), "arrow")
    assert "cannot be read" in said


def test_views_of_no_text_are_refused() -> None:
    column = pa.array([b"\xff" * 20], pa.binary_view()).view(pa.string_view())
    assert "cannot be read" in refuse(write("arrow", {"unique_id": column, "ds": [1], "y": [1.0]}), "arrow")
