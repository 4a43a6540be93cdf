"""Line protocol over HTTP, as Telegraf and Home Assistant send it."""

import base64
import gzip
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.services.access.keys import KeyService
from app.storage.engine import Database

ONE = pytest.mark.one_database
T0 = 1_704_067_200
RULE = {"match": {"__name__": "load"}, "freq": "5min", "aggregate": "mean", "id": "{__name__}/{host}"}
LINES = "".join(
    f"load,host=h{k} value={v} {T0 + s}\n" for k in (1, 2) for s, v in ((0, 1.0), (60, 3.0), (301, 5.0), (650, 9.0))
)


def write(client: TestClient, lines: str | bytes, path: str = "/api/v2/write", **given: Any) -> Any:
    params = {"precision": "s", **given.pop("params", {})}
    return client.post(path, content=lines, params=params, **given)


def test_lines_become_series_by_a_rule(client: TestClient) -> None:
    assert client.put("/ingest/rules/r", json=RULE).status_code == 201
    answer = write(client, LINES, params={"org": "x", "bucket": "y"})
    assert (answer.status_code, answer.content) == (204, b"")
    found = client.get("/series/load/h1/observations").json()
    assert (found["y"], found["provisional"]) == ([2.0, 5.0, 9.0], "2024-01-01T00:10:00+00:00")
    assert client.get("/series/load/h1/observations", params={"format": "csv"}).text.count("\n") == 3
    rule = client.get("/ingest/rules/r").json()
    assert (rule["samples"], rule["dropped"], rule["series"]) == (8, 0, 2)
    assert rule["last_at"] is not None
    series = client.get("/series/load/h2").json()
    assert (series["freq"], series["count"], series["labels"]) == ("5min", 2, {"host": "h2"})


@ONE
def test_a_compressed_body_and_the_paths_of_version_1(client: TestClient) -> None:
    client.put("/ingest/rules/r", json=RULE)
    packed = gzip.compress(LINES.encode())
    assert write(client, packed, "/write", params={"db": "x"}, headers={"content-encoding": "gzip"}).status_code == 204
    assert client.get("/ingest/rules/r").json()["samples"] == 8
    assert write(client, "", "/write").status_code == 204
    assert client.post("/query", params={"q": "CREATE DATABASE telegraf"}).json() == {"results": [{"statement_id": 0}]}
    assert client.post("/query", data={"q": 'create database "x"'}).status_code == 200
    refused = client.post("/query", params={"q": "SELECT * FROM load"})
    assert (refused.status_code, "InfluxQL" in refused.json()["error"]) == (400, True)


def test_one_bad_line_is_named_and_nothing_is_written(client: TestClient) -> None:
    client.put("/ingest/rules/r", json=RULE)
    answer = write(client, LINES + "no line at all\n")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["message"].startswith("line 9: ")
    assert client.get("/ingest/rules/r").json()["samples"] == 0
    assert client.get("/series").json()["items"] == []


@ONE
def test_refusals_have_the_shape_of_the_protocol(client: TestClient) -> None:
    answer = write(client, LINES)
    assert (answer.status_code, answer.json()["code"]) == (400, "no_ingest_rules")
    assert "PUT /ingest/rules/NAME" in answer.json()["message"]
    client.put("/ingest/rules/r", json=RULE)
    answer = write(client, LINES, params={"precision": "fortnights"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    answer = write(client, b"\x1f\x8b no gzip", headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    answer = write(client, "m v=1", headers={"content-encoding": "br"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported media type")


@ONE
def test_what_no_rule_takes_is_counted(client: TestClient) -> None:
    client.put("/ingest/rules/r", json=RULE)
    assert write(client, LINES + f"other v=1 {T0}\n" + f"load value=1 {T0}\n").status_code == 204
    counts = {
        line.split()[0]: float(line.split()[1])
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("gatecast_ingest_samples_total")
    }
    assert counts == {
        'gatecast_ingest_samples_total{outcome="taken"}': 8.0,
        'gatecast_ingest_samples_total{outcome="dropped"}': 1.0,
        'gatecast_ingest_samples_total{outcome="unmatched"}': 1.0,
    }
    assert "has no label 'host'" in client.get("/ingest/rules/r").json()["problem"]


@ONE
def test_keys_come_in_the_ways_of_the_protocol(settings: Settings, database: Database) -> None:
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
        keys = KeyService(database, auth=True)
        secret = keys.create("writer").secret
        reader = keys.create("reader", read_only=True).secret
        bearer = {"authorization": f"Bearer {secret}"}
        assert client.put("/ingest/rules/r", json=RULE, headers=bearer).status_code == 201
        basic = base64.b64encode(f"me:{secret}".encode()).decode()
        for headers in (bearer, {"authorization": f"Token {secret}"}, {"authorization": f"Basic {basic}"}):
            assert write(client, LINES, headers=headers).status_code == 204
        assert write(client, LINES, "/write", params={"u": "me", "p": secret}).status_code == 204
        answer = write(client, LINES)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        answer = write(client, LINES, headers={"authorization": f"Token {reader}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert write(client, LINES, headers={"authorization": "Basic %%%"}).status_code == 401
