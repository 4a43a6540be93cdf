"""The table of operations: every route is found by its own path, and other services' routes are exempt."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from app.api.http import problems
from app.api.http.dispatch import Dispatcher
from app.api.http.operations import OpenRoute, OperationTable
from app.config import Settings
from app.main import create_app


@pytest.mark.one_database
def test_every_path_is_found_by_an_example_of_itself(settings: Settings) -> None:
    table = create_app(settings).operations
    templates = [item.template for item in table if item.whole]
    assert len(templates) > 25
    for template in templates:
        found = table.find(re.sub(r"{[^}]+}", "x", template))
        assert found is not None
        assert found[0].template == template


def test_a_router_of_another_protocol_takes_what_its_clients_add() -> None:
    app = FastAPI(redirect_slashes=False)
    problems.install(app)
    foreign = APIRouter(route_class=OpenRoute, prefix="/foreign")
    ours = APIRouter(prefix="/ours")
    for router in (foreign, ours):

        @router.get("/things")
        async def list_things(limit: int = 1) -> int:
            return limit

    app.include_router(foreign)
    app.include_router(ours)
    client = TestClient(Dispatcher(app, OperationTable(app.routes)))
    assert client.request("GET", "/foreign/things?limit=2&more=1", content=b"{}").json() == 2
    assert client.get("/ours/things?limit=2&more=1").status_code == 422
    assert client.request("GET", "/ours/things?limit=2", content=b"{}").status_code == 422
    assert client.head("/foreign/things").status_code == 200
    assert client.patch("/foreign/things").headers["allow"] == "GET, HEAD, OPTIONS"


def test_head_ends_where_get_would_not() -> None:
    app = FastAPI(redirect_slashes=False)
    router = APIRouter()
    closed = []

    @router.get("/endless", response_class=StreamingResponse)
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"still here\n"
                    await asyncio.sleep(0)
            finally:
                closed.append(True)

        return StreamingResponse(parts(), media_type="text/event-stream")

    app.include_router(router)
    response = TestClient(Dispatcher(app, OperationTable(app.routes))).head("/endless")
    assert (response.status_code, response.content, closed) == (200, b"", [True])
    assert response.headers["content-type"].startswith("text/event-stream")
