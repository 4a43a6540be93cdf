"""Which names a service answers to that asks nobody for a key."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.api.http.hosts import OwnHosts
from app.config import Settings
from app.main import create_app

pytestmark = pytest.mark.one_database


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    named = settings.model_copy(update={"public_url": "https://forecasts.example.org:8443/base"})
    application = create_app(named)
    with TestClient(application):  # whose lifespan it is
        yield TestClient(OwnHosts(application, named))


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "forecasts.example.org"]
)
def test_own_names_are_answered(client: TestClient, host: str) -> None:
    for _ in range(2):
        assert client.get("/series", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "",
        "[::1",
        "ü",
    ],
)
def test_others_are_refused_whatever_they_ask(client: TestClient, host: str) -> None:
    for path in ("/series", "/livez", "/forecast?model=auto&series=a", "/"):
        refused = client.get(path, headers={"host": host.encode("latin-1")})  # type: ignore[dict-item]
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "GATECAST_PUBLIC_URL" in refused.json()["detail"]
