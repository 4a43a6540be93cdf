"""A CSV's bytes as text: encodings, and the byte that is none."""

import pytest

from app.formats.csv_text import check_encoding
from tests.formats.tables import LONG, read, refuse, tell

TABLE = LONG.replace("a,", "Zürich €,")
ROWS = [(1, "Zürich €", "2024-01-01", "1"), (2, "b", "2024-01-02", "2")]


@pytest.mark.parametrize(
    ("encoding", "guess"),
    [
        ("utf-8", {}),
        ("utf-8-sig", {}),
        ("utf-16", {"encoding": "utf-16"}),
        ("utf-16-le", {"encoding": "utf-16-le"}),
        ("utf-16-be", {"encoding": "utf-16-be"}),
        ("utf-32", {"encoding": "utf-32"}),
    ],
)
def test_unicode_is_known_by_its_first_bytes(encoding: str, guess: dict[str, str]) -> None:
    opened, rows, _ = read(TABLE.encode(encoding))
    assert (rows, tell(opened)) == (ROWS, guess)
    told = encoding.removesuffix("-sig")
    opened, rows, _ = read(TABLE.encode(encoding), encoding=told)
    assert (rows, tell(opened)) == (ROWS, {})


def test_utf_16_that_is_told_may_begin_with_either_byte() -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        assert read(TABLE.encode(encoding), encoding="utf-16")[1] == ROWS


def test_other_encodings_are_read_as_they_are_told() -> None:
    assert read(TABLE.encode("cp1252"), encoding="cp1252")[1] == ROWS
    latin = TABLE.replace(" €", "").encode("latin-1")
    assert read(latin, encoding="iso8859-1")[1][0][1] == "Zürich"


@pytest.mark.parametrize("before", [3, 2000])
def test_a_byte_that_is_no_utf_8_is_named_with_its_line(before: int) -> None:
    text = "unique_id,ds,y\n" + "a,2024-01-01,1\n" * before + "Zürich,2024-01-01,1\n"
    said = refuse(text.encode("latin-1"))
    assert f"line {before + 2} of the body holds the byte 0xFC, which is not UTF-8 ('ü' in Windows-1252)" in said
    assert "encoding=windows-1252" in said


def test_such_a_byte_is_named_in_the_header_and_in_a_later_part(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "line 1 of the body holds the byte 0xFC" in refuse("unique_id,ds,y,glück".encode("latin-1") + b"\na,1,2,3\n")
    monkeypatch.setattr("app.formats.csv_text.PART", 50)
    body = ("unique_id,ds,y\n" + "a,2024-01-01,1\n" * 30 + "ü,2024-01-01,1\n").encode("latin-1")
    assert "line 32 of the body" in refuse(body)


@pytest.mark.parametrize(
    ("body", "encoding", "said"),
    [
        (TABLE.encode("utf-8-sig"), "latin-1", "byte order mark of utf-8, and encoding=latin-1 was sent"),
        (TABLE.encode("utf-16"), "utf-8", "byte order mark of utf-16, and encoding=utf-8 was sent"),
        (TABLE.encode("utf-16") + b"x", None, "which is not utf-16 (truncated data)"),
        (TABLE.encode(), "ascii", "which is not ascii"),
    ],
)
def test_an_encoding_that_the_body_does_not_have_is_refused(body: bytes, encoding: str | None, said: str) -> None:
    assert said in refuse(body, encoding=encoding)


def test_encodings_are_those_of_text() -> None:
    assert check_encoding("Latin-1") == "iso8859-1"
    assert check_encoding("windows-1252") == "cp1252"
    for name in ("utf-7", "idna", "punycode", "rot13", "hex", "base64", "unicode_escape", "nonsense", "a\x00b", "../x"):
        with pytest.raises(ValueError, match="no encoding"):
            check_encoding(name)


def test_utf_16_without_a_mark_that_is_no_such_text_is_refused() -> None:
    assert "the body is not utf-16 (UTF-16 stream does not start with BOM)" in refuse("dß,y\n1,2\n", encoding="utf-16")
