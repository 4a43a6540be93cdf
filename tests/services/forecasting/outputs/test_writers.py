"""/forecast as JSON, CSV and Arrow, and how they are chosen."""

import csv
import io
import json
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from app.config import Settings
from app.formats.forms import Form
from app.storage.engine import Database
from tests.services.stored import store
from tests.trained import HORIZON, Trained, publish, values

pytestmark = pytest.mark.one_database

CSV, ARROW = "text/csv", "application/vnd.apache.arrow.stream"
IDS = ("a", 'x, "y" (1) 温度 ä', "'=1+1", "back\\slash;semi")


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    for seed, name in enumerate(IDS):
        store(client, name, values(seed=seed))
    store(client, "berlin", values(seed=9), timezone="Europe/Berlin")
    return client


def ask(client: TestClient, accept: str | None, *series: str, **more: Any) -> Any:
    headers = {} if accept is None else {"accept": accept}
    return client.post("/forecast", json={"model": "m", "series": list(series), **more}, headers=headers)


def table_of(response: Any) -> pa.Table:
    assert response.status_code == 200, response.text
    with pa.ipc.open_stream(response.content) as reader:
        return reader.read_all()


def lines_of(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


def columns_of(told: Any, levels: tuple[str, ...] = ("0.1", "0.5", "0.9")) -> dict[str, list[Any]]:
    """Return JSON's forecasts as one long table."""
    good = [f for f in told["forecasts"] if f["status"] == "ok"]
    columns: dict[str, list[Any]] = {
        "unique_id": [f["series_id"] for f in good for _ in f["ds"]],
        "ds": [t for f in good for t in f["ds"]],
        "yhat": [v for f in good for v in f["yhat"]],
    }
    return columns | {f"q{q}": [v for f in good for v in f["quantiles"][q]] for q in levels}


def test_csv_equals_json(served: TestClient) -> None:
    expected = columns_of(ask(served, None, *IDS, "berlin").json())
    response = ask(served, CSV, *IDS, "berlin")
    assert response.headers["content-type"].startswith("text/csv")
    found = lines_of(response)
    assert list(found[0]) == ["unique_id", "ds", "yhat", "q0.1", "q0.5", "q0.9"]
    for name in ("unique_id", "ds"):
        assert [row[name] for row in found] == expected[name]
    for name in ("yhat", "q0.1", "q0.5", "q0.9"):
        np.testing.assert_allclose([float(row[name]) for row in found], expected[name], rtol=1e-12)
    assert found[-1]["ds"].endswith("+01:00"), "the offset of the series' timezone"


def test_arrow_equals_json(served: TestClient) -> None:
    expected = columns_of(ask(served, None, *IDS, "berlin").json())
    response = ask(served, ARROW, *IDS, "berlin")
    assert response.headers["content-type"] == ARROW
    found = table_of(response)
    assert found.column_names == ["unique_id", "ds", "yhat", "q0.1", "q0.5", "q0.9"]
    assert found.schema.field("ds").type == pa.timestamp("us", tz="UTC")
    assert found["unique_id"].to_pylist() == expected["unique_id"]
    assert found["ds"].to_pylist() == [datetime.fromisoformat(t) for t in expected["ds"]]
    for name in ("yhat", "q0.1", "q0.5", "q0.9"):
        np.testing.assert_allclose(found[name].to_numpy(), expected[name], rtol=1e-12)


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_arguments_hold_in_every_format(served: TestClient, accept: str) -> None:
    more: dict[str, Any] = {"horizon": 3, "quantiles": [0.37, 0.1]}
    expected = columns_of(ask(served, None, "a", **more).json(), ("0.37", "0.1"))
    response = ask(served, accept, "a", **more)
    found = table_of(response).to_pydict() if accept == ARROW else lines_of(response)
    names = ["unique_id", "ds", "yhat", "q0.37", "q0.1"]
    if isinstance(found, dict):
        assert list(found) == names
        np.testing.assert_allclose(found["q0.37"], expected["q0.37"], rtol=1e-12)
    else:
        assert list(found[0]) == names
        np.testing.assert_allclose([float(row["q0.37"]) for row in found], expected["q0.37"], rtol=1e-12)


def test_a_failed_series_has_one_row_with_nothing_but_its_id(served: TestClient) -> None:
    rows = lines_of(ask(served, CSV, "a", 'no, "ne"', "berlin"))
    assert len(rows) == 2 * HORIZON + 1
    assert rows[HORIZON] == {"unique_id": 'no, "ne"', "ds": "", "yhat": "", "q0.1": "", "q0.5": "", "q0.9": ""}
    found = table_of(ask(served, ARROW, "a", "none", "berlin")).to_pylist()
    assert len(found) == 2 * HORIZON + 1
    assert found[HORIZON] == dict.fromkeys(found[0]) | {"unique_id": "none"}


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_nothing_but_failures(served: TestClient, accept: str) -> None:
    response = ask(served, accept, "none", "neither")
    rows = table_of(response).to_pylist() if accept == ARROW else lines_of(response)
    assert [row["unique_id"] for row in rows] == ["none", "neither"]
    assert not any(row["yhat"] for row in rows)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/*", CSV),
        ("TEXT/CSV", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/csv;q=0.4, application/json;q=0.5", "application/json"),
        ("text/csv, */*;q=0.1", CSV),
        ("application/json;q=0, */*", CSV),
        ("application/json;q=0, text/*;q=0, */*;q=0.5", ARROW),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "application/json"),
        (f"text/csv;q=0.9, {ARROW}", ARROW),
        ("text/csv;q=nonsense, application/json;q=0.1", "application/json"),
        ("image/png, , text/csv", CSV),
    ],
)
def test_accept(served: TestClient, accept: str | None, kind: str) -> None:
    headers = {"accept": accept} if accept is not None else {}
    for response in (
        ask(served, accept, "a"),
        served.get("/forecast", params={"model": "m", "series": "a"}, headers=headers),
    ):
        assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, kind)
        assert "accept" in response.headers["vary"].lower().replace("accept-encoding", "")


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0", "application/xml, text/html"])
def test_what_is_not_written_is_406(served: TestClient, accept: str) -> None:
    response = ask(served, accept, "a")
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")
    assert response.headers["content-type"] == "application/problem+json"
    assert "text/csv" in response.json()["detail"]


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_errors_are_problems_in_every_format(served: TestClient, accept: str) -> None:
    response = ask(served, accept, "a", model="none")
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")
    assert response.headers["content-type"] == "application/problem+json"


