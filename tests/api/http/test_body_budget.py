"""Bodies that are in memory at a time are bounded together."""

import anyio
import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from app.api.http.bodies import SMALL
from app.api.http.body_budget import BodyBudget, HeldBody
from app.api.http.problems import BodyRefused
from app.config import Settings
from app.main import create_app

pytestmark = pytest.mark.one_database

JSON = {"content-type": "application/json"}


def hold(budget: BodyBudget, size: int) -> HeldBody:
    async def receive() -> Message:
        return {"type": "http.request", "body": b" " * size, "more_body": True}

    return budget.hold(receive)


def test_many_large_bodies_are_refused_until_others_are_released() -> None:
    budget = BodyBudget(10 * SMALL)
    bodies = [hold(budget, SMALL) for _ in range(3)]

    async def fill() -> None:
        for _ in range(5):
            await bodies[0]()
            await bodies[1]()
        for _ in range(3):  # the first part, which each may have, does not count
            await bodies[2]()
        with pytest.raises(BodyRefused) as refused:
            await bodies[2]()
        assert (refused.value.status_code, refused.value.error.headers) == (503, {"Retry-After": "1"})
        bodies[0].release()
        for _ in range(4):
            await bodies[1]()
        for body in bodies:
            body.release()
        last = hold(budget, SMALL)
        for _ in range(11):
            await last()
        with pytest.raises(BodyRefused):
            await last()

    anyio.run(fill)


def test_a_body_counts_until_its_answer_is_sent(settings: Settings) -> None:
    small = settings.model_copy(update={"max_held_bytes": 2 * SMALL})
    with TestClient(create_app(small)) as client:
        for _ in range(3):
            fits = client.post("/series", content=b" " * 3 * SMALL, headers=JSON)
            assert (fits.status_code, fits.json()["code"]) == (422, "invalid_input")
            for path in ("/series", "/forecast", "/observations"):
                response = client.post(path, content=b" " * 4 * SMALL, headers=JSON)
                assert (response.status_code, response.json()["code"]) == (503, "overloaded")
                assert response.headers["retry-after"] == "1"
        table = "unique_id,ds,y\n" + "a,2024-01-01,1\n" * 20_000
        response = client.post(
            "/series/import?freq=D&on_duplicate=last", content=table, headers={"content-type": "text/csv"}
        )
        assert response.status_code == 200, "a table lies on disk"
