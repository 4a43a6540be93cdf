"""A CSV text as rows and as errors of rows."""

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.formats.columns import LONGEST_CELL
from tests.formats.tables import LONG, read, refuse, tell


def test_rows_come_in_order_and_numbered_from_one_below_the_header() -> None:
    opened, rows, errors = read("y, ds ,unique_id,temp,sky\n1, 2024-01-01 ,a,20,wet\n\n2,2024-01-02,b,,\n")
    assert opened.covariates == ["temp", "sky"]
    assert rows == [(1, "a", "2024-01-01", "1", "20", "wet"), (2, "b", "2024-01-02", "2", "", "")]
    assert errors == []


def test_a_row_that_does_not_fit_is_an_error_and_the_others_come() -> None:
    long = "9" * (LONGEST_CELL + 1)
    _, rows, errors = read(f"unique_id,ds,y\na,2024-01-01\nb,2024-01-01,1\nc,2024-01-01,{long}\nd\x00,x,1\n")
    assert [row[:2] for row in rows] == [(2, "b")]
    assert sorted((error.row, error.code) for error in errors) == [
        (1, "csv_malformed"),
        (3, "invalid_value"),
        (4, "invalid_value"),
    ]


EURO = "unique_id;ds;y\na;2024-01-01;7,5\nb;2024-01-02;-0,25\n"


@pytest.mark.parametrize(
    ("text", "guesses"),
    [
        (LONG, {}),
        (LONG.replace(",", ";"), {"delimiter": ";"}),
        (LONG.replace(",", "\t"), {"delimiter": "tab"}),
        (LONG.replace(",", "|"), {"delimiter": "|"}),
        (LONG.replace(",", " "), {"delimiter": "space"}),
        ("sep=;\n" + LONG.replace(",", ";"), {}),
        (LONG.replace("\n", "\r\n"), {}),
        (LONG.replace("\n", "\r"), {}),
        ("\n\n" + LONG.replace("\n", "\n\n"), {}),
        ('"unique_id","ds","y"\n"a","2024-01-01","1"\n"b","2024-01-02",2\n', {}),
        ("y,ds , unique_id\n1, 2024-01-01 ,a\n2,2024-01-02, b \n", {}),
        (",unique_id,ds,y\n0,a,2024-01-01,1\n1,b,2024-01-02,2\n", {"columns": ":"}),
        ("Unnamed: 0,unique_id,ds,y\n0,a,2024-01-01,1\n1,b,2024-01-02,2\n", {"columns": "Unnamed: 0:"}),
    ],
)
def test_a_table_is_read_as_people_write_it(text: str, guesses: dict[str, str]) -> None:
    opened, rows, errors = read(text)
    assert rows == [(1, "a", "2024-01-01", "1"), (2, "b", "2024-01-02", "2")]
    assert (tell(opened), errors) == (guesses, [])
    assert (opened.layout, opened.has_y, opened.has_types) == ("long", True, False)


def test_what_is_told_is_no_guess() -> None:
    opened, rows, _ = read(EURO, delimiter=";", decimal=",")
    assert [row[3] for row in rows] == ["7.5", "-0.25"]
    assert opened.guesses == []


def test_decimals_behind_a_comma() -> None:
    opened, rows, _ = read(EURO)
    assert [row[3] for row in rows] == ["7.5", "-0.25"]
    assert tell(opened) == {"delimiter": ";", "decimal": ","}
    _, rows, errors = read('unique_id,ds,y\na,1,"7,5"\nb,1,7.5\n', decimal=",")
    assert (rows, [error.row for error in errors]) == ([(1, "a", "1", "7.5")], [2])
    assert "decimal=. for the table" in errors[0].detail


@pytest.mark.parametrize("cells", [["1,234"], ["1.234"], ["7,5", "7.5"]])
def test_decimals_that_can_be_read_in_two_ways_are_refused(cells: list[str]) -> None:
    text = "unique_id;ds;y\n" + "".join(f"a;2024-01-01;{cell}\n" for cell in cells)
    assert "send decimal=, where a comma stands" in refuse(text)
    assert read(text, decimal=".")[1][0][3] == cells[0]


@pytest.mark.parametrize("cells", [["0.123"], ["1.234", "7.5"], ["1234"]])
def test_decimals_behind_a_point_among_semicolons(cells: list[str]) -> None:
    _, rows, _ = read("unique_id;ds;y\n" + "".join(f"a;2024-01-01;{cell}\n" for cell in cells))
    assert [row[3] for row in rows] == cells


def test_cells_in_quotation_marks_hold_anything() -> None:
    text = 'unique_id,ds,y,note\n"a\nb, c",2024,1,"says ""no"""\nc,2025,2,\n'
    opened, rows, _ = read(text)
    assert rows == [(1, "a\nb, c", "2024", "1", 'says "no"'), (2, "c", "2025", "2", "")]
    assert opened.covariates == ["note"]


