"""Tables in NDJSON."""

import json
from typing import Any

import pytest

from tests.formats.tables import read, refuse


def lines(*rows: Any) -> str:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


ROW = {"unique_id": "a", "ds": "2024-01-01", "y": 1}


def test_texts_stay_text_and_numbers_are_numbers() -> None:
    body = lines(
        {**ROW, "n": 1.5, "t": "1"}, "", {"ds": "2024-01-02", "unique_id": "b", "y": True, "n": None, "t": "x"}
    )
    opened, rows, errors = read("\ufeff" + body.replace("\n", "\r\n"), "ndjson")
    assert (opened.has_types, opened.covariates, errors) == (True, ["n", "t"], [])
    assert rows == [(1, "a", "2024-01-01", 1.0, 1.5, "1"), (2, "b", "2024-01-02", 1.0, None, "x")]


def test_whole_numbers_stay_whole() -> None:
    rows = read(lines({"unique_id": 7, "ds": 1_700_000_000_000_000_001, "y": 2}), "ndjson")[1]
    assert rows == [(1, "7", 1_700_000_000_000_000_001, 2.0)]
    body = lines({"id": 7, "date": 1_700_000_000_000_000_001, "y": 2})
    assert read(body, "ndjson", columns={"id": "unique_id", "date": "ds"})[1] == rows


def test_what_is_mixed_is_text() -> None:
    body = lines({"unique_id": 7, "ds": 1, "y": "1.5", "c": "x"}, {"unique_id": "a", "ds": "2", "y": 2, "c": True})
    assert read(body, "ndjson")[1] == [(1, "7", "1", "1.5", "x"), (2, "a", "2", "2", "true")]


def test_a_column_may_begin_later_and_be_missing() -> None:
    rows = read(lines(ROW, {**ROW, "c": 5}), "ndjson")[1]
    assert rows == [(1, "a", "2024-01-01", 1.0, None), (2, "a", "2024-01-01", 1.0, 5.0)]


def test_python_writes_nan_for_what_is_missing() -> None:
    rows = read('{"unique_id": "a", "ds": 1, "y": NaN}\n{"unique_id": "a", "ds": 2, "y": 2}\n', "ndjson")[1]
    assert rows[0][3] != rows[0][3]
    assert rows[1] == (2, "a", 2, 2.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"unique_id": "a", "ds":', "is not JSON"),
        ("[1, 2]", "is no JSON object"),
        ("7", "is no JSON object"),
        ({**ROW, "y": [1]}, "y: a list is no value"),
        ({**ROW, "ds": {"at": 1}}, "ds: a nested object is no value"),
        ('{"unique_id": "\\ud800", "ds": 1, "y": NaN}', "is not JSON"),
        ('{"unique_id": "a\\u0000", "ds": "1", "y": 1}', "NUL"),
        ({**ROW, "unique_id": "x" * 201}, "more than 200 characters"),
        ('{"unique_id":' + "[" * 100_000, "is not JSON"),
    ],
)
def test_a_line_that_is_no_row_is_an_error_and_the_others_come(line: Any, said: str) -> None:
    _, rows, errors = read(lines(ROW, line, ROW), "ndjson")
    assert [row[0] for row in rows] == [1, 3]
    assert [(error.row, error.code) for error in errors] == [(2, "invalid_value")]
    assert said in errors[0].detail


def test_a_field_that_comes_late_is_named() -> None:
    errors = read(lines(*[ROW] * 501, {**ROW, "z": 1}), "ndjson")[2]
    assert [(error.row, "'z'" in error.detail) for error in errors] == [(502, True)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{\n  "unique_id": "a"\n}\n', "the first line is no JSON object"),
        ('[{"unique_id": "a"}]', "a JSON array; send one object a line"),
        ('{"id": "a", "ds": 1, "y": 2}\n', "columns=id:unique_id"),
        ('{"unique_id": "a", "ds": true, "y": 2}\n', "the column 'ds' holds bool"),
        ("{" * 20_000_000, "has more than 16777216 bytes"),
    ],
)
def test_what_is_no_ndjson_says_why(body: str, said: str) -> None:
    assert said in refuse(body, "ndjson")
