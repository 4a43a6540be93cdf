"""Rate limits: what callers may ask for in a time, and what their answers tell of it."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from limits import parse_many

from app.config import Settings
from app.errors import Invalid, TooManyRequests
from app.main import create_app
from app.scope import Right, Scope
from app.services.access.keys import KeyService
from app.services.access.rate_limits import RateLimiter
from app.storage.engine import Database

ONE = pytest.mark.one_database
ANN = Scope(1, frozenset(Right), "key ann", 1)
BEN = Scope(1, frozenset(Right), "key ben", 2)


def limit(requests: str = "", values: str = "") -> RateLimiter:
    return RateLimiter(parse_many(requests) if requests else [], parse_many(values) if values else [])


def test_each_caller_has_requests_of_their_own() -> None:
    limiter = limit("3/hour")
    for _ in range(3):
        limiter.admit(ANN)
    with pytest.raises(TooManyRequests, match="3 requests per hour") as refused:
        limiter.admit(ANN)
    assert refused.value.code == "rate_limited"
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 3600
    limiter.admit(BEN)


def test_what_one_limit_refuses_counts_for_none() -> None:
    limiter = limit("2/hour; 5/day")
    for _ in range(2):
        limiter.admit(ANN)
    for _ in range(4):
        with pytest.raises(TooManyRequests, match="per hour"):
            limiter.admit(ANN)
    assert dict(limiter.describe(ANN))[b"ratelimit"].startswith(b'"requests per hour";r=0;t=')
    assert b'"requests per day";r=3;t=' in dict(limiter.describe(ANN))[b"ratelimit"]


def test_values_are_counted_by_what_they_cost() -> None:
    limiter = limit(values="100/hour")
    limiter.charge(ANN, 60)
    with pytest.raises(TooManyRequests, match="100 values of forecasts per hour"):
        limiter.charge(ANN, 41)
    limiter.charge(ANN, 40)
    assert b"r=0" in dict(limiter.describe(ANN))[b"ratelimit"]
    limiter.charge(BEN, 100)


def test_more_than_a_limit_allows_at_once_is_no_matter_of_waiting() -> None:
    limiter = limit(values="100/hour; 50/minute")
    with pytest.raises(Invalid, match="51 values, and the key may ask for 50 per 1 minute") as refused:
        limiter.charge(ANN, 51)
    assert refused.value.code == "too_many_values"
    limiter.charge(ANN, 50)


def test_retry_after_is_when_the_cost_fits() -> None:
    """All of a window at once: a tenth of it fits when a tenth of the next one has passed."""
    limiter = limit(values="1000/hour")
    limiter.charge(ANN, 1000)
    into = time.time() % 3600
    for cost in (1, 100, 1000):
        with pytest.raises(TooManyRequests) as refused:
            limiter.charge(ANN, cost)
        expected = 3600 - into + 3600 * (cost - 1) / 1000
        assert abs(int(refused.value.headers["Retry-After"]) - expected) <= 2


def test_links_of_a_key_count_apart_from_it() -> None:
    limiter = limit("1/hour")
    limiter.admit(ANN)
    limiter.admit(Scope(1, frozenset(Right), "link of key ann", 1))
    with pytest.raises(TooManyRequests):
        limiter.admit(ANN)


def test_what_is_not_limited_is_not_counted() -> None:
    limiter = limit()
    assert not limiter.is_on
    for _ in range(1000):
        limiter.admit(ANN)
        limiter.charge(ANN, 10**9)


@pytest.mark.parametrize(
    ("requests", "seconds", "allowed"),
    [
        ("", 60, None),
        ("5/second", 60, 300),
        ("5/second; 100/minute", 60, 100),
        ("70/hour", 60, 70),
        ("5/10 seconds", 60, 30),
        ("10/45 seconds", 60, 20),
    ],
)
def test_the_limit_of_a_longer_time_follows_from_those_of_shorter_ones(
    requests: str, seconds: int, allowed: int | None
) -> None:
    assert limit(requests).find_limit(seconds) == allowed


# over HTTP

DAYS = [f"2024-01-{day:02}" for day in range(1, 31)]
SENT = {"x": {"ds": DAYS, "y": list(range(30))}}


class Customer:
    """A client with a key."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> Response:
        return self._client.get(path, headers=self._headers)

    def forecast(self, horizon: int, levels: list[float], **more: Any) -> Response:
        body = {"model": "auto", "series": ["x"], "horizon": horizon, "quantiles": levels, "history": SENT, **more}
        return self._client.post("/forecast", headers=self._headers, json=body)


