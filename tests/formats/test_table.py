"""Rows of a table, whatever format they came in."""

from app.formats.table import Block, Row


def test_a_block_keeps_rows_in_columns() -> None:
    block = Block(covariates=[[], []])
    block.add(Row(1, "a", "2024-01-01", "5", ["x", "y"]))
    block.add(Row(4, "a", "2024-01-02", "", ["", "z"]))
    assert block == Block([1, 4], ["2024-01-01", "2024-01-02"], ["5", ""], [["x", ""], ["y", "z"]])
