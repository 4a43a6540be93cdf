"""/forecast with replayed intervals: as wide as what came true since the training asks for, and leak-free.

The version was trained on the series a up to its 400th value; what follows is noisier than training was.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.config import Settings
from app.main import create_app
from app.services.runs.attempt import Attempt
from app.services.runs.dispatch import run as run_job
from app.storage import jobs, keys, registry
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from models.data.series import Panel
from models.inference.replay import ReplayPlan, find_bounds, find_widths, plan_origins, replay_all
from tests.services.stored import claimed, hours, numbers, store
from tests.trained import HORIZON, Trained, publish, values

Floats = NDArray[np.float64]
TRAINED, LENGTH = 400, 640
DEADLINE = 30.0
"""seconds"""


def noisy(n: int = LENGTH, seed: int = 1) -> Floats:
    """Return hourly values whose noise is four times as large from the end of the training on."""
    y = np.concatenate([values(), values(n)[TRAINED:]])
    y[TRAINED:] += np.random.default_rng(seed).normal(0, 2.0, n)[TRAINED:]
    return y


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    store(client, "a", noisy())
    return client


@contextmanager
def app_with(settings: Settings, **changes: Any) -> Iterator[TestClient]:
    """Another process of the same service."""
    with TestClient(create_app(settings.model_copy(update=changes)), raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, *series: str, **more: Any) -> Any:
    response = client.post("/forecast", json={"model": "m", "series": list(series), **more})
    assert response.status_code == 200, response.text
    return response


def one(client: TestClient, series: str = "a", **more: Any) -> Any:
    (found,) = ask(client, series, **more).json()["forecasts"]
    assert found["status"] == "ok", found
    return found


def width(found: Any) -> float:
    return float(np.mean(np.array(found["quantiles"]["0.9"]) - np.array(found["quantiles"]["0.1"])))


def assert_same(found: Any, expected: Any) -> None:
    """Check that two forecasts are the same but for the last digits, which depend on what shares a batch."""
    for level, levels in expected["quantiles"].items():
        np.testing.assert_allclose(found["quantiles"][level], levels, rtol=1e-6)
    assert {**found, "yhat": 0, "quantiles": 0} == {**expected, "yhat": 0, "quantiles": 0}


def append(client: TestClient, name: str, first: int, y: Any) -> None:
    body = {"ds": hours(first, first + len(y)), "y": numbers(y)}
    assert client.post(f"/series/{name}/observations", json=body).status_code == 200


def test_intervals_are_as_wide_as_what_came_true(served: TestClient, settings: Settings, trained: Trained) -> None:
    found = one(served)
    with app_with(settings, replay_windows=0) as static:
        before = one(static)
    assert found["yhat"] == before["yhat"]
    assert 1.3 * width(before) < width(found) < 4 * width(before)

    config = trained.fitted.config
    (series,) = Panel.from_arrays({"a": noisy()}, "h", "2024-01-01").series
    origins = plan_origins(0, LENGTH - 1, TRAINED - 1, config, is_trained=True)
    assert origins.tolist() == list(range(TRAINED - 1, LENGTH - 1, HORIZON))
    (replay,) = replay_all([ReplayPlan(series, origins)], trained.fitted.runner, config)
    widths = find_widths(replay, LENGTH - 1, config, find_bounds(series.y[-48:], config, is_signed=False))
    assert widths is not None
    (static_levels,) = trained.fitted.quantiles([series], np.array([LENGTH - 1]))
    expected = widths.apply(static_levels.T)
    for row, level in enumerate(("0.1", "0.5", "0.9")):
        np.testing.assert_allclose(found["quantiles"][level], expected[row], rtol=1e-3)


@pytest.mark.one_database
def test_what_follows_is_covered(served: TestClient, settings: Settings) -> None:
    truth = np.concatenate([values(LENGTH + 240)[LENGTH:]]) + np.random.default_rng(5).normal(0, 8.0, 240)
    with app_with(settings, replay_windows=0) as static:
        inside: dict[str, list[float]] = {"replayed": [], "static": []}
        for first in range(0, 240, HORIZON):
            actual = truth[first : first + HORIZON]
            for name, client in (("replayed", served), ("static", static)):
                levels = one(client)["quantiles"]
                inside[name].append(float(np.mean((levels["0.1"] <= actual) & (actual <= levels["0.9"]))))
            append(served, "a", LENGTH + first, actual)
    assert np.mean(inside["static"]) < 0.65
    assert 0.7 < np.mean(inside["replayed"]) < 0.9


@pytest.mark.one_database
def test_with_little_history_the_intervals_are_those_of_the_training(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    store(client, "a", noisy(TRAINED + 7 * HORIZON))
    with app_with(settings, replay_windows=0) as static:
        assert one(client) == one(static)
        append(client, "a", TRAINED + 7 * HORIZON, noisy()[TRAINED + 7 * HORIZON :])
        assert one(client) != one(static)


def test_a_warm_forecast_replays_nothing_and_one_after_an_observation_is_that_of_a_new_process(
    served: TestClient, settings: Settings
) -> None:
    assert "replay;" in ask(served, "a").headers["server-timing"]
    assert "replay;" not in ask(served, "a").headers["server-timing"]
    append(served, "a", LENGTH, [31.0])
    after = ask(served, "a")
    assert "replay;" in after.headers["server-timing"]
    with app_with(settings) as other:
        assert_same(one(other), after.json()["forecasts"][0])
    append(served, "a", 500, [80.0])  # a correction
    corrected = one(served)
    with app_with(settings) as other:
        assert_same(one(other), corrected)


@pytest.mark.one_database
def test_nothing_after_the_origin_changes_an_interval(served: TestClient) -> None:
    origin = hours(600, 601)[0]
    before = one(served, origin=origin)
    append(served, "a", 601, [1e4] * (LENGTH - 601))
    assert one(served, origin=origin) == before
    append(served, "a", 599, [1e4])
    assert one(served, origin=origin) != before


@pytest.mark.one_database
def test_a_history_is_replayed_too(served: TestClient) -> None:
    stored = one(served)
    history = {"a": {"ds": hours(0, LENGTH), "y": numbers(noisy())}}
    response = served.post("/forecast", json={"model": "m", "history": history})
    assert response.json()["forecasts"] == [stored]
    assert "replay;" in response.headers["server-timing"]
    known = {"ds": hours(0, TRAINED), "y": numbers(noisy()[:TRAINED])}
    short = served.post("/forecast", json={"model": "m", "history": {"a": known}})
    assert "replay;" not in short.headers["server-timing"], "training has seen all of it"
    other = served.post("/forecast", json={"model": "m", "history": {"new": known}})
    assert "replay;" in other.headers["server-timing"], "training has not seen this series"


@pytest.mark.one_database
def test_a_large_request_replays_some_series_and_the_rest_behind_it(
    served: TestClient, settings: Settings, trained: Trained
) -> None:
    names = ["a", "b", "c", "d", "e"]
    for seed, name in enumerate(names[1:], 2):
        store(served, name, noisy(seed=seed))
    expected = ask(served, *names).json()["forecasts"]
    with app_with(settings, replay_windows=20) as busy:
        query = {"model": "m", "series": names}
        first = busy.get("/forecast", params=query)
        flags = [found["warnings"] for found in first.json()["forecasts"]]
        assert flags == [[], *[["static_interval"]] * 4]
        assert "etag" not in first.headers
        deadline = time.monotonic() + DEADLINE
        while (last := busy.get("/forecast", params=query)).text.count("static_interval"):
            assert time.monotonic() < deadline
        assert last.json()["forecasts"] == expected
        assert "etag" in last.headers
        assert [found["yhat"] for found in first.json()["forecasts"]] == [found["yhat"] for found in expected]
        for name in names:
            append(served, name, LENGTH, [21.0])
        after = busy.get("/forecast", params=query).json()["forecasts"]
        assert not any(found["warnings"] for found in after), "those of an observation ago hold meanwhile"
        np.testing.assert_allclose([width(found) for found in after], [width(found) for found in expected], rtol=0.15)


def test_what_is_archived_is_what_would_be_served(served: TestClient, database: Database, settings: Settings) -> None:
    with database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, "m")
        assert model is not None
        jobs.add(session, scope, id="f", kind="forecast", model_pk=model.pk, model="m", request={})
    run_job(Attempt(settings, database, ArtifactStore(settings.artifacts), claimed(database, "f")))
    (archived,) = served.get("/models/m/archive").json()["items"]
    found = one(served)
    for level, levels in found["quantiles"].items():
        np.testing.assert_allclose(archived["quantiles"][level], levels, rtol=1e-6)
