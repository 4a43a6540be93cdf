"""Cells of Arrow arrays as numbers and texts."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.formats.cells import read_numbers
from app.services.ingest.cells import count_values, encode_texts, number_cells, show_cell, text_cells

NAN = float("nan")


def test_texts_are_encoded_with_an_empty_one_last() -> None:
    texts, index = encode_texts(pa.array(["b", None, "a", "b", ""]))
    assert texts[-1] == ""
    assert [texts[i] for i in index] == ["b", "", "a", "b", ""]
    again, index = encode_texts(pa.array(["b", None, "b"]).dictionary_encode())
    assert [again[i] for i in index] == ["b", "", "b"]


@pytest.mark.parametrize(
    ("cells", "numbers", "wrong"),
    [
        (pa.array(["1", "", "2.5", None]), [1, NAN, 2.5, NAN], []),
        (pa.array(["1", "NA", " 2 ", "x", "true"]), [1, NAN, 2, NAN, 1], [3]),
        (pa.array(["1", "1e999", "-inf", "1_0"]), [1, NAN, NAN, NAN], [1, 2, 3]),
        (pa.array([1.5, None, NAN, float("inf")]), [1.5, NAN, NAN, float("inf")], [3]),
        (pa.array([1.5, None], pa.float32()), [1.5, NAN], []),
        (pa.array(["7", "x"]).dictionary_encode(), [7, NAN], [1]),
        (pa.array([], pa.string()), [], []),
    ],
)
def test_numbers_of_cells(cells: pa.Array, numbers: list[float], wrong: list[int]) -> None:
    found, positions = number_cells(cells)
    np.testing.assert_array_equal(found, numbers)
    assert positions.tolist() == wrong


CELLS = st.one_of(st.floats(width=64).map(repr), st.integers(-(10**20), 10**20).map(str), st.text(max_size=6))


@given(st.lists(CELLS, max_size=20))
def test_a_column_is_read_as_its_cells_are_one_by_one(cells: list[str]) -> None:
    numbers, wrong = number_cells(pa.array(cells, pa.string()))
    expected, expected_wrong = read_numbers(cells)
    np.testing.assert_array_equal(numbers, expected)
    assert wrong.tolist() == expected_wrong


@pytest.mark.parametrize(
    ("cells", "has_types", "counts"),
    [
        (pa.array(["1", "x", "", "NA", "1"]), False, (2, 1)),
        (pa.array(["1", "x", " ", None, "1"]), True, (0, 3)),
        (pa.array([1.0, None, NAN]), True, (1, 0)),
    ],
)
def test_what_counts_as_number_and_text(cells: pa.Array, has_types: bool, counts: tuple[int, int]) -> None:
    assert count_values(cells, has_types=has_types) == counts


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (pa.array([" a", "NA", "", " ", None]), ["a", "NA", None, None, None]),
        (pa.array([1.0, 2.5, None, NAN, -3.0, 1e300]), ["1", "2.5", None, None, "-3", "1e+300"]),
    ],
)
def test_texts_of_cells(cells: pa.Array, texts: list[Any]) -> None:
    assert text_cells(cells).tolist() == texts


def test_a_cell_is_shown_as_text() -> None:
    assert show_cell(pa.array(["x", None]), 0) == "x"
    assert show_cell(pa.array(["x", None]), 1) == ""
    assert show_cell(pa.array([1.5]), 0) == "1.5"


def test_a_time_beyond_all_years_is_shown_as_its_number() -> None:
    column = pa.array([2**62, 0, None], pa.timestamp("us", "UTC"))
    assert show_cell(column, 0) == f"{2**62} microseconds since 1970"
    assert show_cell(column, 1) == "1970-01-01 00:00:00+00:00"
    assert show_cell(column, 2) == ""
