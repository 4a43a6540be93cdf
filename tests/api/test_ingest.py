"""Parameters of POST /series/import that say how a table's bytes are to be read."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.one_database

CSV = {"content-type": "text/csv"}


def send(client: TestClient, text: str | bytes, query: str) -> Any:
    body = text.encode() if isinstance(text, str) else text
    return client.post(f"/series/import?freq=D&{query}", content=body, headers=CSV)


def test_marks_and_words_separate_cells(client: TestClient) -> None:
    marks = {";": ";", "%3B": ";", "semicolon": ";", "|": "|", "bar": "|", "+": " ", "space": " ", "~": "~"}
    tabs = dict.fromkeys(["tab", "TAB", "%5Ct", "%09"], "\t")
    for delimiter, mark in (marks | tabs).items():
        report = send(client, "unique_id,ds,y\na,2024-01-01,1\n".replace(",", mark), f"delimiter={delimiter}").json()
        assert (report["rows"], report["guesses"]) == (1, []), delimiter


def test_a_european_table(client: TestClient) -> None:
    text = "Datum;Wert;Ort;Notiz\n2024-01-01;7,5;Köln;x\n2024-01-02;8,25;Köln;y\n".encode("cp1252")
    query = "columns=Datum:ds,Wert:y,Ort:unique_id,Notiz:"
    refused = send(client, text, query).json()
    assert "encoding=windows-1252" in refused["detail"]
    report = send(client, text, f"{query}&encoding=windows-1252").json()
    assert (report["inserted"], report["covariates"]) == (2, [])
    assert {guess["parameter"]: guess["value"] for guess in report["guesses"]} == {"delimiter": ";", "decimal": ","}
    assert client.get("/series/Köln/observations").json()["y"] == [7.5, 8.25]


def test_names_may_hold_commas_and_colons(client: TestClient) -> None:
    text = '"a,b","c:d",y\nx,2024-01-01,1\n'
    assert send(client, text, 'columns="a,b:unique_id",c:d:ds').json()["inserted"] == 1


WRONG = [
    ("delimiter=;;", "delimiter"),
    ("delimiter=", "delimiter"),
    ("delimiter=x", "delimiter"),
    ("delimiter=%22", "delimiter"),
    ("delimiter=%0A", "delimiter"),
    ("delimiter=%C2%A7", "delimiter"),
    ("decimal=;", "decimal"),
    ("encoding=utf-7", "encoding"),
    ("encoding=nonsense", "encoding"),
    ("encoding=%00", "encoding"),
    ("columns=date", "columns"),
    ("columns=", "columns"),
    ("columns=a:b,a:c", "columns"),
    ("columns=%22a:b", "columns"),
    ("layout=tall", "layout"),
    ("format=xlsx", "format"),
    ("ds_format=", "ds_format"),
]
"""a query, and its parameter that means nothing"""


def test_a_parameter_that_means_nothing_is_refused(client: TestClient) -> None:
    for query, field in WRONG:
        response = send(client, "unique_id,ds,y\na,2024-01-01,1\n", query)
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, f"query.{field}"), query
    assert client.get("/series").json()["items"] == []


def test_a_parameter_of_csv_is_refused_for_another_format(client: TestClient) -> None:
    body = '{"unique_id": "a", "ds": "2024-01-01", "y": 1}\n'
    for parameter in ("delimiter=;", "decimal=.", "encoding=utf-8"):
        response = client.post(f"/series/import?freq=D&format=ndjson&{parameter}", content=body)
        assert response.json()["errors"][0]["field"] == f"query.{parameter.partition('=')[0]}"


def test_a_wide_table(client: TestClient) -> None:
    report = send(client, "ds,a,b\n2024-01-01,1,10\n2024-01-02,,20\n", "layout=wide").json()
    assert (report["series"], report["inserted"], report["guesses"]) == (2, 4, [])
    assert client.get("/series/a/observations").json()["y"] == [1, None]
    assert client.get("/series/b/observations").json()["y"] == [10, 20]
