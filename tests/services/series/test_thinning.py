"""GET /series/{id}/observations?points=: exact minima, maxima and last values, and what is kept in memory."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.services.series.thinning import ThinningService
from app.serving.lru import LruCache
from app.storage import keys
from app.storage.engine import Database
from models.arrays import Floats, Ints
from tests.services.stored import hours, store

HOUR = 3_600_000_000
START = 1_704_067_200_000_000
"""2024-01-01"""


def thin_with_numpy(ts: Ints, y: Floats, points: int) -> list[tuple[int, float | None, float | None, float | None]]:
    """Return (stamp, last, least, greatest) of each bucket of equal time that holds a row."""
    width = -(-(int(ts[-1] - ts[0]) + 1) // points)
    number = (ts - ts[0]) // width
    buckets = []
    for bucket in np.unique(number):
        rows = np.flatnonzero(number == bucket)
        seen = rows[~np.isnan(y[rows])]
        if len(seen):
            buckets.append((int(ts[seen[-1]]), float(y[seen[-1]]), float(y[seen].min()), float(y[seen].max())))
        else:
            buckets.append((int(ts[rows[-1]]), None, None, None))
    return buckets


def read(client: TestClient, points: int, **parameters: str) -> Any:
    response = client.get("/series/a/observations", params={"points": points, **parameters})
    assert response.status_code == 200, response.text
    return response.json()


def list_entries(told: Any) -> list[tuple[int, float | None, float | None, float | None]]:
    stamps = [round(datetime.fromisoformat(text).timestamp() * 1e6) for text in told["ds"]]
    return list(zip(stamps, told["y"], told["low"], told["high"], strict=True))


def test_twenty_thousand_rows_are_thinned_exactly(client: TestClient) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=20_000)
    y[rng.random(len(y)) < 0.1] = np.nan
    y[5000:5400] = np.nan
    store(client, "a", y, timezone="Europe/Berlin")
    ts = START + HOUR * np.arange(len(y))
    for points in (2, 50, 999, 2000, 19_999):
        told = read(client, points)
        assert (told["thinned"], told["count"]) == (True, 20_000)
        assert list_entries(told) == thin_with_numpy(ts, y, points)
        assert len(told["ds"]) <= points
    part = read(client, 100, start=hours(700, 701)[0], end=hours(9000, 9001)[0])
    assert part["count"] == 8300
    assert list_entries(part) == thin_with_numpy(ts[700:9000], y[700:9000], 100)
    assert part["ds"][0].endswith("+01:00")


@pytest.mark.one_database
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_gaps_are_thinned_exactly(client: TestClient, data: st.DataObject) -> None:
    steps = sorted(data.draw(st.sets(st.integers(0, 500), min_size=3, max_size=40)))
    values = data.draw(
        st.lists(st.one_of(st.none(), st.integers(-9, 9)), min_size=len(steps), max_size=len(steps)), label="y"
    )
    points = data.draw(st.integers(2, len(steps) - 1), label="points")
    client.delete("/series/a")
    client.post("/series", json={"id": "a", "freq": "h"})
    ds = [hours(step, step + 1)[0] for step in steps]
    assert client.post("/series/a/observations", json={"ds": ds, "y": values}).status_code == 200
    told = read(client, points)
    y = np.array(values, np.float64)
    assert list_entries(told) == thin_with_numpy(START + HOUR * np.array(steps), y, points)
    assert (told["thinned"], told["count"]) == (True, len(steps))


def test_few_rows_are_answered_as_they_are(client: TestClient) -> None:
    store(client, "a", np.arange(5.0))
    client.post("/series/a/observations", json={"ds": hours(1, 3), "covariates": {"t": [7, 8]}})
    plain = client.get("/series/a/observations").json()
    del plain["provisional"]
    for points in (5, 6, 100_000):
        assert read(client, points) == plain | {"thinned": False, "count": 5}
    assert read(client, 4)["thinned"] is True
    assert read(client, 4, start=hours(3, 4)[0]) == {
        "ds": hours(3, 5),
        "y": [3, 4],
        "covariates": {},
        "next_cursor": None,
        "thinned": False,
        "count": 2,
    }
    assert read(client, 2, start="2030-01-01")["count"] == 0


def test_every_change_of_a_series_is_seen(client: TestClient) -> None:
    store(client, "a", np.arange(10.0))
    assert read(client, 2)["high"] == [4, 9]
    client.post("/series/a/observations", json={"ds": hours(2, 3), "y": [50]})
    assert read(client, 2)["high"] == [50, 9]
    client.delete("/series/a/observations", params={"start": hours(5, 6)[0]})
    assert (read(client, 2)["count"], read(client, 2)["high"]) == (5, [50, 4])
    client.delete("/series/a")
    store(client, "a", -np.arange(10.0), timezone="Asia/Kolkata")
    assert read(client, 2)["high"] == [0, -5]
    assert read(client, 2)["ds"][0].endswith("+05:30")


@pytest.mark.one_database
def test_answers_are_kept_within_a_bound(client: TestClient, database: Database) -> None:
    store(client, "a", np.arange(400.0))
    with database.read() as session:
        scope = keys.get_default_scope(session)
    cache = LruCache[bytes](20_000)
    service = ThinningService(database, cache)
    first = service.read(scope, "a", None, None, 50)
    assert service.read(scope, "a", None, None, 50) is first, "the same bytes, without the database's work"
    assert service.read(scope, "a", hours(0, 1)[0], None, 50) is not first
    for points in range(51, 80):
        service.read(scope, "a", None, None, points)
    assert 0 < cache.bytes <= 20_000
    assert service.read(scope, "a", None, None, 50) == first
    assert service.read(scope, "a", None, None, 50) is not first


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"points": "1"}, "points"),
        ({"points": "100001"}, "points"),
        ({"points": "50", "limit": "10"}, "limit"),
        ({"points": "50", "cursor": "WzFd"}, "cursor"),
        ({"points": "50", "format": "csv"}, "format"),
    ],
)
def test_what_does_not_go_with_points_is_named(client: TestClient, parameters: dict[str, str], field: str) -> None:
    store(client, "a", np.arange(3.0))
    response = client.get("/series/a/observations", params=parameters)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, f"query.{field}")
