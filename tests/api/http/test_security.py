"""Every answer tells browsers what it may not be used for, and none is open to other origins."""

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app

ONE = pytest.mark.one_database
PATHS = ("/series", "/nothing", "/forecast", "/livez", "/openapi.json", "/metrics", "/", "/docs", "/api/v1/labels")


@ONE
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_them_once(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name in (
        "content-security-policy",
        "x-content-type-options",
        "referrer-policy",
        "cross-origin-opener-policy",
        "x-request-id",
    ):
        assert len(answer.headers.get_list(name)) == 1, (path, name)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers


@ONE
def test_what_is_not_of_the_page_may_load_nothing(client: TestClient) -> None:
    for path in ("/series", "/nothing", "/livez"):
        assert client.get(path).headers["content-security-policy"].startswith("default-src 'none'")
    assert "script-src 'self'" in client.get("/").headers["content-security-policy"]


@ONE
def test_other_origins_may_read_nothing(client: TestClient) -> None:
    origin = {"origin": "https://example.org", "access-control-request-method": "GET"}
    for answer in (client.get("/series", headers=origin), client.options("/series", headers=origin)):
        assert [name for name in answer.headers if name.startswith("access-control")] == []


@ONE
@pytest.mark.parametrize(
    ("proxies", "scheme", "expected"),
    [
        ("10.0.0.0/8", "https", True),
        ("10.0.0.0/8", "http", False),
        ("192.0.2.0/24", "https", False),
        ("", "https", False),
    ],
)
def test_plain_http_is_ruled_out_behind_tls_alone(
    settings: Settings, proxies: str, scheme: str, expected: bool
) -> None:
    trusted = Settings(trusted_proxies=proxies).trusted_proxies  # type: ignore[arg-type]
    app = create_app(settings.model_copy(update={"trusted_proxies": trusted}))
    with TestClient(app, client=("10.0.0.1", 50_000)) as client:
        answer = client.get("/livez", headers={"x-forwarded-proto": scheme})
        assert ("strict-transport-security" in answer.headers) is expected
    with TestClient(app, base_url="https://testserver") as client:
        assert client.get("/livez").headers["strict-transport-security"] == "max-age=31536000"
