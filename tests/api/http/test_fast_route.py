"""The fast routes and the framework say the same of the same mistake."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from app.api import forecasts
from app.api.http import problems
from app.api.http.dispatch import Dispatcher
from app.api.http.operations import OperationTable
from app.api.schemas.forecasts import ForecastFormat, ForecastIn, ForecastQuery

pytestmark = pytest.mark.one_database

JSON = {"content-type": "application/json"}


@pytest.fixture
def framework() -> Iterator[TestClient]:
    """The same calls as the framework takes them, without an answer to good ones."""
    from typing import Annotated

    from fastapi import Query

    app = FastAPI(redirect_slashes=False)
    problems.install(app)

    @app.post("/forecast")
    async def post_forecast(body: ForecastIn, query: Annotated[ForecastFormat, Query()]) -> None: ...

    @app.get("/forecast")
    async def get_forecast(request: Request, query: Annotated[ForecastQuery, Query()]) -> None: ...

    with TestClient(Dispatcher(app, OperationTable(app.routes))) as client:
        yield client


BODIES: list[Any] = [
    [],
    "text",
    None,
    {"model": "m", "series": ["a"], "horzon": 3},
    {"model": "m", "series": "a"},
    {"model": "m", "series": [1, True]},
    {"model": "m", "series": {"label": {"a": "b"}}},
    {"model": "m", "series": ["a"], "future": {"a": {"t": [[], "x" * 300]}}},
    {"model": "m", "history": {"a": {"ds": [1], "y": ["x", {}], "static": {"s": []}}}},
    {"model": "m", "series": []},
    {"series": ["\ud800"]},
    {"model": "m", "series": ["a"], "quantiles": [2], "horizon": 0},
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_bodies(client: TestClient, framework: TestClient, body: Any, encoding: str) -> None:
    content = json.dumps(body).encode(encoding)
    fast, slow = (each.post("/forecast", content=content, headers=JSON) for each in (client, framework))
    assert fast.status_code == 422
    assert fast.json() == slow.json()


@pytest.mark.parametrize("content", [b"", b"{", b'{"model": "m",\n}', b"\xff\xff", b"[" * 100_000, b"nul"])
@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/plain", None])
def test_bodies_that_are_not_json(client: TestClient, framework: TestClient, content: bytes, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    fast, slow = (each.post("/forecast", content=content, headers=headers) for each in (client, framework))
    assert fast.status_code in (400, 415, 422)
    assert fast.json() == slow.json()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "model=m&series=a&h=3",
        "model=m&series=a&horizon=3&horizon=4",
        "model=m&series=a&horizon=x",
        "model=m&model=n&series=a&series=b&nonsense=1",
        "model=m&series=a&%ff=1",
        "model=m&series=a&max_age=-1",
        "model=&series=a",
        "horizon=2",
        "model=m&series=a&format=CSV",
    ],
)
def test_queries(client: TestClient, framework: TestClient, query: str) -> None:
    fast, slow = (each.get(f"/forecast?{query}") for each in (client, framework))
    assert fast.status_code == 422
    assert fast.json() == slow.json()


def test_what_neither_reads(client: TestClient, framework: TestClient) -> None:
    good = {"model": "m", "series": ["a"]}
    for call in (
        {"method": "POST", "url": "/forecast?horizon=3", "json": good},
        {"method": "POST", "url": "/forecast?format=xml", "json": good},
        {"method": "POST", "url": "/forecast?format=csv&format=csv", "json": good},
        {"method": "GET", "url": "/forecast?model=m&series=a", "json": good},
        {"method": "GET", "url": "/forecast?model=m&series=a", "content": iter([b"", b"x"])},
    ):
        fast, slow = (each.request(**{**call, **_again(call)}) for each in (client, framework))
        assert fast.status_code == 422
        assert fast.json() == slow.json()


def _again(call: dict[str, Any]) -> dict[str, Any]:
    return {"content": iter([b"", b"x"])} if "content" in call else {}


def test_the_fast_routes_are_those_of_the_forecasts() -> None:
    assert {route.path for route in forecasts.router.routes if hasattr(route, "path")} == {"/forecast"}
