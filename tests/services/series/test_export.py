"""GET /series/{id}/observations and /series/export as tables: the same rows in every format."""

import csv
import io
import json
import math
import re
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from app.scope import Scope
from app.services.series import export, tables
from app.services.series.ids import is_series_id
from app.storage import keys
from app.storage.engine import Database
from tests.services.stored import hours, store

FORMATS = ("csv", "ndjson", "parquet", "arrow")
NUMBERS = [0.1 + 0.2, None, -1.7976931348623157e308, 5e-324, 1.0, 123456789.123456789]
TEXTS = ["wet", None, 'q"uo,te', "NaN", "two\nlines", "温度"]


def store_all(client: TestClient) -> None:
    """Make three series: one with covariates in Berlin, one without, one empty."""
    client.post("/series", json={"id": "a, (1)", "freq": "h", "timezone": "Europe/Berlin", "labels": {"k": "v"}})
    columns = {"temp": [1.5, None, 2, 3, 4, 5e-324], "sky": TEXTS}
    body = {"ds": hours(0, 6), "y": NUMBERS, "covariates": columns}
    assert client.post("/series/a, (1)/observations", json=body).status_code == 200
    store(client, "b", np.arange(3.0))
    client.post("/series", json={"id": "empty", "freq": "D", "timezone": "America/New_York"})


