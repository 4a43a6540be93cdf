"""Formats: every call that has several is found in the OpenAPI document, and takes format= as well as Accept."""

import asyncio
import csv
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet
from sqlalchemy import text

from app.config import Settings
from app.formats.forms import Form
from app.main import create_app
from app.services.series import export
from app.storage.engine import Database

pytestmark = pytest.mark.one_database

PROBLEM = "application/problem+json"
IMAGES = {"svg": "image/svg+xml", "png": "image/png"}
KINDS = {form.name: form.value for form in Form} | IMAGES
READERS = ("/series/import", "/observations")
"""calls whose format= is that of the body"""
LISTS = ("/covariates", "/jobs", "/models", "/retention", "/series")


def list_negotiated(document: dict[str, Any]) -> dict[tuple[str, str], tuple[set[str], set[str]]]:
    """Return {(method, path): (media types of the answer, names that format= takes)} where there are several."""
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            kinds = set(operation["responses"].get("200", {}).get("content", {})) - {PROBLEM}
            schemas = [p["schema"] for p in operation.get("parameters", []) if p["name"] == "format"]
            if len(kinds) > 1 or schemas:
                found[method, path] = kinds, set(_list_names(schemas[0])) if schemas else set()
    return found


def _list_names(schema: dict[str, Any]) -> list[str]:
    return [*schema.get("enum", []), *(name for part in schema.get("anyOf", []) for name in part.get("enum", []))]


def test_every_call_with_several_formats_takes_each_by_name(client: TestClient) -> None:
    negotiated = list_negotiated(client.get("/openapi.json").json())
    names = {path for _, path in negotiated}
    assert {"/forecast", "/anomalies", "/series/export", "/series/{series_id}/observations", *LISTS} <= names
    for call, (kinds, formats) in negotiated.items():
        if call[1] not in READERS:
            assert kinds == {KINDS[name] for name in formats}, call


def test_every_list_has_every_format(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    lists = {
        path
        for path, methods in document["paths"].items()
        if "cursor" in {p["name"] for p in methods.get("get", {}).get("parameters", [])}
    }
    negotiated = list_negotiated(document)
    assert lists >= set(LISTS)
    for path in lists:
        assert negotiated["get", path][1] == {form.name for form in Form}


def test_a_format_that_is_not_there_is_named_beside_those_that_are(client: TestClient) -> None:
    calls = (*LISTS, "/series/export", "/series/a/observations", "/anomalies/none", "/forecast")
    for path in calls:
        needed = {"model": "m", "series": "a"} if path == "/forecast" else {}
        refused = client.get(path, params={**needed, "format": "xlsx"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "query.format")
        assert all(name in refused.json()["detail"] for name in ("csv", "ndjson", "parquet", "arrow"))


@pytest.mark.parametrize("path", [*LISTS, "/series/export"])
def test_accept_is_refused_where_nothing_fits_and_format_wins_over_it(client: TestClient, path: str) -> None:
    refused = client.get(path, headers={"accept": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    assert "format=" in refused.json()["detail"]
    for name in ("csv", "ndjson", "parquet", "arrow"):
        response = client.get(path, params={"format": name}, headers={"accept": "image/png"})
        assert response.headers["content-type"].split(";")[0] == KINDS[name]
        assert "Accept" in response.headers["vary"].split(", ")
        assert client.get(path, headers={"accept": KINDS[name]}).content == response.content


@pytest.mark.parametrize(("accept", "name"), [("application/parquet", "parquet"), ("application/jsonl", "ndjson")])
def test_other_names_of_a_media_type_are_known(client: TestClient, accept: str, name: str) -> None:
    assert client.get("/series", headers={"accept": accept}).headers["content-type"] == KINDS[name]


def add_series(client: TestClient) -> None:
    for series_id, fields in {
        "a": {"labels": {"city": 'B, "x"'}, "static": {"size": 3}},
        "b/1 ä": {"unit": "bikes"},
        "c": {"description": "two\nlines"},
    }.items():
        body = {"id": series_id, "freq": "h", **fields}
        assert client.post("/series", json=body).status_code == 201


def read_items(name: str, content: bytes) -> list[dict[str, Any]]:
    match name:
        case "csv":
            return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        case "ndjson":
            return [json.loads(line) for line in content.splitlines()]
        case "parquet":
            return parquet.read_table(io.BytesIO(content)).to_pylist()
        case _:
            return pa.ipc.open_stream(content).read_all().to_pylist()


@pytest.mark.parametrize("name", ["csv", "ndjson", "parquet", "arrow"])
def test_a_list_is_a_table_with_json_in_what_has_parts(client: TestClient, name: str) -> None:
    add_series(client)
    items = client.get("/series").json()["items"]
    rows = read_items(name, client.get("/series", params={"format": name}).content)
    assert [list(row) for row in rows] == [list(item) for item in items]
    for row, item in zip(rows, items, strict=True):
        assert (json.loads(row["labels"]), json.loads(row["static"])) == (item["labels"], item["static"])
        flat = {key: value for key, value in item.items() if key not in ("labels", "static")}
        expected = {key: "" if value is None else str(value) for key, value in flat.items()} if name == "csv" else flat
        assert {key: row[key] for key in flat} == expected


def test_the_next_page_of_a_list_is_in_the_link_header(client: TestClient) -> None:
    add_series(client)
    seen: list[str] = []
    url: str | None = "/series?format=csv&limit=2&prefix="
    while url is not None:
        response = client.get(url)
        seen += [row["id"] for row in read_items("csv", response.content)]
        url = response.links["next"]["url"] if "next" in response.links else None
    assert seen == ["a", "b/1 ä", "c"]


def test_an_empty_list_has_its_columns(client: TestClient) -> None:
    for path in LISTS:
        item = client.get("/openapi.json").json()["paths"][path]["get"]["responses"]["200"]["content"]["text/csv"]
        text = client.get(path, params={"format": "csv"}).text
        lines = [line for line in text.splitlines(keepends=True) if not line.startswith('"auto",true')]  # built in
        assert "".join(lines) == item["example"]


def test_a_stream_that_fails_is_cut_and_not_ended(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table goes while the first page is sent: the last message, which ends an answer, must not come."""
    monkeypatch.setattr(export, "PAGE_SERIES", 1)
    app = create_app(settings)
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and len(sent) == 2:
            with database.write() as session:
                session.execute(text("DROP TABLE observations"))

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def call() -> None:
        scope = {"type": "http", "method": "GET", "path": "/series/export", "query_string": b"", "headers": []}
        await app({**scope, "http_version": "1.1", "scheme": "http", "root_path": "", "asgi": {}}, receive, send)

    with TestClient(app) as client:
        for series_id in ("a", "b"):
            client.post("/series", json={"id": series_id, "freq": "h"})
            client.post(f"/series/{series_id}/observations", json={"ds": ["2024-01-01T00:00:00Z"], "y": [1]})
        assert client.portal is not None
        client.portal.call(call)
    assert sent[0]["status"] == 200
    assert sent[1]["body"].startswith(b"unique_id,ds,y\n")
    assert len(sent) >= 2
    assert not any(not message.get("more_body", False) for message in sent[1:])
