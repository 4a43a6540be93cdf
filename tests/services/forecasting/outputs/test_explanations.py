"""/forecast with `explain`: the parts add up, over HTTP too, and what cannot be explained says why."""

import os
import signal
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.serving.explainer import UNDER_WAY, Explainer
from app.serving.helper_process import Child, HelperTask
from app.storage.engine import Database
from tests.services.stored import store, store_beside
from tests.trained import HORIZON, Trained, publish, values

pytestmark = pytest.mark.one_database

ROWS = ("baseline", "remainder", "correction", "forecast")


def asked(client: TestClient, status: int = 200, **more: Any) -> Any:
    response = client.post("/forecast", json={"model": "m", "series": ["a"], "explain": True, **more})
    assert response.status_code == status, response.text
    return response


def check(found: Any, steps: int) -> None:
    """Both sums of an explanation give the median before correction, within 1 % of it."""
    told = found["explanation"]
    forecast = np.array(told["forecast"])
    assert {name: len(told[name]) for name in ROWS} == dict.fromkeys(ROWS, steps)
    lags = np.array(told["lags"]["contribution"])
    assert lags.shape == (steps, len(told["lags"]["ds"])) == (steps, len(told["lags"]["y"]))
    covariates = sum((np.array(one) for one in told["covariates"].values()), np.zeros(steps))
    explained = np.array(told["baseline"]) + lags.sum(1) + covariates
    assert (np.abs(explained - forecast) <= 0.01 * np.abs(forecast)).all()
    assert explained + told["remainder"] == pytest.approx(forecast, rel=1e-9)
    chosen = sum(np.array(one["weight"]) * one["forecast"] for one in told["candidates"].values())
    assert chosen + told["correction"] == pytest.approx(forecast, rel=1e-9)
    # the correction moves the levels, and the median hardly
    assert np.abs(forecast - found["yhat"]).max() < 0.2 * np.abs(forecast).max()


def test_what_moved_a_forecast(client: TestClient, database: Database, settings: Settings, trained: Trained) -> None:
    publish(database, settings, trained)
    y = values()
    y[-5] = np.nan
    store(client, "a", y)
    response = asked(client)
    (found,) = response.json()["forecasts"]
    check(found, HORIZON)
    told = found["explanation"]
    assert told["covariates"] == {}
    assert len(told["lags"]["ds"]) == trained.fitted.config.network.context_length - 1  # one is missing
    assert (told["lags"]["ds"][-1], told["lags"]["y"][-1]) == (found["origin"], y[-1])
    assert "explain;dur=" in response.headers["Server-Timing"]
    plain = client.post("/forecast", json={"model": "m", "series": ["a"]}).json()["forecasts"][0]
    assert {name: one for name, one in found.items() if name != "explanation"} == plain


@pytest.mark.slow
def test_covariates_a_part_of_the_horizon_and_series_that_are_sent(
    client: TestClient, database: Database, settings: Settings, trained_beside: Trained
) -> None:
    publish(database, settings, trained_beside)
    store_beside(client, "a")
    history = {"ds": [f"2024-01-{day:02}T{hour:02}:00:00Z" for day in range(1, 6) for hour in range(24)]}
    body: dict[str, Any] = {**history, "y": values(120).tolist()}
    # the sent series has no covariates: the network cannot forecast it, and the floor is not explained
    more = {"series": ["a", "none"], "horizon": 3, "history": {"b": body}, "on_missing": "season_naive"}
    first, missing, floor = asked(client, **more).json()["forecasts"]
    check(first, 3)
    assert set(first["explanation"]["covariates"]) == {"temp", "day", "flow", "size", "kind"}
    assert (missing["status"], "explanation" in missing) == ("error", False)
    assert (floor["fallback"], "explanation" in floor) == (True, False)


def test_limits_and_nonsense(client: TestClient, database: Database, settings: Settings, trained: Trained) -> None:
    publish(database, settings, trained)
    store(client, "a", values())
    assert asked(client, 422, explain="perhaps").json()["errors"][0]["field"] == "body.explain"
    tight = Settings(**{**settings.model_dump(exclude={"on_loopback"}), "max_explained_values": 100})
    with TestClient(create_app(tight)) as other:
        problem = asked(other, 422).json()
    assert (problem["code"], problem["errors"][0]["field"]) == ("too_many_values", "explain")


@pytest.mark.slow
def test_weights_that_are_gone(client: TestClient, database: Database, settings: Settings, trained: Trained) -> None:
    publish(database, settings, trained)
    store(client, "a", values())
    for file in settings.data_dir.rglob("weights.safetensors"):
        file.unlink()
    response = asked(client, 503)
    assert response.json()["code"] == "explanation_unavailable"
    assert "artifact store" in response.json()["detail"]
    assert int(response.headers["Retry-After"]) > 0
    assert client.post("/forecast", json={"model": "m", "series": ["a"]}).status_code == 200


@pytest.fixture
def explainer(client: TestClient) -> Any:
    """The explainer of the running application."""
    return client.app.state.services.forecasts._streamed._explainer  # type: ignore[attr-defined]


@pytest.mark.one_database
@pytest.mark.slow
def test_a_process_that_died_is_replaced(
    client: TestClient, database: Database, settings: Settings, trained: Trained, explainer: Explainer
) -> None:
    publish(database, settings, trained)
    store(client, "a", values())
    first = asked(client).json()
    child = explainer.process.child
    assert child is not None
    assert child.process.pid is not None
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.join()
    assert asked(client).json() == first


@pytest.mark.slow
@pytest.mark.one_database
def test_a_process_that_cannot_start_is_tried_again(
    client: TestClient, database: Database, settings: Settings, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(database, settings, trained)
    store(client, "a", values())

    def fails(work: HelperTask) -> Child:
        raise OSError("too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Child, "start", staticmethod(fails))
        assert asked(client, 503).json()["code"] == "explanation_unavailable"
        assert asked(client, 503).json()["code"] == "explanation_unavailable"
    check(asked(client).json()["forecasts"][0], HORIZON)


@pytest.mark.one_database
@pytest.mark.slow
def test_a_slow_explanation_is_given_up_and_a_crowd_is_turned_away(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    store(client, "a", values())
    hasty = Settings(**{**settings.model_dump(exclude={"on_loopback"}), "explain_seconds": 0.01})
    with TestClient(create_app(hasty)) as other:
        problem = asked(other, 422).json()
        assert (problem["code"], problem["errors"][0]["field"]) == ("explanation_too_long", "explain")
        assert "more than 0.01 seconds" in problem["detail"]
        places = other.app.state.services.forecasts._streamed._explainer.process.slots  # type: ignore[attr-defined]
        for _ in range(UNDER_WAY):
            assert places.acquire(blocking=False)
        assert "try again" in asked(other, 503).json()["detail"]
