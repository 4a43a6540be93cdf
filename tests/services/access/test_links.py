"""Signed links to charts: they need no key, show exactly what was signed, and end."""

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.config import Settings
from app.main import create_app
from app.services.access.keys import KeyService, NewKey
from app.services.access.management import KeyManagement
from app.storage.engine import Database
from app.storage.keys import get_default_scope
from app.storage.tables import LinkSecret
from tests.services.stored import hours, numbers
from tests.trained import Trained, publish, values

pytestmark = pytest.mark.one_database

ODD = "Müll/größe a+b 5 % &c=d 日本"
DAY = 86_400


@pytest.fixture
def keys(database: Database) -> KeyService:
    return KeyService(database, auth=True)


@pytest.fixture
def key(keys: KeyService) -> NewKey:
    return keys.create("dashboard", read_only=True)


@pytest.fixture
def locked(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "on"})


@pytest.fixture
def closed(
    locked: Settings, database: Database, settings: Settings, trained: Trained, keys: KeyService
) -> Iterator[TestClient]:
    """An application that asks for keys, with two series and a model."""
    publish(database, settings, trained)
    bearer = {"Authorization": f"Bearer {keys.create('writer').secret}"}
    with TestClient(create_app(locked)) as client:
        for series_id in ("a", ODD):
            client.post("/series", json={"id": series_id, "freq": "h"}, headers=bearer)
            path = f"/series/{quote(series_id, safe='')}/observations"
            body = {"ds": hours(0, 100), "y": numbers(values(100))}
            assert client.post(path, json=body, headers=bearer).status_code == 200
        yield client


def link(client: TestClient, key: NewKey | None, status: int = 200, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {key.secret}"} if key else {}
    response = client.post("/forecast/chart", json={"model": "m", "series": ["a"], **more}, headers=headers)
    assert response.status_code == status, response.text
    return response.json()


def code(response: Any) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def test_a_link_needs_no_key_and_shows_what_was_signed(closed: TestClient, key: NewKey) -> None:
    options = {"series": [ODD, "a"], "quantiles": [0.1, 0.9], "theme": "dark", "title": "x + y & z", "history": 30}
    found = link(closed, key, **options)
    assert found["url"].startswith("/forecast/chart?")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["expires_at"])
    shown = closed.get(found["url"])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/svg+xml")
    query = {**options, "model": "m", "quantiles": "0.1,0.9"}
    assert closed.get("/forecast/chart", params=query).status_code == 401
    same = closed.get("/forecast/chart", params=query, headers={"Authorization": f"Bearer {key.secret}"})
    assert same.content == shown.content
    assert closed.get(found["url"], headers={"If-None-Match": shown.headers["etag"]}).status_code == 304
    assert closed.get(link(closed, key, format="png")["url"]).headers["content-type"] == "image/png"


@pytest.mark.one_database
def test_nothing_of_a_link_may_change(closed: TestClient, key: NewKey) -> None:
    url = link(closed, key, series=["a", ODD], quantiles=[0.1, 0.9])["url"]
    pairs = parse_qsl(url.partition("?")[2])

    def ask(changed: list[tuple[str, str]]) -> Any:
        return closed.get(f"/forecast/chart?{urlencode(changed)}")

    assert ask(pairs).status_code == 200
    assert ask(sorted(pairs, key=lambda pair: pair[0])).status_code == 200, "the order of names means nothing"
    for at, (name, value) in enumerate(pairs):
        assert code(ask([*pairs[:at], *pairs[at + 1 :]])) == (403, "link_invalid"), f"without {name}"
        other = str(int(value) + 1) if value.isdigit() else value.replace(value[0], "0" if value[0] != "0" else "1", 1)
        assert code(ask([*pairs[:at], (name, other), *pairs[at + 1 :]])) == (403, "link_invalid"), f"another {name}"
        assert code(ask([*pairs, (name, value)])) == (403, "link_invalid"), f"{name} twice"
    series = [pair for pair in pairs if pair[0] == "series"]
    swapped = [pair for pair in pairs if pair[0] != "series"] + series[::-1]
    assert code(ask(swapped)) == (403, "link_invalid")
    assert code(ask([*pairs, ("theme2", "dark")])) == (403, "link_invalid")
    assert code(ask([*pairs, ("horizon", "3")])) == (403, "link_invalid")


