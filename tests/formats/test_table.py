"""Cells of a table, whatever format they came in."""

import math

import pytest

from app.formats.table import Block, Row, convert_column, is_numeric, parse_number


@pytest.mark.parametrize(("cell", "value"), [("1.5", 1.5), (" -2 ", -2.0), ("1e3", 1000.0), ("0", 0.0)])
def test_numbers_are_read(cell: str, value: float) -> None:
    assert parse_number(cell) == value


@pytest.mark.parametrize("cell", ["", " ", "NaN", "null", "None", "NA", "n/a"])
def test_missing_values_are_nan(cell: str) -> None:
    value = parse_number(cell)
    assert value is not None
    assert math.isnan(value)


@pytest.mark.parametrize("cell", ["1_000", "inf", "-inf", "1e999", "1,5", "many", "0x10"])
def test_what_is_no_finite_number_is_none(cell: str) -> None:
    assert parse_number(cell) is None


def test_a_column_is_numbers_where_every_cell_is() -> None:
    assert is_numeric(["1", "", "2.5"])
    assert not is_numeric(["1", "wet"])
    assert convert_column(["1", "", "2.5"], numeric=True) == [1.0, None, 2.5]
    assert convert_column(["wet", "na", "1"], numeric=False) == ["wet", None, "1"]


def test_a_block_keeps_rows_in_columns() -> None:
    block = Block(covariates=[[], []])
    block.add(Row(1, "a", "2024-01-01", "5", ["x", "y"]))
    block.add(Row(4, "a", "2024-01-02", "", ["", "z"]))
    assert block == Block([1, 4], ["2024-01-01", "2024-01-02"], ["5", ""], [["x", ""], ["y", "z"]])