def read(format: str, content: bytes) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON has them: numbers, None where missing, and times as texts."""
    match format:
        case "csv":
            rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
            return [{name: _parse(name, cell) for name, cell in row.items()} for row in rows]
        case "ndjson":
            return [json.loads(line) for line in content.decode().split("\n")[:-1]]
        case "parquet":
            return parquet.read_table(io.BytesIO(content)).to_pylist()
        case _:
            return pa.ipc.open_stream(content).read_all().to_pylist()


def _parse(name: str, cell: str) -> Any:
    if cell == "":
        return None
    return float(cell) if name in ("y", "temp") else cell


def list_rows(client: TestClient, series_id: str, *names: str) -> list[dict[str, Any]]:
    """Return the rows of a series as JSON tells them."""
    told = client.get(f"/series/{series_id}/observations", params={"limit": 10_000}).json()
    columns = {name: told["covariates"].get(name, [None] * len(told["ds"])) for name in names}
    whole = {"ds": told["ds"], "y": told["y"], **columns}
    return [{"unique_id": series_id, **dict(zip(whole, row, strict=True))} for row in zip(*whole.values(), strict=True)]


def with_moments(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with times that compare, whatever their offset."""
    parsed = [r["ds"] if isinstance(r["ds"], datetime) else datetime.fromisoformat(r["ds"]) for r in rows]
    return [{**row, "ds": ds} for row, ds in zip(rows, parsed, strict=True)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_series_has_the_same_rows_in_every_format(client: TestClient, format: str) -> None:
    store_all(client)
    expected = list_rows(client, "a, (1)", "sky", "temp")
    response = client.get("/series/a, (1)/observations", params={"format": format})
    found = read(format, response.content)
    assert [list(row) for row in found] == [["unique_id", "ds", "y", "sky", "temp"]] * 6
    assert with_moments(found) == with_moments(expected)
    if format in ("csv", "ndjson"):
        assert [row["ds"] for row in found] == [row["ds"] for row in expected], "the offset of the series' timezone"
        assert found[0]["ds"] == "2024-01-01T01:00:00+01:00"
    else:
        assert all(row["ds"].utcoffset().total_seconds() == 0 for row in found)


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_has_the_rows_of_all_series(client: TestClient, format: str) -> None:
    store_all(client)
    expected = [*list_rows(client, "a, (1)", "sky", "temp"), *list_rows(client, "b", "sky", "temp")]
    response = client.get("/series/export", params={"format": format})
    assert response.headers["content-disposition"] == f'attachment; filename="observations.{format}"'
    assert with_moments(read(format, response.content)) == with_moments(expected)


def test_what_is_exported_is_selected(client: TestClient) -> None:
    store_all(client)

    def ids(**parameters: Any) -> list[str]:
        response = client.get("/series/export", params=parameters)
        assert response.status_code == 200, response.text
        return list(dict.fromkeys(row["unique_id"] for row in read("csv", response.content)))

    assert ids(series=["b", "a, (1)", "b"]) == ["a, (1)", "b"]
    assert ids(prefix="a") == ids(label="k:v") == ["a, (1)"]
    assert ids(prefix="b", label="k:v") == ids(prefix="nobody") == ids(series="empty") == []
    header = client.get("/series/export", params={"series": "b"}).text.splitlines()[0]
    assert header == "unique_id,ds,y", "no covariate that none of the series has"


def test_a_span_is_read_in_the_timezone_of_each_series(client: TestClient) -> None:
    store_all(client)
    span = {"start": "2024-01-01T02:00", "end": "2024-01-01T04:00"}
    found = read("csv", client.get("/series/export", params=span).content)
    assert [(row["unique_id"], row["ds"]) for row in found] == [
        ("a, (1)", "2024-01-01T02:00:00+01:00"),
        ("a, (1)", "2024-01-01T03:00:00+01:00"),
        ("b", "2024-01-01T02:00:00+00:00"),
    ]
    part = client.get(
        "/series/b/observations", params={"format": "csv", "start": hours(1, 2)[0], "end": hours(2, 3)[0]}
    )
    assert [row["y"] for row in read("csv", part.content)] == [1.0]


@pytest.mark.parametrize(
    ("parameters", "status", "said"),
    [
        ({"series": ["b", "none"]}, 404, "'none'"),
        ({"series": "b", "prefix": "a"}, 422, "one or the other"),
        ({"start": "yesterday"}, 422, "start"),
        ({"label": "k"}, 422, "key:value"),
        ({"layout": "wide"}, 422, "layout"),
        ({"format": "json"}, 422, "parquet"),
    ],
)
@pytest.mark.one_database
def test_what_is_wrong_is_said_before_the_first_byte(
    client: TestClient, parameters: dict[str, Any], status: int, said: str
) -> None:
    store_all(client)
    response = client.get("/series/export", params=parameters)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert said in response.json()["detail"]


@pytest.mark.one_database
def test_errors_of_a_series_as_a_table_are_problems(client: TestClient) -> None:
    store_all(client)
    for path, status in (
        ("/series/none/observations?format=csv", 404),
        ("/series/b/observations?format=csv&end=never", 422),
        ("/series/b/observations?format=csv&cursor=x", 422),
    ):
        response = client.get(path)
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("format", FORMATS)
def test_pages_of_a_table_are_linked_and_have_the_same_columns(client: TestClient, format: str) -> None:
    store_all(client)
    pages = []
    url: str | None = f"/series/a%2C%20%281%29/observations?limit=2&format={format}"
    while url is not None:
        response = client.get(url)
        pages.append(read(format, response.content))
        url = response.links["next"]["url"] if "next" in response.links else None
    assert [len(page) for page in pages] == [2, 2, 2]
    whole = read(format, client.get("/series/a, (1)/observations", params={"format": format}).content)
    assert [row for page in pages for row in page] == whole


@pytest.mark.one_database
@pytest.mark.parametrize("format", FORMATS)
def test_batches_and_pages_of_series_leave_no_seam(
    client: TestClient, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, count in enumerate((3, 0, 11, 4, 5, 1)):
        store(client, f"s{number}", np.arange(float(count)) + 100 * number)
        if count:
            ds = hours(0, count)[:: 1 + number % 2]
            client.post(f"/series/s{number}/observations", json={"ds": ds, "covariates": {"t": list(range(len(ds)))}})
    whole = read(format, client.get("/series/export", params={"format": format}).content)
    assert len(whole) == 24
    monkeypatch.setattr(tables, "BATCH_ROWS", 4)
    monkeypatch.setattr(export, "PAGE_ROWS", 7)
    monkeypatch.setattr(export, "PAGE_SERIES", 2)
    monkeypatch.setattr(export, "IN_MEMORY", 50)
    monkeypatch.setattr(export, "BLOCK", 64)
    assert read(format, client.get("/series/export", params={"format": format}).content) == whole
    long = read(format, client.get("/series/s2/observations", params={"format": format}).content)
    assert long == [row for row in whole if row["unique_id"] == "s2"]


def test_a_series_is_one_snapshot_however_slowly_it_is_taken(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    monkeypatch.setattr(export, "BLOCK", 10)
    store(client, "a", np.arange(6.0))
    blocks = export.ExportService(database).read(_find_scope(database), "a", None, None, tables.TableFormat.csv)
    first = next(blocks)
    client.post("/series/a/observations", json={"ds": hours(0, 6), "y": [-1] * 6})
    client.delete("/series/a")
    found = read("csv", first + b"".join(blocks))
    assert [row["y"] for row in found] == [0, 1, 2, 3, 4, 5]


def _find_scope(database: Database) -> Scope:
    with database.read() as session:
        return keys.get_default_scope(session)


def test_another_project_sees_none_of_it(client: TestClient, database: Database) -> None:
    store_all(client)
    scope = _find_scope(database)
    other = Scope(scope.project_id + 1, scope.rights)
    request = export.ExportRequest()
    assert (
        b"".join(export.ExportService(database).export(other, request, tables.TableFormat.csv)) == b"unique_id,ds,y\n"
    )


@pytest.mark.one_database
def test_no_id_ends_in_a_word_of_the_routes(client: TestClient) -> None:
    """`GET /series/export` is no series, and neither is any other path below /series."""
    paths = [path for path in client.get("/openapi.json").json()["paths"] if path.startswith("/series/")]
    words = {word for path in paths for word in re.findall(r"/([a-z]+)$", path)}
    assert {"export", "health", "import", "observations"} <= words
    for word in words:
        assert not is_series_id(word)
        assert not is_series_id(f"a/{word}")
        assert is_series_id(f"{word}s1")


def test_an_exported_table_is_imported_as_it_was(client: TestClient) -> None:
    store_all(client)
    table = client.get("/series/export").content
    before = [list_rows(client, series_id, "sky", "temp") for series_id in ("a, (1)", "b")]
    for series_id in ("a, (1)", "b"):
        client.delete(f"/series/{series_id}")
    parameters = {"freq": "h", "timezone": "Europe/Berlin"}
    client.post("/series", json={"id": "b", "freq": "h"})
    response = client.post("/series/import", params=parameters, content=table, headers={"content-type": "text/csv"})
    assert response.status_code == 200, response.text
    assert response.json()["rejected_rows"] == 0
    after = [list_rows(client, series_id, "sky", "temp") for series_id in ("a, (1)", "b")]
    assert after == before
    assert math.isclose(sum(row["y"] for row in after[1]), 3)
