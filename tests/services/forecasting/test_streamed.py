"""Forecasts of many series in one request, which are made and sent in pieces."""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.services.access.keys import Caller
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.pending import Stream
from app.services.forecasting.service import STREAMING_THREADS
from app.serving.fairness import FairPool
from app.storage.engine import Database
from tests.services.held import Call, forecasts_of
from tests.services.stored import hours, store, store_beside
from tests.trained import HORIZON, Trained, publish, values

pytestmark = pytest.mark.one_database

N = 300
NAMES = tuple(f"s {k:03}" for k in range(N))
SCALE = 6.0
"""of the values: the amplitude of their season"""


def store_many(client: TestClient) -> None:
    """Make N series of 30 to 89 values."""
    lines = ["unique_id,ds,y"]
    for k, name in enumerate(NAMES):
        n = 30 + k % 60
        lines += [f"{name},{ds},{y!r}" for ds, y in zip(hours(0, n), values(n, seed=k).tolist(), strict=True)]
    answer = client.post(
        "/series/import", content="\n".join(lines), params={"freq": "h"}, headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    store_many(client)
    return client


@pytest.fixture
def beside_served(client: TestClient, database: Database, settings: Settings, trained_beside: Trained) -> TestClient:
    publish(database, settings, trained_beside)
    store_beside(client, "a")
    store_beside(client, "b", seed=1)
    return client


def ask(client: TestClient, series: Any, accept: str = "*/*", **more: Any) -> Any:
    return client.post("/forecast", json={"model": "m", "series": series, **more}, headers={"accept": accept})


def forecasts(client: TestClient, series: Any, **more: Any) -> list[Any]:
    response = ask(client, series, **more)
    assert response.status_code == 200, response.text
    return response.json()["forecasts"]  # type: ignore[no-any-return]


def same(found: Any, expected: Any, scale: float = SCALE) -> None:
    """Check two forecasts of a series: equal but for rounding."""
    words = ("series_id", "status", "origin", "ds", "warnings", "stale", "fallback")
    assert {name: found[name] for name in words} == {name: expected[name] for name in words}
    np.testing.assert_allclose(found["yhat"], expected["yhat"], rtol=0, atol=3e-6 * scale)
    assert list(found["quantiles"]) == list(expected["quantiles"])
    for level, told in expected["quantiles"].items():
        np.testing.assert_allclose(found["quantiles"][level], told, rtol=0, atol=3e-6 * scale)


def test_many_equal_each_alone(served: TestClient) -> None:
    response = ask(served, NAMES)
    told = response.json()
    assert (told["model"], told["version"], len(told["forecasts"])) == ("m", 1, N)
    assert "content-length" not in response.headers, "it is sent while it is made"
    for name, one in zip(NAMES, told["forecasts"], strict=True):
        same(one, forecasts(served, [name])[0])
    rows = list(csv.DictReader(io.StringIO(ask(served, NAMES, "text/csv").text)))
    with pa.ipc.open_stream(ask(served, NAMES, "application/vnd.apache.arrow.stream").content) as reader:
        table = reader.read_all()
    expected = [v for one in told["forecasts"] for v in one["quantiles"]["0.9"]]
    assert [row["unique_id"] for row in rows] == [name for name in NAMES for _ in range(HORIZON)]
    assert table["unique_id"].to_pylist() == [row["unique_id"] for row in rows]
    np.testing.assert_allclose([float(row["q0.9"]) for row in rows], expected, rtol=0, atol=3e-6 * SCALE)
    np.testing.assert_allclose(table["q0.9"].to_numpy(), expected, rtol=0, atol=3e-6 * SCALE)


def test_duplicates_and_errors_keep_their_places(served: TestClient) -> None:
    wanted = [*NAMES[:130], "none", *NAMES[:130], "neither", NAMES[0]]
    told = forecasts(served, wanted)
    assert [one["series_id"] for one in told] == wanted
    assert [k for k, one in enumerate(told) if one["status"] == "error"] == [130, 261]
    assert {told[k]["error"]["code"] for k in (130, 261)} == {"series_not_found"}
    for k in range(130):
        same(told[131 + k], told[k])
    same(told[-1], told[0])


def test_nothing_but_errors(served: TestClient) -> None:
    told = forecasts(served, [f"none {k}" for k in range(200)])
    assert [one["status"] for one in told] == ["error"] * 200


def test_stored_and_sent_ones(served: TestClient) -> None:
    history = {f"h{k}": {"ds": hours(0, 40), "y": values(40, seed=k).tolist()} for k in range(100)}
    told = forecasts(served, NAMES[:100], history=history)
    assert [one["series_id"] for one in told] == [*NAMES[:100], *history]
    same(told[-1], forecasts(served, [], history={"h99": history["h99"]})[0])


def test_a_write_counts_in_the_next_large_answer(served: TestClient) -> None:
    before = forecasts(served, NAMES)
    served.post(f"/series/{NAMES[200]}/observations", json={"ds": hours(200, 201), "y": [25.0]})
    after = forecasts(served, NAMES)
    assert after[200]["origin"] == hours(200, 201)[0]
    assert [k for k in range(N) if after[k]["origin"] != before[k]["origin"]] == [200]


def test_large_requests_beside_small_ones(served: TestClient) -> None:
    expected = forecasts(served, NAMES)
    with ThreadPoolExecutor(8) as pool:
        large = [pool.submit(forecasts, served, NAMES) for _ in range(4)]
        small = [pool.submit(forecasts, served, [name]) for name in NAMES[:40]]
        for call in large:
            for one, other in zip(call.result(), expected, strict=True):
                same(one, other)
        for call, other in zip(small, expected, strict=False):
            same(call.result()[0], other)


def test_a_large_answer_has_an_etag(served: TestClient) -> None:
    params = {"model": "m", "series": list(NAMES[:100])}
    first = served.get("/forecast", params=params)
    assert first.status_code == 200
    again = served.get("/forecast", params=params, headers={"if-none-match": first.headers.get("etag", '""')})
    assert (again.status_code, again.content) == (304, b"")
    served.post(f"/series/{NAMES[7]}/observations", json={"ds": hours(200, 201), "y": [25.0]})
    assert served.get("/forecast", params=params, headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_covariates(beside_served: TestClient) -> None:
    alone = [forecasts(beside_served, [name])[0] for name in "ab"]
    told = forecasts(beside_served, ["a", "none", "b"] * 100)
    for k, one in enumerate(told):
        if k % 3 == 1:
            assert one["error"]["code"] == "series_not_found"
        else:
            same(one, alone[k % 3 // 2], scale=20.0)


def test_the_future_of_a_series_of_a_later_piece(beside_served: TestClient) -> None:
    future = {"b": {"temp": [30.0] * HORIZON}}
    (alone,) = forecasts(beside_served, ["b"], future=future)
    told = forecasts(beside_served, [*["a"] * 140, "b"], future=future)
    same(told[-1], alone, scale=20.0)
    same(told[0], forecasts(beside_served, ["a"])[0], scale=20.0)


def test_a_wrong_future_is_refused_before_anything_is_sent(beside_served: TestClient) -> None:
    response = ask(beside_served, [*["a"] * 700, "b"], future={"a": {}, "b": {"temp": [1.0]}})
    assert (response.status_code, response.json()["code"]) == (422, "length_mismatch")
    response = ask(beside_served, ["a"] * 700, future={"b": {"temp": [1.0] * HORIZON}})
    assert (response.status_code, response.json()["code"]) == (422, "series_not_found")


def test_clients_that_take_nothing_hold_nobody_up(served: TestClient) -> None:
    """Large answers that nobody takes must not keep other requests from being made, large ones neither."""
    service, portal = forecasts_of(served), served.portal
    assert portal is not None
    caller = Caller(served.app.state.services.keys.authenticate(None))  # type: ignore[attr-defined]
    large = ForecastRequest("m", (NAMES[0],) * 2000)
    streams: list[AsyncGenerator[bytes, None]] = []
    for _ in range(2 * STREAMING_THREADS):
        answer = portal.call(partial(asyncio.wait_for, service.respond(caller, large), 30))
        assert isinstance(answer.content, Stream)
        streams.append(answer.content.parts())
        assert portal.call(anext, streams[-1])
    store(served, "cold", values())
    assert Call(lambda: forecasts(served, ["cold"])).result(5)[0]["status"] == "ok"
    assert len(Call(lambda: forecasts(served, NAMES)).result(10)) == N
    whole = portal.call(_read_rest, streams[0])
    assert whole.count(b'"status":"ok"') > 1800, "a client that goes on gets the rest"
    for stream in streams:
        portal.call(stream.aclose)


async def _read_rest(parts: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([part async for part in parts])


def test_a_part_that_cannot_be_made_breaks_the_stream(served: TestClient) -> None:
    makers = FairPool(2, "maker")

    def others() -> Iterator[bytes]:
        yield b"2"
        raise RuntimeError("no third part")

    async def read() -> None:
        parts = Stream(b"1", others(), makers, 1).parts()
        assert [await anext(parts), await anext(parts)] == [b"1", b"2"]
        with pytest.raises(RuntimeError, match="no third part"):
            await anext(parts)

    assert served.portal is not None
    served.portal.call(read)
    makers.close()
