"""Probes, problems, ids, limits, metrics, keys and the OpenAPI document."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.errors import ErrorCode
from app.main import create_app
from app.services.access.keys import KeyService
from app.storage import migrate
from app.storage.engine import Database


def test_probes(client: TestClient) -> None:
    assert client.get("/livez").json() == {"live": True}
    ready = client.get("/readyz").json()
    assert ready["ready"] is True
    assert [c["name"] for c in ready["checks"]] == ["database", "artifacts"]


def test_the_documentation_needs_no_other_server(client: TestClient) -> None:
    page = client.get("/docs").text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert all(source.startswith("/") for source in sources)
    assert all(client.get(source).status_code == 200 for source in sources)


def test_not_ready_before_the_migrations(client: TestClient, database: Database) -> None:
    migrate.downgrade(database.engine, "base")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "gatecast migrate" in response.json()["checks"][0]["detail"]


def test_not_ready_without_a_writable_store(settings: Settings) -> None:
    (settings.data_dir / "artifacts").write_text("a file where the folder should be")
    with TestClient(create_app(settings)) as client:
        response = client.get("/readyz")
    assert (response.status_code, response.json()["checks"][1]["ok"]) == (503, False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/livez", 405, "method_not_allowed"),
        ("GET", "/jobs/none", 404, "job_not_found"),
        ("GET", "/series?limit=-1", 422, "invalid_input"),
        ("GET", "/series?limit=x", 422, "invalid_input"),
        ("GET", "/models/m/versions/x", 422, "invalid_input"),
    ],
)
def test_every_error_is_a_problem(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    response = client.request(method, path)
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"]
    assert problem["title"]


@pytest.mark.parametrize("path", ["/series", "/series/a/observations", "/train", "/forecast"])
@pytest.mark.parametrize("body", [b"{", b"", b"\xff" * 1000, b"null", b"[" * 100_000, b'{"id":' * 1000, b'"\\ud800"'])
def test_nonsense_is_refused(client: TestClient, path: str, body: bytes) -> None:
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    assert 400 <= response.status_code < 500
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_are_refused(database_url: str, settings: Settings, chunked: bool) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_body_bytes": 1000}))) as client:

        def parts() -> Iterator[bytes]:
            for _ in range(3):
                yield b" " * 400

        response = client.post("/series", content=parts() if chunked else b" " * 1200)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_request_ids(client: TestClient) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "abc-123"}).headers["x-request-id"] == "abc-123"
    first, second = (client.get("/livez").headers["x-request-id"] for _ in range(2))
    assert first != second
    odd = client.get("/livez", headers={"X-Request-ID": 'x"\t{}'}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", odd)


def test_metrics(client: TestClient) -> None:
    client.get("/series/none")
    found = client.get("/metrics").text
    assert 'gatecast_http_requests_total{method="GET",route="/series/{series_id:path}",status="404"} 1.0' in found
    assert "# TYPE gatecast_http_request_seconds histogram" in found
    assert "gatecast_model_cache_bytes 0.0" in found


class TestKeys:
    """Bearer keys, where they are on."""

    @pytest.fixture
    def locked(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"auth": "on"})

    @pytest.fixture
    def keys(self, database: Database) -> KeyService:
        return KeyService(database, auth=True)

    @pytest.fixture
    def closed(self, locked: Settings) -> Iterator[TestClient]:
        with TestClient(create_app(locked)) as client:
            yield client

    def call(self, client: TestClient, key: str | None, method: str = "GET", path: str = "/series", **more: Any) -> int:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return client.request(method, path, headers=headers, **more).status_code

    def test_a_key_opens_and_a_revoked_one_does_not(self, closed: TestClient, keys: KeyService) -> None:
        key = keys.create("ci")
        assert self.call(closed, None) == 401
        assert self.call(closed, "gk_wrong") == 401
        assert self.call(closed, key.secret) == 200
        keys.revoke(key.number)
        assert self.call(closed, key.secret) == 401

    def test_refusals_say_what_to_do(self, closed: TestClient) -> None:
        response = closed.get("/series")
        assert response.headers["www-authenticate"] == "Bearer"
        assert "gatecast keys create" in response.json()["detail"]

    def test_a_read_only_key_cannot_write(self, closed: TestClient, keys: KeyService) -> None:
        key = keys.create("dashboard", read_only=True).secret
        assert self.call(closed, key) == 200
        assert self.call(closed, key, "POST", "/series", json={"id": "a", "freq": "h"}) == 403
        assert self.call(closed, key, "DELETE", "/series/a") == 403

    def test_secrets_are_not_kept(self, keys: KeyService) -> None:
        secret = keys.create("ci").secret
        assert len(secret) > 40
        assert secret not in str(keys.list())
        assert keys.list()[0]["prefix"] == secret[:9]

    def test_a_bootstrap_file_is_accepted_once(self, locked: Settings, keys: KeyService) -> None:
        file = locked.data_dir / "key"
        file.write_text("gk_" + "x" * 30 + "\n")
        for _ in range(2):
            with TestClient(create_app(locked.model_copy(update={"bootstrap_key_file": file}))) as client:
                assert self.call(client, "gk_" + "x" * 30) == 200
        assert [k["name"] for k in keys.list()] == ["bootstrap"]
        keys.revoke(keys.list()[0]["number"])
        with TestClient(create_app(locked.model_copy(update={"bootstrap_key_file": file}))) as client:
            assert self.call(client, "gk_" + "x" * 30) == 401, "a revoked key stays revoked, and the service starts"

    def test_probes_are_open_and_metrics_are_not_off_loopback(self, locked: Settings) -> None:
        with TestClient(create_app(locked.model_copy(update={"host": "0.0.0.0"}))) as client:
            assert client.get("/livez").status_code == client.get("/readyz").status_code == 200
            assert client.get("/metrics").status_code == 401


def test_openapi_has_examples_codes_and_kinds(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert set(schemas["ErrorCode"]["enum"]) == {code.value for code in ErrorCode}
    assert schemas["JobOut"]["properties"]["status"]["enum"] == [
        "queued",
        "running",
        "succeeded",
        "failed",
        "cancelled",
    ]
    without = [
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not has_example(operation, schemas)
    ]
    assert without == []


def has_example(operation: Any, schemas: dict[str, Any]) -> bool:
    """Say whether an operation shows a request, a parameter or an answer; an empty answer needs none."""
    if "204" in operation["responses"] and not operation.get("requestBody"):
        return True
    return "example" in str(resolved(operation, schemas, 0))


def resolved(part: Any, schemas: dict[str, Any], depth: int) -> Any:
    if depth > 6:
        return None
    if isinstance(part, dict):
        if "$ref" in part:
            name = part["$ref"].rsplit("/", 1)[1]
            return None if name == "Problem" else resolved(schemas[name], schemas, depth + 1)
        return {k: resolved(v, schemas, depth + 1) for k, v in part.items()}
    return [resolved(v, schemas, depth + 1) for v in part] if isinstance(part, list) else part
