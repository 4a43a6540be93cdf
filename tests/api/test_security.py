"""What every operation is held to, whatever it does: a key, fields that are named, a place in the document."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute
from structlog.testing import capture_logs

from app.api import compat
from app.config import Settings
from app.main import Application, create_app
from app.services.access.keys import KeyService
from app.services.series.service import SeriesService
from app.storage.engine import Database

pytestmark = pytest.mark.one_database

OPEN = {"/livez", "/readyz", "/metrics"}
"""operations of the document without a key; the metrics are open on loopback alone"""
PAGES = {
    "/",
    "/docs",
    "/docs/oauth2-redirect",
    "/openapi.json",
    "/static/{version}/{path:path}",
    "/static-offline-docs",
}
"""what is the same for everybody"""
LOGIN = {"/login", "/login/methods", "/login/callback", "/logout"}
"""what browsers call before they have a session, and after it"""
NUMBERS = {"number": "1"}


@pytest.fixture
def app(settings: Settings) -> Application:
    return create_app(settings.model_copy(update={"auth": "on"}))


@pytest.fixture
def closed(app: Application) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def list_calls(app: Application) -> Iterator[tuple[str, str, str]]:
    """Yield method, template and an address of every operation that is no page, HEAD beside GET."""
    for item in app.operations:
        address = item.template.replace(":path}", "}")
        for name in [part[1:-1] for part in address.split("/") if part.startswith("{")]:
            address = address.replace(f"{{{name}}}", NUMBERS.get(name, "x"))
        methods = {*item.operations, *({"HEAD"} if "GET" in item.operations else ())}
        for method in sorted(methods if item.template not in PAGES | LOGIN else ()):
            yield method, item.template, address


def test_no_operation_answers_without_a_key(app: Application, closed: TestClient, database: Database) -> None:
    """Nor for what is nearly one, or stands where no operation looks."""
    secret = KeyService(database, auth=True).create("k").secret
    swapped = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    calls = list(list_calls(app))
    assert len(calls) > 100
    for method, template, address in calls:
        for headers in ({}, {"authorization": f"Bearer {swapped}"}, {"authorization": secret, "x-api-key": secret}):
            answer = closed.request(method, address, headers=headers)
            if template in OPEN:
                assert answer.status_code == 200, template
                continue
            assert answer.status_code == 401, (method, template, headers, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert secret not in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key.swapcase(),
        lambda key: key[:9],
        lambda key: f"{key}\x00",
        lambda key: f"{key}, Bearer {key}",
        lambda key: "",
        lambda key: "' OR 1=1 --",
    ],
)
def test_what_is_nearly_a_key_opens_nothing(closed: TestClient, database: Database, changed: Any) -> None:
    secret = KeyService(database, auth=True).create("k").secret
    assert closed.get("/series", headers={"authorization": f"Bearer {secret}"}).status_code == 200
    for path in ("/series", "/forecast?model=m&series=a", "/api/v1/labels"):
        answer = closed.get(path, headers={"authorization": f"Bearer {changed(secret)}"})
        assert answer.status_code == 401, (path, answer.text)


def is_foreign(route: BaseRoute) -> bool:
    return isinstance(route, APIRoute) and route.endpoint.__module__.startswith(compat.__name__)


def test_no_operation_is_hidden(app: Application, closed: TestClient) -> None:
    """Each is in the OpenAPI document, or of another service's protocol, or of the page."""
    document = closed.get("/openapi.json").json()
    shown = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    hidden = {
        item.template
        for item in app.operations
        for method, operation in item.operations.items()
        if (method, item.template.replace(":path}", "}")) not in shown and not is_foreign(operation.route)
    }
    assert hidden <= PAGES | LOGIN
    served = {(method, item.template.replace(":path}", "}")) for item in app.operations for method in item.operations}
    assert shown <= served, "and none is promised that is not there"


def test_no_body_takes_a_field_that_is_not_named(closed: TestClient) -> None:
    """So that nobody sets what the service sets: owners, numbers, states."""
    document = closed.get("/openapi.json").json()
    seen: set[str] = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                _check_objects(body["schema"], document["components"]["schemas"], f"{method} {path}", seen)
    assert len(seen) > 30


def _check_objects(schema: Any, schemas: dict[str, Any], where: str, seen: set[str]) -> None:
    if isinstance(schema, list):
        for one in schema:
            _check_objects(one, schemas, where, seen)
    if not isinstance(schema, dict):
        return
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in seen:
        seen.add(name)
        _check_objects(schemas[name], schemas, f"{where} {name}", seen)
    if schema.get("type") == "object" and "properties" in schema:  # alternatives say more of it
        assert schema.get("additionalProperties") is False, where
    for key, part in schema.items():
        if key not in ("example", "examples"):
            _check_objects(part, schemas, where, seen)


@pytest.mark.parametrize("field", ["project", "project_id", "pk", "key", "version", "count", "created_at", "rights"])
def test_what_the_service_sets_is_refused(closed: TestClient, database: Database, field: str) -> None:
    headers = {"authorization": f"Bearer {KeyService(database, auth=True).create('k').secret}"}
    answer = closed.post("/series", json={"id": "a", "freq": "h", field: 1}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"body.{field}")


def test_a_failure_inside_tells_nothing_of_it(closed: TestClient, database: Database, monkeypatch: Any) -> None:
    headers = {"authorization": f"Bearer {KeyService(database, auth=True).create('k').secret}"}

    def fail(*_: Any) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(SeriesService, "get", fail)
    with capture_logs() as lines:
        answer = closed.get("/series/a", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    for told in ("hunter2", "Traceback", "RuntimeError", ".py"):
        assert told not in answer.text
    assert answer.headers["x-request-id"]
    assert "request_failed" in [line["event"] for line in lines], "it is the log that tells"
