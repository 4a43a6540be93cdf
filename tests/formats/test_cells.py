"""Cells of a table, whatever format they came in."""

import math

import pytest

from app.formats.cells import count_kinds, explain_number, parse_number, read_numbers, read_texts


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1.5", 1.5), (" -2 ", -2.0), ("1e3", 1000.0), ("0", 0.0), ("True", 1.0), ("FALSE", 0.0), (" true ", 1.0)],
)
def test_numbers_are_read(cell: str, value: float) -> None:
    assert parse_number(cell) == value


@pytest.mark.parametrize("cell", ["", " ", "NaN", "null", "None", "NA", "n/a", "<NA>"])
def test_missing_values_are_nan(cell: str) -> None:
    value = parse_number(cell)
    assert value is not None
    assert math.isnan(value)


@pytest.mark.parametrize("cell", ["1_000", "inf", "-inf", "1e999", "1,5", "many", "0x10", "yes"])
def test_what_is_no_finite_number_is_none(cell: str) -> None:
    assert parse_number(cell) is None


def test_a_column_of_numbers_tells_the_cells_that_are_none() -> None:
    numbers, wrong = read_numbers(["1", "", "warm", "NA", "2.5"])
    assert [None if math.isnan(n) else n for n in numbers] == [1.0, None, None, None, 2.5]
    assert wrong == [2]
    assert count_kinds(["1", "", "warm", "NA", "2.5", "true"]) == (3, 1)


def test_in_a_column_of_text_only_the_empty_cell_is_missing() -> None:
    assert read_texts([" wet", "NA", "none", " ", "", "1"]).tolist() == ["wet", "NA", "none", None, None, "1"]


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("-", "placeholder; leave the cell empty"),
        ("#N/A", "spreadsheet's error value; leave the cell empty"),
        ("#DIV/0!", "spreadsheet's error value"),
        ("inf", "not a finite number"),
        ("1e999", "not a finite number"),
        ("7,5", "decimal comma; send 7.5"),
        ("-0,25", "decimal comma; send -0.25"),
        ("1,234", "send 1234 or 1.234"),
        ("1,234,567", "thousands separators; send 1234567"),
        ("1,234.5", "thousands separators; send 1234.5"),
        ("1.234,56", "thousands separators; send 1234.56"),
        ("1\u00a0234", "thousands separators; send 1234"),
        ("1_000", "thousands separators; send 1000"),
        ("7%", "percent sign"),
        ("$5", "currency"),
        ("5 €", "currency"),
        ("(5)", "in brackets"),
        ("−5", "typographic minus"),
        ("7.5 kWh", "unit"),
        ("12°C", "unit"),
        ("many", "'many' is not a finite number"),
    ],
)
def test_what_is_no_number_is_explained(cell: str, seen: str) -> None:
    assert parse_number(cell) is None
    assert seen in explain_number(cell)
