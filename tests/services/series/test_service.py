"""/series over HTTP."""

import base64
import json
import threading
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app


def key(part: object) -> str:
    """Return a cursor that this service has not made."""
    return base64.urlsafe_b64encode(json.dumps([part]).encode()).decode()


ODD_ID = "PBS/Concessional/p (mbar)"


def make(client: TestClient, series_id: str = "a", **fields: object) -> None:
    response = client.post("/series", json={"id": series_id, "freq": "h", **fields})
    assert response.status_code == 201, response.text


def test_create_read_update_delete(client: TestClient) -> None:
    body = {"id": ODD_ID, "freq": "H", "timezone": "Europe/Berlin", "unit": "mbar", "labels": {"site": "7"}}
    made = client.post("/series", json=body)
    assert made.status_code == 201
    assert made.json() == {
        **body,
        "freq": "h",
        "description": None,
        "static": {},
        "version": 1,
        "first_ds": None,
        "last_ds": None,
        "count": 0,
    }
    path = "/series/" + quote(ODD_ID, safe="")
    assert client.get(path).json() == made.json()
    put = client.put(path, json={"freq": "h", "timezone": "Europe/Berlin", "description": "pressure"})
    assert (put.status_code, put.json()["description"], put.json()["version"]) == (200, "pressure", 2)
    assert client.delete(path).status_code == 204
    assert client.get(path).json()["code"] == "series_not_found"
    assert client.delete(path).status_code == 404


def test_put_makes_a_series_once(client: TestClient) -> None:
    assert client.put("/series/x", json={"freq": "D"}).status_code == 201
    assert client.put("/series/x", json={"freq": "D"}).status_code == 200


