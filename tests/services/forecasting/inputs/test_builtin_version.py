"""Forecasts by the built-in model, over HTTP."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.services.forecasting.inputs.builtin_version import build_config
from app.storage.engine import Database
from models.pretrained.contexts import LONGEST, SEGMENT
from tests.services.stored import hours, store
from tests.trained import Trained, publish, values

Y = values(1200)


def ask(client: TestClient, *series: str, **more: Any) -> Any:
    return client.post("/forecast", json={"model": "auto", "series": list(series), **more}).json()


def history(freq: str, count: int = 60) -> dict[str, Any]:
    import pandas as pd

    stamps = pd.date_range("2020-01-01", periods=count, freq=freq)
    y = 10 + np.sin(np.arange(count)) + np.random.default_rng(0).normal(0, 0.1, count)
    return {"ds": [stamp.isoformat() for stamp in stamps], "y": y.tolist()}


def test_a_stored_series_is_forecast_at_once(client: TestClient) -> None:
    store(client, "a", Y[:1000])
    answer = ask(client, "a", "none", horizon=48, quantiles=[0.01, 0.1, 0.5, 0.9, 0.99])
    found, missing = answer["forecasts"]
    assert (answer["model"], answer["version"], answer["revision"]) == ("auto", 1, 0)
    assert (found["zero_shot"], found["fallback"], missing["error"]["code"]) == (True, False, "series_not_found")
    assert found["ds"][0] == hours(1000, 1001)[0]
    levels = np.array([found["quantiles"][name] for name in ("0.01", "0.1", "0.5", "0.9", "0.99")])
    assert (np.diff(levels, axis=0) >= 0).all()
    truth, season = Y[1000:1048], np.resize(Y[976:1000], 48)
    assert np.abs(np.array(found["yhat"]) - truth).mean() < np.abs(season - truth).mean()
    assert ((truth >= levels[1]) & (truth <= levels[3])).mean() > 0.6


def test_without_a_horizon_it_is_a_season(client: TestClient) -> None:
    store(client, "a", Y[:100])
    assert len(ask(client, "a")["forecasts"][0]["yhat"]) == 24
    inline = client.post("/forecast", json={"model": "auto", "series": [], "history": {"y": history("YS", 9)}}).json()
    assert len(inline["forecasts"][0]["yhat"]) == 8


@pytest.mark.parametrize("horizon", [1, 8, 64, 65, 500, 1024])
def test_any_horizon_is_the_same_forecast_further(client: TestClient, horizon: int) -> None:
    store(client, "a", Y[:600])
    found = ask(client, "a", horizon=horizon)["forecasts"][0]
    again = client.get("/forecast", params={"model": "auto", "series": "a", "horizon": horizon}).json()["forecasts"][0]
    assert len(found["yhat"]) == len(found["ds"]) == horizon
    assert found["yhat"] == again["yhat"]
    first = ask(client, "a", horizon=1)["forecasts"][0]
    assert found["yhat"][0] == pytest.approx(first["yhat"][0], rel=1e-4)


def test_a_horizon_beyond_the_longest_is_refused(client: TestClient) -> None:
    store(client, "a", Y[:600])
    answer = ask(client, "a", horizon=1025)
    assert (answer["status"], answer["code"]) == (422, "horizon_too_long")


@pytest.mark.parametrize("freq", ["s", "min", "15min", "h", "D", "B", "W-SUN", "MS", "QS", "YS"])
def test_a_history_of_any_frequency_is_forecast(client: TestClient, freq: str) -> None:
    body = {"model": "auto", "series": ["new"], "history": {"new": history(freq)}, "horizon": 5}
    found = client.post("/forecast", json=body).json()["forecasts"][0]
    assert found["status"] == "ok", found
    assert len(found["yhat"]) == 5
    assert np.abs(np.array(found["yhat"]) - 10).max() < 3


def test_a_history_without_a_frequency_says_what_to_do(client: TestClient) -> None:
    body = {"model": "auto", "series": [], "history": {"new": {"ds": ["2024-01-01", "2024-01-02"], "y": [1, 2]}}}
    answer = client.post("/forecast", json=body).json()
    assert answer["status"] == 422
    assert "PUT /series/new" in answer["detail"]


def test_series_of_another_frequency_than_the_first_are_refused_one_by_one(client: TestClient) -> None:
    store(client, "a", Y[:200])
    client.put("/series/daily", json={"freq": "D"})
    client.post("/series/daily/observations", json={"ds": ["2024-01-01", "2024-01-02", "2024-01-03"], "y": [1, 2, 3]})
    found, other = ask(client, "a", "daily", horizon=3)["forecasts"]
    assert found["status"] == "ok"
    assert other["error"]["code"] == "frequency_mismatch"
    assert ask(client, "daily", horizon=3)["forecasts"][0]["status"] == "ok"


def test_new_values_move_the_next_forecast(client: TestClient) -> None:
    store(client, "a", Y[:300])
    before = ask(client, "a", horizon=24)["forecasts"][0]
    assert ask(client, "a", horizon=24)["forecasts"][0] == before
    client.post("/series/a/observations", json={"ds": [hours(300, 301)[0]], "y": [float(Y[300]) + 5]})
    after = ask(client, "a", horizon=24)["forecasts"][0]
    assert after["ds"][0] == before["ds"][1]
    assert after["yhat"] != before["yhat"]


def test_nothing_after_the_origin_is_seen(client: TestClient) -> None:
    store(client, "a", Y[:700])
    store(client, "b", Y[:500])
    past = ask(client, "a", horizon=24, origin=hours(499, 500)[0])["forecasts"][0]
    assert past["yhat"] == pytest.approx(ask(client, "b", horizon=24)["forecasts"][0]["yhat"], rel=1e-9)


@pytest.mark.one_database
@pytest.mark.slow
def test_its_network_is_explained(client: TestClient) -> None:
    """The parts add up to what it forecasts, and the last days have most to say."""
    store(client, "a", Y[:300])
    found = ask(client, "a", horizon=6, explain=True)["forecasts"][0]
    told = found["explanation"]
    lags = np.array(told["lags"]["contribution"])
    assert lags.shape == (6, 300)
    assert told["lags"]["ds"] == hours(0, 300)
    forecast = np.array(told["forecast"])
    assert np.abs(np.array(told["baseline"]) + lags.sum(1) - forecast).max() <= 0.02 * np.abs(forecast).max()
    assert forecast == pytest.approx(found["yhat"], rel=5e-3)
    assert np.abs(lags[:, -48:]).sum() > np.abs(lags[:, :48]).sum()


def test_a_mean_with_smoothing_models_is_not_explained(client: TestClient) -> None:
    body = {"model": "auto", "series": [], "history": {"new": history("MS")}, "explain": True}
    answer = client.post("/forecast", json=body).json()
    assert (answer["status"], answer["code"]) == (422, "invalid_input")
    assert "not explained" in answer["detail"]


def test_it_answers_in_place_of_a_version_that_is_not_live(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained, promoted=False)
    store(client, "a", Y[:400])
    body = {"model": "m", "series": ["a"], "on_missing": "auto"}
    answer = client.post("/forecast", json=body).json()
    found = answer["forecasts"][0]
    assert (answer["version"], found["fallback"], found["fallback_by"], found["zero_shot"]) == (
        None,
        True,
        "auto",
        True,
    )
    assert found["warnings"] == ["no_champion"]
    own = ask(client, "a", horizon=len(found["yhat"]))["forecasts"][0]  # reads more than the version did
    assert np.abs(np.array(found["yhat"]) - own["yhat"]).max() < 1


@pytest.mark.parametrize(
    ("frequency", "context"), [("h", LONGEST), ("D", LONGEST), ("MS", 192), ("QS", 64), ("YS", 64), ("W-SUN", 832)]
)
def test_contexts_hold_sixteen_seasons(frequency: str, context: int) -> None:
    config = build_config(frequency, 10)
    assert (config.network.context_length, config.horizon) == (context, 16)
    assert config.network.context_length % SEGMENT == 0
