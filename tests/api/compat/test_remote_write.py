"""Prometheus remote write over HTTP: both versions, their headers, and which errors a sender tries again."""

from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from tests.formats.test_remote_write import Series, encode, encode_2

ONE = pytest.mark.one_database
T0 = 1_704_067_200_000
RULE = {"match": {"__name__": "~node_.*"}, "freq": "5min", "aggregate": "max", "id": "{__name__}/{instance}"}
V1 = "application/x-protobuf"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
OTHER = {"__name__": "up", "instance": "a"}


def own(instance: str) -> dict[str, str]:
    return {"__name__": "node_load1", "instance": instance, "job": "node"}


SERIES: Series = [(own(k), [(T0 + s * 1000, v) for s, v in ((0, 1.0), (299, 3.0), (301, 2.0))]) for k in "ab"]


def send(client: TestClient, content: bytes, kind: str = V1, **headers: str) -> Any:
    block = pa.compress(content, codec="snappy", asbytes=True)
    return client.post(
        "/api/v1/write", content=block, headers={"content-type": kind, "content-encoding": "snappy", **headers}
    )


@pytest.mark.parametrize("version", [1, 2])
def test_samples_become_series_and_what_is_dropped_counts_as_written(client: TestClient, version: int) -> None:
    client.put("/ingest/rules/r", json=RULE)
    series = [*SERIES, (OTHER, [(T0, 1.0)])]
    content, kind = (encode(series), V1) if version == 1 else (encode_2(series), V2)
    for _ in range(2):  # a sender repeats a body of which it got no answer
        answer = send(client, content, kind)
        assert (answer.status_code, answer.content) == (204, b"")
        written = {k: v for k, v in answer.headers.items() if k.startswith("x-prometheus-remote-write")}
        assert written == {
            "x-prometheus-remote-write-samples-written": "7",
            "x-prometheus-remote-write-histograms-written": "0",
            "x-prometheus-remote-write-exemplars-written": "0",
        }
    assert client.get("/series/node_load1/b/observations").json()["y"] == [3.0, 2.0]
    assert client.get("/series/up/a").status_code == 404
    rule = client.get("/ingest/rules/r").json()
    assert (rule["series"], rule["dropped"]) == (2, 0)


@ONE
def test_the_message_may_be_named_and_quoted(client: TestClient) -> None:
    client.put("/ingest/rules/r", json=RULE)
    assert send(client, encode(SERIES), 'application/x-protobuf; proto="prometheus.WriteRequest"').status_code == 204
    assert send(client, b"").status_code == 204


@ONE
def test_what_a_retry_cannot_mend_is_no_server_error(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_body_bytes": 2000}))) as client:
        answer = send(client, encode(SERIES))
        assert (answer.status_code, answer.json()["code"]) == (400, "no_ingest_rules")
        assert answer.json()["status"] == "error"
        client.put("/ingest/rules/r", json=RULE)
        for content in (b"no protobuf at all", encode(SERIES)[:-1]):
            assert send(client, content).status_code == 400
        assert send(client, encode(SERIES), V2).status_code in (204, 400), "1.0 named 2.0 is empty or no message"
        for kind in ("application/json", "", "application/x-protobuf;proto=other.Message"):
            assert send(client, encode(SERIES), kind).status_code == 415
        assert send(client, encode(SERIES), **{"content-encoding": "gzip"}).status_code == 415
        assert send(client, encode(SERIES), **{"content-encoding": "zstd"}).status_code == 415
        raw = {"content-type": V1}
        assert client.post("/api/v1/write", content=encode(SERIES), headers=raw).status_code == 415
        block = raw | {"content-encoding": "snappy"}
        assert client.post("/api/v1/write", content=b"\xff\xff\xff\xff\x0f", headers=block).status_code == 413
        bomb = pa.compress(bytes(50_000), codec="snappy", asbytes=True)
        assert len(bomb) > 2000 or client.post("/api/v1/write", content=bomb, headers=block).status_code == 413
        assert client.get("/api/v1/write").status_code == 405
        assert client.get("/ingest/rules/r").json()["samples"] == 0


@ONE
def test_snappy_is_read_nowhere_else(client: TestClient) -> None:
    answer = client.post("/series", content=b"x", headers={"content-encoding": "snappy"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