def test_an_existing_id_is_a_conflict(client: TestClient) -> None:
    make(client)
    again = client.post("/series", json={"id": "a", "freq": "D"})
    assert (again.status_code, again.json()["code"]) == (409, "series_exists")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": "", "freq": "h"}, "invalid_series_id"),
        ({"id": "x" * 201, "freq": "h"}, "invalid_series_id"),
        ({"id": "import", "freq": "h"}, "invalid_series_id"),
        ({"id": "a/observations", "freq": "h"}, "invalid_series_id"),
        ({"id": "a/../b", "freq": "h"}, "invalid_series_id"),
        ({"id": "a\x00b", "freq": "h"}, "invalid_series_id"),
        ({"id": "a\nb", "freq": "h"}, "invalid_series_id"),
        ({"id": "a", "freq": "fortnightly-ish"}, "invalid_frequency"),
        ({"id": "a", "freq": "ms"}, "invalid_frequency"),
        ({"id": "a", "freq": "h", "timezone": "Mars/Base"}, "invalid_timezone"),
        ({"id": "a", "freq": "h", "timezone": "../../etc/passwd"}, "invalid_timezone"),
        ({"id": "a", "freq": "h", "typo": 1}, "invalid_input"),
        ({"id": "a", "freq": "h", "labels": {"k": "\x00"}}, "invalid_input"),
        ({"id": "a", "freq": "h", "labels": {"k": 1}}, "invalid_input"),
        ({"id": 7, "freq": "h"}, "invalid_input"),
        ([], "invalid_input"),
    ],
)
def test_bad_series_are_refused(client: TestClient, body: object, code: str) -> None:
    response = client.post("/series", json=body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"]


def test_lone_surrogates_are_refused_everywhere(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    for path, body in [
        ("/series", b'{"id":"\\ud800","freq":"h"}'),
        ("/series", b'{"id":"a","freq":"h","labels":{"\\ud800":"x"}}'),
        ("/series", b'{"id":"a","freq":"\\ud800"}'),
        ("/train", b'{"model":"m","series":{"ids":["\\ud800"]},"horizon":3}'),
        ("/train", b'{"model":"m","series":{"labels":{"a":"\\ud800"}},"horizon":3}'),
        ("/forecast", b'{"model":"\\ud800","series":["a"]}'),
    ]:
        response = client.post(path, content=body, headers=headers)
        assert 400 <= response.status_code < 500, (path, body, response.text)
    for path in (
        "/series/%00",
        "/series?prefix=%00",
        "/series?label=a:%00",
        "/jobs/%00",
        "/models/%00",
        "/series/%ff",
    ):
        assert 400 <= client.get(path).status_code < 500, path


def test_pages_hold_every_series_once(client: TestClient) -> None:
    ids = [f"s{i:02d}" for i in range(7)] + ["S", "s_", "s%", "é"]
    for series_id in ids:
        make(client, series_id)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(20):
        params = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = client.get("/series", params=params).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(ids)
    assert [i["id"] for i in client.get("/series", params={"prefix": "s_"}).json()["items"]] == ["s_"]
    assert [i["id"] for i in client.get("/series", params={"prefix": "s%"}).json()["items"]] == ["s%"]
    assert [i["id"] for i in client.get("/series", params={"prefix": "S"}).json()["items"]] == ["S"]


@pytest.mark.parametrize(
    "cursor",
    ["\x00\xff", "e30", "WzEsMl0", "W10", "nonsense!", "WyJhIiwxXQ", key("\x00"), key("\ud800"), key(2**63 - 1)],
)
def test_foreign_cursors_are_refused(client: TestClient, cursor: str) -> None:
    response = client.get("/series", params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


def test_labels_must_all_hold(client: TestClient) -> None:
    make(client, "a", labels={"city": "Bonn: west", "kind": "x"})
    make(client, "b", labels={"city": "Bonn: west"})
    found = client.get("/series", params={"label": ["city:Bonn: west", "kind:x"]}).json()["items"]
    assert [item["id"] for item in found] == ["a"]
    assert client.get("/series", params={"label": "city"}).status_code == 422
    assert client.get("/series", params={"label": ["kind:x", "kind:y"]}).json()["items"] == []


def test_idempotent_creation(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = client.post("/series", json={"id": "a", "freq": "h"}, headers=headers)
    again = client.post("/series", json={"id": "a", "freq": "h"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = client.post("/series", json={"id": "b", "freq": "h"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert client.get("/series/b").status_code == 404


@pytest.mark.parametrize("path", ["/series", "/jobs", "/series/export"])
def test_labels_that_select_are_bounded(client: TestClient, path: str) -> None:
    pairs = [("label", f"k{i}:v") for i in range(101)]
    assert client.get(path, params=pairs[:100]).status_code == 200
    response = client.get(path, params=pairs)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "query.label")


def test_many_make_the_same_series_at_once(settings: Settings) -> None:
    """Whoever is second finds what the first has made: one creation, conflicts otherwise, and never a 5xx."""
    with TestClient(create_app(settings)) as one, TestClient(create_app(settings)) as two:
        for client in (one, two):  # the framework builds its routes when they are first asked for, in one thread
            assert client.get("/openapi.json").status_code == 200
        for round_ in range(5):
            path, barrier, statuses = f"/series/r{round_}", threading.Barrier(4), []

            def work(
                i: int, path: str = path, barrier: threading.Barrier = barrier, found: list[int] = statuses
            ) -> None:
                client = (one, two)[i % 2]
                barrier.wait()
                if i < 2:
                    found.append(client.put(path, json={"freq": "h"}).status_code)
                else:
                    found.append(client.post("/series", json={"id": path[8:], "freq": "h"}).status_code)

            threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert statuses.count(201) == 1
            assert set(statuses) <= {200, 201, 409}


def test_blanks_around_an_id_and_labels_do_not_count(client: TestClient) -> None:
    body = {"id": " spc ", "freq": "D", "labels": {" city ": "Berlin "}, "static": {" kind": " shop "}}
    made = client.post("/series", json=body).json()
    assert (made["id"], made["labels"], made["static"]) == ("spc", {"city": "Berlin"}, {"kind": "shop"})
    assert client.post("/series", json={"id": "spc", "freq": "D"}).json()["code"] == "series_exists"
    assert client.put("/series/spc%20", json={"freq": "D"}).status_code == 200
    assert client.get("/series/%20spc").json()["id"] == "spc"
    twice = client.put("/series/spc", json={"freq": "D", "labels": {"a": "1", "a ": "2"}})
    assert (twice.status_code, twice.json()["errors"][0]["field"]) == (422, "body.labels")
    assert client.delete("/series/spc%20").status_code == 204


@pytest.mark.parametrize("series_id", ["nan", "NaN", " <NA> "])
def test_an_id_that_stands_for_a_missing_one_in_tables_is_refused(client: TestClient, series_id: str) -> None:
    response = client.post("/series", json={"id": series_id, "freq": "D"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_series_id")
    assert "stands for a missing id in a table" in response.json()["detail"]
