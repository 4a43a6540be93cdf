"""`cleaning` of /train over HTTP: what cannot be is refused, and what was asked for holds up to forecasts."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.storage.engine import Database
from tests.services.stored import QUICK, hours, numbers, run, store

DAYS = 90
DAILY: dict[str, Any] = QUICK | {"network": QUICK["network"] | {"context_length": 14, "segment": 7}}


def values(days: int = DAYS) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return hours of UTC whose sum is 24 times the day's weekday level."""
    t = np.arange(24 * days)
    return 20 + 5 * ((t // 24) % 7) + np.random.default_rng(0).normal(0, 0.1, len(t))


def ask(client: TestClient, cleaning: Any, **more: Any) -> Any:
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 7, "cleaning": cleaning, **DAILY}
    return client.post("/train", json=body | {"promote": "always"} | more)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("cleaning", "field", "said"),
    [
        ({"aggregate": {"freq": "h"}}, "body.cleaning.aggregate.freq", "leave aggregate out"),
        ({"aggregate": {"freq": "15min"}}, "body.cleaning.aggregate.freq", "not longer than the series' steps of 'h'"),
        ({"aggregate": {"freq": "B"}}, "body.cleaning.aggregate.freq", "leaves days out"),
        ({"aggregate": {"freq": "fortnight"}}, "body.cleaning.aggregate.freq", "is not a frequency"),
        ({"aggregate": {"freq": "YS"}}, "body.cleaning.aggregate.freq", "0 steps of the longest series"),
        ({"aggregate": {"freq": "D", "by": "max"}}, "body.cleaning.aggregate.by", "sum"),
        ({"aggregate": {"by": "sum"}}, "body.cleaning.aggregate.freq", ""),
        ({"aggregate": {"freq": "D", "source": "h"}}, "body.cleaning.aggregate.source", ""),
        ({"max_filled": 1.5}, "body.cleaning.max_filled", "1"),
        ({"max_filled": -0.1}, "body.cleaning.max_filled", "0"),
        ({"gaps": "spline"}, "body.cleaning.gaps", "linear"),
        ({"outlier": "clip"}, "body.cleaning.outlier", ""),
        ({"gaps": "season", "aggregate": {"freq": "2D"}}, "body.cleaning.gaps", "leave or linear"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_send(client: TestClient, cleaning: Any, field: str, said: str) -> None:
    store(client, "a", values())
    response = ask(client, cleaning)
    assert response.status_code == 422, response.text
    error = response.json()["errors"][0]
    assert error["field"] == field
    assert said in error["detail"]


@pytest.mark.one_database
def test_a_model_has_the_frequency_of_its_aggregates(client: TestClient) -> None:
    store(client, "a", values())
    assert ask(client, {"aggregate": {"freq": "D"}}).status_code == 202
    assert client.get("/models/m").json()["freq"] == "D"
    conflict = ask(client, None)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "model_spec_conflict")


def forecast(client: TestClient, series: str = "a", **more: Any) -> Any:
    body = {"model": "m", "series": [series], **more}
    response = client.post("/forecast", json=body)
    assert response.status_code == 200, response.text
    return response.json()["forecasts"][0]


@pytest.mark.training
@pytest.mark.one_database
def test_days_are_trained_served_and_judged_from_hours(
    client: TestClient, database: Database, settings: Settings
) -> None:
    y = values()
    y[100] = np.nan
    store(client, "a", y, "Europe/Berlin")  # begins at 01:00: the first day is not full
    store(client, "torn", np.where(np.arange(24 * DAYS) % 2, 1.0, np.nan))
    cleaning = {"gaps": "linear", "outliers": "clip", "aggregate": {"freq": "D", "by": "sum"}}
    job = run(client, database, settings, ask(client, cleaning, series={"ids": ["a", "torn"]}))
    assert job["status"] == "succeeded", job
    version = client.get("/models/m/versions/1").json()
    assert version["cleaning"] == cleaning | {
        "max_filled": 0.2,
        "filled": {"total": 1, "most": 1, "series": 1},
        "clipped": {"total": 0, "most": 0, "series": 0},
        "refused": [{"series_id": "torn", "detail": version["cleaning"]["refused"][0]["detail"]}],
    }
    assert "1079 of 2159 steps are missing" in version["cleaning"]["refused"][0]["detail"]
    assert "incomplete_series" in version["warnings"]
    assert version["data_span"]["start"] == "2024-01-02T00:00:00+01:00"
    check_origins(client, y)
    check_what_else_reads_days(client, database, settings)


def check_origins(client: TestClient, y: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """The last value is of 00:00 to 01:00 local on the first day of summer time, the 31st: the 30th is the last day."""
    first = forecast(client)
    assert (first["status"], first["origin"]) == ("ok", "2024-03-30T00:00:00+01:00"), first
    assert first["ds"][:2] == ["2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"]
    assert 300 < first["yhat"][0] < 1500  # sums of a day, not hours
    url = "/forecast?model=m&series=a"
    etag = client.get(url).headers["etag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    more = {"ds": hours(len(y), len(y) + 21), "y": numbers(np.full(21, 25.0))}  # the 31st has 23 hours
    assert client.post("/series/a/observations", json=more).status_code == 200
    assert forecast(client)["yhat"] == first["yhat"]
    last = {"ds": hours(len(y) + 21, len(y) + 23), "y": [25.0, 25.0]}
    assert client.post("/series/a/observations", json=last).status_code == 200
    assert forecast(client)["origin"] == "2024-03-31T00:00:00+01:00"
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 200
    again = forecast(client, origin=first["origin"])
    assert (again["origin"], again["yhat"]) == (first["origin"], first["yhat"])
    full = [*y, *[25.0] * 23]
    history = {"ds": hours(0, len(full)), "y": numbers(np.array(full)), "timezone": "Europe/Berlin"}
    (sent,) = client.post("/forecast", json={"model": "m", "history": {"new": history}}).json()["forecasts"]
    stored = forecast(client)
    assert (sent["origin"], sent["yhat"]) == (stored["origin"], stored["yhat"])
    client.post("/series", json={"id": "young", "freq": "h"})
    client.post("/series/young/observations", json={"ds": hours(0, 20), "y": [1.0] * 20})
    refused = forecast(client, "young")
    assert refused["error"]["code"] == "no_history"
    assert "no full step of 'D' yet" in refused["error"]["detail"]
    client.post("/series", json={"id": "weekly", "freq": "W-MON"})
    assert forecast(client, "weekly")["error"]["code"] == "frequency_mismatch"


def check_what_else_reads_days(client: TestClient, database: Database, settings: Settings) -> None:
    found = client.post("/anomalies", json={"model": "m", "series": ["a"], "start": "2024-03-20"}).json()["series"][0]
    assert found["ds"][0] == "2024-03-20T00:00:00+01:00"
    assert found["ds"][-1] == "2024-03-31T00:00:00+01:00"
    assert found["y"][-1] == pytest.approx(575, abs=30)  # 23 hours
    chart = client.get("/forecast/chart?model=m&series=a&history=5")
    assert chart.status_code == 200
    body = {"model": "m", "series": {"ids": ["a"]}, "n_windows": 2}
    backtest = run(client, database, settings, client.post("/backtest", json=body))
    assert backtest["status"] == "succeeded", backtest
    result = client.get(f"/backtests/{backtest['id']}").json()
    assert (result["windows"], result["series"]) == (2, 1)
