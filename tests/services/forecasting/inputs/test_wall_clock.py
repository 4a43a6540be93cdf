"""Forecasts over changes of the clocks, over HTTP: those of the same wall times where no clock is changed."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.config import Settings
from app.storage.engine import Database
from models.calendar.timestamps import parse_stamps, to_local
from tests.trained import HORIZON, Trained, publish

pytestmark = pytest.mark.one_database

HOUR = 3_600_000_000
LENGTH = 400


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    return client


@pytest.fixture
def unpromoted(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """The same version, which is not live: floors answer."""
    publish(database, settings, trained, promoted=False)
    return client


def measure(wall: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return values of a day and a week on the wall clock, the same wherever that is."""
    hours = wall / HOUR
    return 20 + 6 * np.sin(2 * np.pi * hours / 24) + 2 * np.cos(2 * np.pi * hours / 168) + np.cos(hours**2)


def ask(client: TestClient, end: str, timezone: str, **more: Any) -> Any:
    """Forecast a series that ends at a time."""
    stamps = int(parse_stamps([end], timezone)[0]) + HOUR * np.arange(1 - LENGTH, 1)
    ds = [f"{stamp}+00:00" for stamp in np.datetime_as_string(stamps.view("M8[us]"), unit="s")]
    history = {"one": {"ds": ds, "y": measure(to_local(stamps, timezone)).tolist(), "timezone": timezone}}
    response = client.post("/forecast", json={"model": "m", "history": history, **more})
    (found,) = response.json()["forecasts"]
    assert found["status"] == "ok", found
    return found


def by_wall_time(found: Any) -> dict[str, float]:
    """Return the forecasts by their wall times, of two the first."""
    pairs = zip(found["ds"], found["yhat"], strict=True)
    return {ds[:19]: value for ds, value in reversed(list(pairs))}


ENDS = [
    ("2025-10-25T20:00:00", 11),  # the hour from two to three is there twice
    ("2025-10-26T05:00:00", 12),
    ("2025-10-29T12:00:00", 12),
    ("2025-03-29T20:00:00", 11),  # the hour from two to three is not there, and the last one lies further
    ("2025-03-28T20:00:00", 12),
]


def compare(client: TestClient, end: str, shared: int, **more: Any) -> None:
    there = by_wall_time(ask(client, end, "Europe/Berlin", **more))
    here = by_wall_time(ask(client, end, "UTC", **more))
    common = [ds for ds in there if ds in here]
    assert len(common) == shared
    np.testing.assert_allclose([there[ds] for ds in common], [here[ds] for ds in common], rtol=1e-4)


@pytest.mark.parametrize(("end", "shared"), ENDS)
def test_a_forecast_is_that_of_its_wall_time(served: TestClient, end: str, shared: int) -> None:
    compare(served, end, shared)


@pytest.mark.parametrize(("end", "shared"), [*ENDS, ("2025-04-03T12:00:00", 12)])
def test_so_is_season_naive(unpromoted: TestClient, end: str, shared: int) -> None:
    compare(unpromoted, end, shared, on_missing="season_naive")


def test_the_week_after_the_clocks_went_forward_is_read_alike(served: TestClient) -> None:
    there = ask(served, "2025-04-03T12:00:00", "Europe/Berlin")
    here = ask(served, "2025-04-03T12:00:00", "UTC")
    # one hour of the context is drawn where the clock skipped it
    np.testing.assert_allclose(there["yhat"], here["yhat"], atol=0.3)
    assert [ds[:19] for ds in there["ds"]] == [ds[:19] for ds in here["ds"]]
    assert there["ds"][0] == "2025-04-03T13:00:00+02:00"


@pytest.mark.parametrize("end", ["2025-10-26T05:00:00", "2025-10-25T20:00:00", "2025-03-30T08:00:00"])
def test_a_stored_series_is_read_as_one_that_is_sent(served: TestClient, end: str) -> None:
    last = int(parse_stamps([end], "Europe/Berlin")[0])
    stamps = last + HOUR * np.arange(1 - LENGTH, 5)  # some come later than the origin
    ds = [f"{stamp}+00:00" for stamp in np.datetime_as_string(stamps.view("M8[us]"), unit="s")]
    served.post("/series", json={"id": "stored", "freq": "h", "timezone": "Europe/Berlin"})
    body = {"ds": ds, "y": measure(to_local(stamps, "Europe/Berlin")).tolist()}
    assert served.post("/series/stored/observations", json=body).status_code == 200
    response = served.post("/forecast", json={"model": "m", "series": ["stored"], "origin": end})
    (found,) = response.json()["forecasts"]
    sent = ask(served, end, "Europe/Berlin")
    assert (found["ds"], found["yhat"], found["quantiles"]) == (sent["ds"], sent["yhat"], sent["quantiles"])


def test_two_hours_of_one_wall_time_are_two_steps(served: TestClient) -> None:
    found = ask(served, "2025-10-25T20:00:00", "Europe/Berlin")
    assert [ds[11:] for ds in found["ds"][5:8]] == ["02:00:00+02:00", "02:00:00+01:00", "03:00:00+01:00"]
    assert found["yhat"][5] == found["yhat"][6]
    assert len(set(found["yhat"])) == HORIZON - 1


@pytest.mark.slow
def test_an_explanation_adds_up_to_what_is_forecast(served: TestClient) -> None:
    found = ask(served, "2025-03-29T20:00:00", "Europe/Berlin", explain=True)
    told = found["explanation"]
    lags = np.array(told["lags"]["contribution"])
    assert lags.shape[0] == len(told["forecast"]) == HORIZON
    np.testing.assert_allclose(np.array(told["baseline"]) + lags.sum(1) + told["remainder"], told["forecast"])
    plain = ask(served, "2025-03-29T20:00:00", "Europe/Berlin")
    np.testing.assert_allclose(told["forecast"][:11], plain["yhat"][:11], rtol=0.1)
    after = ask(served, "2025-03-30T08:00:00", "Europe/Berlin", explain=True)["explanation"]["lags"]
    assert after["ds"][-1] == "2025-03-30T08:00:00+02:00"
    assert len(set(after["ds"])) == len(after["ds"]) == len(after["y"])
