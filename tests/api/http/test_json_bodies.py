"""JSON bodies that are made to cost much: nested deeply, of very many parts, or sent by nobody who may."""

import itertools
import json
import random
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from app.api.http.bodies import DEEPEST, MOST_PARTS, SMALL, check_json
from app.config import Settings
from app.errors import ServiceError
from app.main import create_app
from app.services.access.keys import KeyService
from app.storage.engine import Database

pytestmark = pytest.mark.one_database

JSON = {"content-type": "application/json"}
PATHS = ["/series", "/forecast", "/observations", "/train", "/series/a/observations"]
"""by the framework, by the fast route, and by a route that parses itself"""
SECONDS = 5.0
"""of the processor, for what took minutes"""


def nest(depth: int) -> list[bytes]:
    """Return documents of a depth: of lists, of objects, and within the fields of one."""
    lists = b"[" * (depth - 1) + b"]" * (depth - 1)
    return [
        b"[" + lists + b"]",
        b'{"a":' * depth + b"1" + b"}" * depth,
        b'{"id": "a", "freq": "h", "model": "m", "series": ' + lists + b"}",
    ]


def test_what_is_nested_too_deeply_is_refused(client: TestClient) -> None:
    for path, depth in itertools.product(PATHS, [DEEPEST + 1, 150, 250, 985, 1000, 100_000]):
        for content in nest(depth):
            response = client.post(path, content=content, headers=JSON)
            assert (response.status_code, response.json()["code"]) == (400, "bad_request"), path
            assert f"more than {DEEPEST} levels" in response.json()["detail"]


def test_what_is_not_is_read(client: TestClient) -> None:
    for path, content in itertools.product(PATHS, nest(DEEPEST)):
        assert client.post(path, content=content, headers=JSON).status_code == 422, path


def test_other_encodings_are_counted_too(client: TestClient) -> None:
    expected = [(DEEPEST, 422), (DEEPEST + 1, 400)]
    for encoding, (depth, status) in itertools.product(["utf-8-sig", "utf-16", "utf-32"], expected):
        content = nest(depth)[0].decode().encode(encoding)
        assert client.post("/series", content=content, headers=JSON).status_code == status


def test_a_line_of_a_table_that_is_nested_deeply_is_a_wrong_row(client: TestClient) -> None:
    for depth in (2, 900, 980, 1000, 2000, 100_000):
        for y in (b"1", b"NaN"):
            row = b'{"unique_id": "a", "ds": "2024-01-01", "y": %s, "c": %s}\n' % (y, b"[" * depth + b"]" * depth)
            content = b'{"unique_id": "a", "ds": "2024-01-02", "y": 1, "c": 1}\n' + row
            headers = {"content-type": "application/x-ndjson"}
            response = client.post("/series/import?freq=D", content=content, headers=headers)
            assert (response.status_code, response.json()["code"]) == (422, "invalid_value")


def measure(value: Any) -> int:
    parts = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(map(measure, parts), default=0) if isinstance(parts, list) else 0


def make(random_parts: random.Random, depth: int) -> Any:
    kind = random_parts.random()
    if depth == 0 or kind < 0.3:
        return random_parts.choice([1, 'a"b', "\\", '\\"', "[[[{", '"]}', "嬢[", None, '\\\\"'])
    size = random_parts.randrange(4)
    if kind < 0.65:
        return [make(random_parts, depth - 1) for _ in range(size)]
    names = ("k", '"[', '\\"{', "嬢")
    return {f"{random_parts.choice(names)}{i}": make(random_parts, depth - 1) for i in range(size)}


def test_texts_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    random_parts = random.Random(0)
    for _ in range(2000):
        document = make(random_parts, random_parts.randrange(9))
        depth = measure(document)
        for ensure_ascii in (False, True):
            content = json.dumps(document, ensure_ascii=ensure_ascii).encode()
            monkeypatch.setattr("app.api.http.bodies.DEEPEST", depth)
            check_json(content)
            monkeypatch.setattr("app.api.http.bodies.DEEPEST", depth - 1)
            if depth:
                with pytest.raises(ServiceError):
                    check_json(content)


def test_very_many_parts_are_refused_before_they_are_parsed(client: TestClient) -> None:
    documents: list[Any] = [
        {f"k{i}": 1 for i in range(MOST_PARTS + 1)},
        {"series": {f"k{i}": {} for i in range(MOST_PARTS)}},
        {"series": [[]] * (MOST_PARTS + 1)},
    ]
    contents = [
        json.dumps(document, separators=marks) for document in documents for marks in ((",", ":"), (" ,", " :"))
    ]
    for path, content in itertools.product(PATHS, contents):
        response = client.post(path, content=content, headers=JSON)
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large"), path


MISTAKES: list[tuple[str, Any]] = [
    ("/series", {"id": "a", "freq": "h", "labels": {" " * (i % 2) + f"k{i // 2}": "v" for i in range(40_000)}}),
    ("/series", {"id": "a", "freq": "h", "labels": {f"k{i}": 1 for i in range(40_000)}}),
    ("/series/a/observations", {"ds": ["2024-01-01"], "y": ["x"] * 1_000_000}),
    ("/observations", {"series": {"a": {"ds": [1] * 1_000_000}}}),
    ("/forecast", {"model": "m", "series": ["a"], "future": {"a": {"t": [{}] + [0] * 1_000_000}}}),
    ("/forecast", {"model": "m", "series": [1] * 1_000_000}),
    ("/train", {"model": "m", "horizon": 1, "series": {"ids": [1] * 100_000}}),
]


def test_very_many_mistakes_are_refused_soon(client: TestClient) -> None:
    for path, document in MISTAKES:
        content = json.dumps(document)
        began = time.process_time()
        response = client.post(path, content=content, headers=JSON)
        assert time.process_time() - began < SECONDS, path
        assert response.status_code == 422, path
        assert len(response.content) < 100_000


def send(client: TestClient, path: str, parts: int, key: str) -> tuple[int, int]:
    """Send a body in parts; return the status of the answer, and how many of them were received before it."""
    received = 0
    statuses: list[int] = []
    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
    }
    scope |= {"headers": [*headers, (b"transfer-encoding", b"chunked")], "client": ("127.0.0.1", 1), "scheme": "http"}
    scope |= {"http_version": "1.1", "root_path": "", "server": ("127.0.0.1", 80), "asgi": {"version": "3.0"}}

    async def receive() -> Message:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b" " * SMALL, "more_body": received < parts}

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    assert client.portal is not None
    client.portal.call(client.app, scope, receive, take)
    return statuses[0], received


def test_who_has_no_key_is_told_before_a_large_body_is_received(settings: Settings, database: Database) -> None:
    key = KeyService(database, auth=True).create("ci").secret
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as closed:
        for path in PATHS:
            status, received = send(closed, path, 100, "gk_wrong")
            assert status == 401
            assert received <= 2
            assert send(closed, path, 100, key) == (422, 100)
