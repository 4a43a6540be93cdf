"""A CSV text as rows and as errors of rows."""

import io

import pytest

from app.errors import Invalid, RowError
from app.formats.csv import LONGEST_CELL, read_csv
from app.formats.table import Row


def rows(text: str) -> list[Row | RowError]:
    return list(read_csv(io.StringIO(text, newline="")).rows)


def test_rows_come_in_order_and_numbered_from_one_below_the_header() -> None:
    table = read_csv(io.StringIO("y, ds ,unique_id,temp,sky\n1, 2024-01-01 ,a,20,wet\n\n2,2024-01-02,b,,\n"))
    assert table.covariates == ["temp", "sky"]
    assert list(table.rows) == [
        Row(1, "a", "2024-01-01", "1", ["20", "wet"]),
        Row(2, "b", "2024-01-02", "2", ["", ""]),
    ]


def test_a_row_that_does_not_fit_is_an_error_and_the_others_come() -> None:
    found = rows(
        "unique_id,ds,y\na,2024-01-01\nb,2024-01-01,1\nc,2024-01-01," + "9" * (LONGEST_CELL + 1) + "\nd\x00,x,1\n"
    )
    assert [(row.row, row.code) if isinstance(row, RowError) else row.series_id for row in found] == [
        (1, "csv_malformed"),
        "b",
        (3, "invalid_value"),
        (4, "invalid_value"),
    ]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "missing: unique_id, ds, y"),
        ("unique_id,ds", "missing: y"),
        ("unique_id,ds,y,y", "repeated"),
        ("unique_id,ds,y,", "empty"),
        ("unique_id,ds,y," + "n" * 201, "column 4 has more than 200 characters"),
    ],
)
def test_a_header_that_names_no_table_is_refused_at_once(header: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        read_csv(io.StringIO(header + "\n"))
    assert refused.value.code == "csv_malformed"


def test_a_text_that_breaks_off_says_after_which_row() -> None:
    table = read_csv(io.StringIO('unique_id,ds,y\na,2024-01-01,1\nb,"2024'))
    taken = iter(table.rows)
    assert next(taken) == Row(1, "a", "2024-01-01", "1", [])
    with pytest.raises(Invalid, match=r"row 2 .*quotation mark that is not closed"):
        next(taken)