def test_tables_name_their_version_in_a_header(served: TestClient) -> None:
    for accept in (CSV, ARROW):
        assert ask(served, accept, "a").headers["x-model-version"] == "m@1"
        got = served.get("/forecast", params={"model": "m@1", "series": "a"}, headers={"accept": accept})
        assert got.headers["x-model-version"] == "m@1"


@pytest.mark.parametrize("form", list(Form))
def test_a_format_by_name_is_that_of_accept(served: TestClient, form: Form) -> None:
    query = {"model": "m", "series": "a", "horizon": 3}
    named = served.get("/forecast", params={**query, "format": form.name}, headers={"accept": "image/png"})
    accepted = served.get("/forecast", params=query, headers={"accept": form.value})
    body = {"model": "m", "series": ["a"], "horizon": 3}
    posted = served.post("/forecast", params={"format": form.name}, json=body, headers={"accept": "image/png"})
    assert named.headers["content-type"] == posted.headers["content-type"] == form.value
    assert named.content == accepted.content == posted.content
    assert named.headers["etag"] == accepted.headers["etag"]
    again = served.get(
        "/forecast", params={**query, "format": form.name}, headers={"if-none-match": named.headers["etag"]}
    )
    assert again.status_code == 304


def test_no_two_formats_share_an_etag(served: TestClient) -> None:
    query = {"model": "m", "series": "a", "max_age": 60}
    tags = [served.get("/forecast", params={**query, "format": form.name}).headers["etag"] for form in Form]
    assert len(set(tags)) == len(Form)


def test_ndjson_and_parquet_have_the_rows_of_arrow(served: TestClient) -> None:
    expected = table_of(ask(served, ARROW, "a", "none", "berlin")).to_pylist()
    assert (
        parquet.read_table(io.BytesIO(ask(served, Form.parquet, "a", "none", "berlin").content)).to_pylist() == expected
    )
    rows = [json.loads(line) for line in ask(served, Form.ndjson, "a", "none", "berlin").content.splitlines()]
    parsed = [{**row, "ds": row["ds"] and datetime.fromisoformat(row["ds"])} for row in rows]
    assert parsed == expected