@pytest.mark.one_database
@pytest.mark.parametrize(
    "signed",
    [
        {"key": "0", "expires": "9999999999", "signature": "A" * 43},
        {"key": "1", "expires": "9999999999", "signature": "A" * 43},
        {"key": "1", "expires": "9" * 300, "signature": "A" * 43},
        {"key": "99999999999999999999", "expires": "1", "signature": "é"},
        {"key": "-1", "expires": "1", "signature": ""},
        {"key": "²", "expires": "1e9", "signature": "\x00"},
        {"signature": "x"},
        {"expires": "1"},
        {"key": ""},
    ],
)
def test_made_up_links_are_refused(closed: TestClient, signed: dict[str, str]) -> None:
    params = {"model": "m", "series": "a", **signed}
    assert code(closed.get("/forecast/chart", params=params)) == (403, "link_invalid")


def test_a_link_ends_with_its_key(closed: TestClient, key: NewKey, keys: KeyService) -> None:
    url = link(closed, key)["url"]
    other = link(closed, keys.create("other", read_only=True))["url"]
    keys.revoke(key.number)
    gone = closed.get(url)
    assert code(gone) == (403, "link_invalid")
    assert "revoked" in gone.json()["detail"]
    assert closed.get(other).status_code == 200


def test_a_link_ends_with_its_time(closed: TestClient, key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    url = link(closed, key, expires_in=DAY)["url"]
    from app.storage import clock

    present = clock.now
    with monkeypatch.context() as later:
        later.setattr(clock, "now", lambda session: present(session) + (DAY - 60) * 1_000_000)
        assert closed.get(url).status_code == 200
        later.setattr(clock, "now", lambda session: present(session) + DAY * 1_000_000)
        assert code(closed.get(url)) == (403, "link_expired")
    assert closed.get(url).status_code == 200


def test_every_process_knows_the_secret_and_nobody_is_told(
    closed: TestClient,
    key: NewKey,
    locked: Settings,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with database.read() as session:
        assert session.execute(select(LinkSecret)).all() == []
    found = link(closed, key)
    with database.read() as session:
        (secret,) = session.execute(select(LinkSecret.secret)).scalars()
    assert len(secret) == 32
    with TestClient(create_app(locked)) as other:
        assert other.get(found["url"]).status_code == 200
        assert closed.get(link(other, key)["url"]).status_code == 200
    told = str(found) + caplog.text + "".join(capfd.readouterr())
    signature = dict(parse_qsl(found["url"].partition("?")[2]))["signature"]
    assert secret.hex() not in told
    assert base64.urlsafe_b64encode(secret).decode().rstrip("=") not in told
    assert signature not in told.replace(found["url"], "")
    with database.write() as session:
        session.execute(update(LinkSecret).values(secret=b"x" * 32))
    assert code(closed.get(found["url"])) == (403, "link_invalid")


@pytest.mark.one_database
def test_with_auth_off_links_work_too(closed: TestClient, settings: Settings, key: NewKey) -> None:
    with_key = link(closed, key)["url"]
    with TestClient(create_app(settings)) as client:
        without = link(client, None)["url"]
        assert client.get(without).status_code == client.get(with_key).status_code == 200
        assert code(client.get(without + "0")) == (403, "link_invalid")
    assert code(closed.get(without)) == (403, "link_invalid"), "where keys are asked for, a link needs one too"


@pytest.mark.one_database
@pytest.mark.parametrize(
    "more",
    [
        {"expires_in": 0},
        {"expires_in": 30 * DAY + 1},
        {"expires_in": "3600"},
        {"series": []},
        {"series": "a"},
        {"series": ["a"] * 13},
        {"quantiles": [0.0]},
        {"width": 10},
        {"key": 1},
        {"signature": "x"},
        {"title": "\ud800"},
    ],
)
def test_bad_bodies(closed: TestClient, key: NewKey, more: dict[str, Any]) -> None:
    import json

    body = json.dumps({"model": "m", "series": ["a"], **more})
    headers = {"Authorization": f"Bearer {key.secret}", "Content-Type": "application/json"}
    response = closed.post("/forecast/chart", content=body, headers=headers)
    assert code(response) == (422, "invalid_input")


@pytest.mark.one_database
def test_making_a_link_needs_a_key(closed: TestClient) -> None:
    assert link(closed, None, 401)["code"] == "unauthorized"


def test_a_link_lives_as_long_as_its_key_whatever_its_secrets(
    closed: TestClient, key: NewKey, database: Database
) -> None:
    url = link(closed, key)["url"]
    with database.read() as session:
        scope = get_default_scope(session)
    management = KeyManagement(database)
    management.rotate(scope, key.number, None)
    assert closed.get(url).status_code == 200
    management.revoke(scope, key.number)
    assert closed.get(url).status_code == 403