@pytest.mark.parametrize("size", [40, 1000, 100_000])
def test_parts_end_anywhere(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("app.formats.csv_text.PART", size)
    plain = [f"série {i},2024-01-{i % 28 + 1:02d},{i}" for i in range(400)]
    plain[7] = '"over\ntwo lines",2024-01-01,7'
    plain[200] = "too,many,cells,here"
    plain[300] = 'hard "" one,2024-01-01,300'
    for encoding in ("utf-8", "utf-16", "latin-1"):
        body = "\n".join(["unique_id,ds,y", *plain]).encode(encoding)
        _, rows, errors = read(body, encoding=None if encoding == "utf-16" else encoding)
        assert [row[0] for row in rows] == [i for i in range(1, 401) if i != 201]
        assert [row[3] for row in rows] == [str(i) for i in range(400) if i != 200]
        assert [(error.row, error.code) for error in errors] == [(201, "csv_malformed")]
        assert (rows[7][1], rows[299][1]) == ("over\ntwo lines", 'hard "" one')


def test_rows_that_do_not_fit_have_their_numbers() -> None:
    text = f"unique_id,ds,y\na,1\n\nb,1,2,3\nc,1,7,5\nd,1,2\n   \ne\x00,1,2\nf,{'9' * 201},2\ng,1,2,\n"
    _, rows, errors = read(text)
    assert rows == [(4, "d", "1", "2")]
    assert sorted((error.row, error.code) for error in errors) == [
        (1, "csv_malformed"),
        (2, "csv_malformed"),
        (3, "csv_malformed"),
        (5, "csv_malformed"),
        (6, "invalid_value"),
        (7, "invalid_value"),
        (8, "csv_malformed"),
    ]
    details = {error.row: error.detail for error in errors}
    assert "1,7 looks like one number" in details[3]
    assert "ends in a comma too many" in details[8]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ('unique_id,ds,y\na,1,2\nb,"2024', {}, "row 2 (counted from 1 below the header) opens a quotation mark"),
        ('unique_id,ds,y\na,1,2\nb,"2024"x,1', {}, "row 2 (counted from 1 below the header) has a quotation mark out"),
        ('unique_id,ds,y\n"' + "a\n" * 100_000, {}, "a cell of row 1 (counted from 1 below the header) is too long"),
        ("unique_id,ds,y\n" + "a" * 20_000_000, {}, "line 2 of the body has more than 16777216 bytes"),
        ("a" * 20_000_000, {}, "line 1 of the body has more than 16777216 bytes"),
        ("unique_id,ds,y\n", {}, "a header and no rows"),
        ("unique_id,ds,y\n\n\n", {}, "a header and no rows"),
        ("unique_id,y,dsa,1,2024-01-01b,2", {}, "The body is a single line. curl's --data and -d drop line breaks"),
        ("sep=;\n" + LONG, {"delimiter": ","}, "the first line says sep=;, and delimiter=, was sent"),
        (LONG, {"delimiter": ";"}, "separated by commas; send delimiter=comma"),
        (LONG.replace(",", ";"), {"delimiter": ","}, "separated by semicolons; send delimiter=;, or leave it out"),
        (LONG.replace(",", "\t"), {"delimiter": ","}, "separated by tabs; send delimiter=tab, or leave it out"),
        (LONG, {"columns": {"date": "ds"}}, "columns=date:ds names a column that is not in the table"),
        ("unique_id,ds,y,v\na,1,2,3\n", {"columns": {"v": "y"}}, "leave the other one out with columns=v:y,y:"),
        ("id,date,v\na,1,2\n", {"columns": {"v": "y", "id": "y"}}, "gives the name 'y' to two columns"),
        ("unique_id,ds,y,\na,1,2,\n", {}, "the name of the last column is empty"),
        (",a,b\n2024-01-01,1,2\n", {}, "columns=:ds where it holds the timestamps"),
        ("unique_id,date,y\na,1,2\n", {}, "rename 'date' to ds, or send columns=date:ds"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(text: str, options: dict[str, Any], said: str) -> None:
    assert said in refuse(text, **options)


def test_columns_are_named_and_left_out() -> None:
    names = {"id": "unique_id", "date": "ds", "value": "y", "note": "", "t": "temp"}
    opened, rows, _ = read("note,id,date,value,t\nx,a,2024,1,5\n", columns=names)
    assert (opened.covariates, rows) == (["temp"], [(1, "a", "2024", "1", "5")])
    opened, rows, _ = read(",a,b\n2024-01-01,1,2\n", columns={"": "ds"})
    assert (opened.layout, rows) == ("wide", [(1, "a", "2024-01-01", "1"), (1, "b", "2024-01-01", "2")])


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff", exclude_categories=["Cc"]), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=20),
    delimiter=st.sampled_from(",;\t| "),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    decimal=st.sampled_from(".,"),
)
def test_any_dialect_reads_back(
    rows: list[tuple[str, str, float]], delimiter: str, quoting: Any, end: str, encoding: str, decimal: str
) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerow(["unique_id", "ds", "c", "y"])
    if decimal == ",":  # a number with a point is refused then
        rows = [(name, text.replace(".", ""), y) for name, text, y in rows]
    for i, (name, text, y) in enumerate(rows):
        writer.writerow([f"id {name}", f"{i}", text, repr(y).replace(".", decimal)])
    options = {} if encoding == "utf-8-sig" else {"encoding": encoding}
    _, found, errors = read(sink.getvalue().encode(encoding), delimiter=delimiter, decimal=decimal, **options)
    assert errors == []
    assert [(row[1], float(row[3])) for row in found] == [(f"id {name}".strip(), y) for name, _, y in rows]
    if decimal == ".":  # else a text that is a number with a comma is written with a point
        assert [row[4] for row in found] == [text for _, text, _ in rows]