def serve(settings: Settings, database: Database, **limits: str) -> Iterator[tuple[Customer, Customer]]:
    keys = KeyService(database, auth=True)
    secrets = [keys.create(name).secret for name in ("ann", "ben")]
    parsed = {name: tuple(parse_many(text)) for name, text in limits.items()}
    with TestClient(create_app(settings.model_copy(update={"auth": "on", **parsed}))) as client:
        yield Customer(client, secrets[0]), Customer(client, secrets[1])


@pytest.fixture
def limited(settings: Settings, database: Database) -> Iterator[tuple[Customer, Customer]]:
    yield from serve(settings, database, request_limits="6/hour", value_limits="100/hour")


@ONE
def test_answers_tell_of_the_limits_and_429_when_to_go_on(limited: tuple[Customer, Customer]) -> None:
    ann, ben = limited
    policy = '"requests per hour";q=6;w=3600, "values per hour";q=100;qu="values";w=3600'
    for left in range(5, -1, -1):
        answer = ann.get("/series")
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == policy
        assert re.match(
            rf'"requests per hour";r={left};t=\d+, "values per hour";r=100;t=0$', answer.headers["ratelimit"]
        )
    for path in ("/series", "/forecast?model=auto&series=x", "/api/v1/query?query=up", "/usage"):
        refused = ann.get(path)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 3600
        assert '"requests per hour";r=0;' in refused.headers["ratelimit"]
        assert "rate_limited" in refused.text or path.startswith("/api/v1")
    assert ann.get("/livez").status_code == 200
    assert "ratelimit" not in ann.get("/livez").headers
    usage = ben.get("/usage").json()
    # what was refused is counted too, and the month is the project's
    assert (usage["minute"], usage["month"]) == ({"limit": 6, "used": 1}, {"limit": 4320, "used": 11})


@ONE
def test_values_of_forecasts_are_refused_before_they_are_made(limited: tuple[Customer, Customer]) -> None:
    ann, ben = limited
    made = ann.forecast(10, [0.1, 0.5, 0.9])
    assert made.status_code == 200, made.text
    assert '"values per hour";r=70;' in made.headers["ratelimit"]
    refused = ann.forecast(24, [0.1, 0.5, 0.9])
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1
    too_many = ann.forecast(51, [0.1, 0.9])
    assert (too_many.status_code, too_many.json()["code"]) == (422, "too_many_values")
    paths = ann.forecast(7, [0.5], paths=10, seed=1)  # 7 x (1 + 10)
    assert (paths.status_code, paths.json()["code"]) == (429, "rate_limited")
    assert ann.forecast(7, [0.5], paths=5, seed=1).status_code == 200
    assert ben.forecast(33, [0.1, 0.5, 0.9]).status_code == 200


@ONE
def test_without_limits_answers_tell_of_none(settings: Settings, database: Database) -> None:
    for ann, _ in serve(settings, database):
        answer = ann.get("/series")
        assert answer.status_code == 200
        assert not {"ratelimit", "ratelimit-policy"}.intersection(answer.headers)


@pytest.mark.parametrize("text", ["many", "0/second", "5 a fortnight", "-1/second"])
def test_limits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        Settings.model_validate({"request_limits": text})


def test_limits_are_read_from_text() -> None:
    settings = Settings.model_validate({"request_limits": "5/second; 100/hour", "value_limits": ""})
    assert [(one.amount, one.get_expiry()) for one in settings.request_limits] == [(5, 1), (100, 3600)]
    assert settings.value_limits == ()
