"""A sensor's spike before the origin, over HTTP: the forecast is made without it, and says so."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from sqlalchemy import update

from app.config import Settings
from app.storage.engine import Database
from app.storage.tables import VersionRow
from models.evaluation.floors import FLOORS
from tests.services.stored import hours, store
from tests.trained import Trained, publish

pytestmark = pytest.mark.one_database


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    return client


def measure(*spikes: tuple[int, float]) -> NDArray[np.float64]:
    """Return a thousand values of 40 to 60, some of them replaced."""
    y = 50 + 8 * np.sin(2 * np.pi * np.arange(1000) / 24) + np.random.default_rng(0).uniform(-2, 2, 1000)
    for position, value in spikes:
        y[position] = value
    return y


def ask(client: TestClient, *series: str, **more: Any) -> list[Any]:
    response = client.post("/forecast", json={"model": "m", "series": list(series), **more})
    assert response.status_code == 200, response.text
    forecasts: list[Any] = response.json()["forecasts"]
    return forecasts


@pytest.mark.parametrize(
    ("spikes", "warnings"),
    [
        ([(-1, 5000.0)], ["outlier_at_origin"]),
        ([(-1, -999.0)], ["outlier_at_origin"]),
        ([(-2, 5000.0), (-1, 4000.0)], ["outlier_at_origin"]),
        ([(-3, 5000.0)], ["outlier_at_origin"]),
        ([(-20, 5000.0)], []),
    ],
)
def test_the_forecast_is_that_without_the_spike(
    served: TestClient, spikes: list[tuple[int, float]], warnings: list[str]
) -> None:
    store(served, "sound", measure())
    store(served, "spoilt", measure(*spikes))
    sound, spoilt = ask(served, "sound", "spoilt")
    assert (sound["warnings"], spoilt["warnings"]) == ([], warnings)
    assert spoilt["origin"] == sound["origin"], "the spike is a value, and has its time"
    np.testing.assert_allclose(spoilt["yhat"], sound["yhat"], rtol=0.1)
    for level, values in spoilt["quantiles"].items():
        np.testing.assert_allclose(values, sound["quantiles"][level], rtol=0.1)


def test_a_history_and_a_floor_are_read_alike(served: TestClient) -> None:
    y = measure((-1, 5000.0))
    store(served, "stored", y)
    history = {"sent": {"ds": hours(0, 1000), "y": y.tolist()}}
    stored, sent = ask(served, "stored", history=history)
    assert stored["yhat"] == sent["yhat"]
    assert sent["warnings"] == ["outlier_at_origin"]


@pytest.mark.parametrize("floor", ["season_naive", "naive", "drift"])
def test_floors_repeat_no_spike(
    client: TestClient, database: Database, settings: Settings, trained: Trained, floor: str
) -> None:
    publish(database, settings, trained, promoted=False)
    measures = {"gate": {"mase": 1.2}, **{name: {"mase": 1.1} for name in FLOORS}, floor: {"mase": 0.9}}
    with database.write() as session:
        session.execute(update(VersionRow).values(metrics=measures))
    store(client, "spoilt", measure((-1, 5000.0)))
    (found,) = ask(client, "spoilt", on_missing="floor")
    assert found["fallback_by"] == floor
    assert found["warnings"] == ["outlier_at_origin", "no_champion"]
    assert 40 < min(found["yhat"]) < max(found["yhat"]) + 1 < 61


def test_a_level_that_lasts_and_a_spike_that_is_corrected_count(served: TestClient) -> None:
    store(served, "a", measure((-1, 5000.0)))
    assert ask(served, "a")[0]["warnings"] == ["outlier_at_origin"]
    served.post("/series/a/observations", json={"ds": hours(999, 1000), "y": [51.0]})
    assert ask(served, "a")[0]["warnings"] == []
    served.post("/series/a/observations", json={"ds": hours(1000, 1004), "y": [5000.0] * 4})
    (found,) = ask(served, "a")
    assert found["warnings"] == []
    assert max(found["yhat"]) > 500


def test_an_anomaly_is_one_all_the_same(served: TestClient) -> None:
    store(served, "a", measure((-1, 5000.0)))
    body = {"model": "m", "series": ["a"], "start": hours(980, 981)[0]}
    response = served.post("/anomalies", json=body)
    assert response.status_code == 200, response.text
    (found,) = response.json()["series"]
    assert found["anomaly"][-1] is True
    assert found["y"][-1] == 5000
