"""Writing a table in transactions that hold no lock for long."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.services.ingest.writing import MOST_VALUES, cut_chunks

STEPS = 40
STAMPS = np.datetime64("2024-01-01T00:00", "us") + np.arange(STEPS) * np.timedelta64(3_600_000_000, "us")


def make_table(ids: list[str], **covariates: Any) -> bytes:
    count = len(ids)
    columns = {
        "unique_id": pa.array(np.repeat(ids, STEPS)),
        "ds": pa.array(np.tile(STAMPS, count), pa.timestamp("us", "UTC")),
        "y": pa.array(np.arange(count * STEPS, dtype=np.float64)),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns | covariates), sink)
    return sink.getvalue()


def send(client: TestClient, body: bytes, key: str | None = None, **params: str) -> Any:
    headers = {"content-type": "application/vnd.apache.parquet"} | ({"idempotency-key": key} if key else {})
    return client.post("/series/import", params=params, content=body, headers=headers)


def read_all(client: TestClient, ids: list[str]) -> list[list[float]]:
    return [client.get(f"/series/{i}/observations").json()["y"] for i in ids]


def test_a_table_is_written_in_chunks(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.ingest.service.MOST_VALUES", dict.fromkeys(MOST_VALUES, 30))
    ids = ["b", "a", "c"]
    report = send(client, make_table(ids)).json()
    assert (report["series"], report["inserted"], report["updated"]) == (3, 3 * STEPS, 0)
    assert read_all(client, ids) == [list(range(i * STEPS, (i + 1) * STEPS)) for i in range(3)]
    again = send(client, make_table(ids)).json()
    assert (again["series"], again["inserted"], again["updated"]) == (3, 0, 3 * STEPS)
    assert client.get("/series/a").json()["count"] == STEPS


def test_covariates_are_written_in_the_same_chunks(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.ingest.service.MOST_VALUES", dict.fromkeys(MOST_VALUES, 50))
    temp = pa.array([None if i % 3 == 0 else i / 2 for i in range(2 * STEPS)])
    sky = pa.array([None if i % 2 else f"s{i % 4}" for i in range(2 * STEPS)])
    report = send(client, make_table(["a", "b"], temp=temp, sky=sky)).json()
    assert [(c["name"], c["kind"], c["values"]) for c in report["covariates"]] == [
        ("temp", "numeric", 80 - temp.null_count),
        ("sky", "categorical", 80 - sky.null_count),
    ]
    found = client.get("/series/b/observations").json()["covariates"]
    assert found == {"temp": temp[STEPS:].to_pylist(), "sky": sky[STEPS:].to_pylist()}


def test_a_series_that_is_deleted_meanwhile_ends_the_import_and_the_key_completes_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.ingest.service.MOST_VALUES", dict.fromkeys(MOST_VALUES, STEPS))
    ids = ["a", "b", "c"]
    send(client, make_table(ids[1:]))
    body = make_table(ids)

    def delete_between(checked: Any, rows: int | None) -> Iterator[Any]:
        for number, chunk in enumerate(cut_chunks(checked, rows)):
            if number == 1:
                assert client.delete("/series/c").status_code == 204
            yield chunk

    monkeypatch.setattr("app.services.ingest.service.cut_chunks", delete_between)
    refused = send(client, body, key="k1")
    assert (refused.status_code, refused.json()["code"]) == (409, "import_interrupted")
    assert client.get("/series/a").json()["count"] == STEPS
    monkeypatch.setattr("app.services.ingest.service.cut_chunks", cut_chunks)
    completed = send(client, body, key="k1")
    assert completed.status_code == 200
    assert (completed.json()["inserted"], completed.json()["updated"]) == (STEPS, 2 * STEPS)
    assert send(client, body, key="k1").json() == completed.json()
    assert [client.get(f"/series/{i}").json()["count"] for i in ids] == [STEPS] * 3
