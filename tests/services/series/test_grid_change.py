"""PUT /series/{id} with another frequency or timezone, over HTTP."""

from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.one_database  # what fits is told by the stamps alone


def make(client: TestClient, freq: str, timezone: str = "UTC", **rows: object) -> None:
    """Make the series `a`, with the rows of an upload if there are any."""
    assert client.post("/series", json={"id": "a", "freq": freq, "timezone": timezone}).status_code == 201
    if rows:
        response = client.post("/series/a/observations", json=rows)
        assert response.status_code == 200, response.text


def change(client: TestClient, freq: str, timezone: str = "UTC") -> tuple[int, dict[str, Any]]:
    """Return status and body of the change."""
    response = client.put("/series/a", json={"freq": freq, "timezone": timezone})
    return response.status_code, response.json()


def spell(freq: str, timezone: str = "UTC", start: str = "2024-01-01", periods: int = 400) -> list[str]:
    """Return stamps of a frequency with their offsets."""
    return [stamp.isoformat() for stamp in pd.date_range(start, periods=periods, freq=freq, tz=timezone)]


@pytest.mark.parametrize(
    ("freq", "ds", "other", "status"),
    [
        ("h", "2024-01-01", "60min", 200),
        ("QE-MAR", "2024-03-31", "QE", 200),
        ("3MS", "2024-01-01", "QS", 200),
        ("3MS", "2024-02-01", "QS", 409),
        ("7D", "2024-01-07", "W", 200),
        ("7D", "2024-01-08", "W", 409),
        ("24h", "2024-01-01", "D", 200),
        ("MS", "2024-01-01", "D", 200),
    ],
)
def test_a_frequency_may_be_spelt_anew(client: TestClient, freq: str, ds: str, other: str, status: int) -> None:
    make(client, freq, ds=[ds], y=[1])
    assert change(client, other)[0] == status
    assert client.get("/series/a/observations").json()["y"] == [1]


@pytest.mark.parametrize(
    ("freq", "timezone", "periods", "other", "elsewhere"),
    [
        ("D", "UTC", 400, "h", "UTC"),
        ("D", "UTC", 400, "6h", "Asia/Tokyo"),
        ("MS", "UTC", 40, "D", "UTC"),
        ("B", "UTC", 400, "D", "UTC"),
        ("W-SUN", "UTC", 60, "D", "UTC"),
        ("h", "UTC", 2000, "30min", "Australia/Lord_Howe"),
        ("h", "Europe/Berlin", 2000, "h", "Asia/Kolkata"),
        ("D", "Europe/Berlin", 400, "D", "Europe/Paris"),
        ("QS", "Europe/Berlin", 12, "MS", "Europe/Rome"),
    ],
)
def test_a_series_takes_a_frequency_and_a_timezone_that_all_rows_fit(
    client: TestClient, freq: str, timezone: str, periods: int, other: str, elsewhere: str
) -> None:
    ds = spell(freq, timezone, periods=periods)
    make(client, freq, timezone, ds=ds, y=list(range(periods)))
    status, series = change(client, other, elsewhere)
    assert (status, series["freq"], series["timezone"], series["count"]) == (200, other, elsewhere, periods)
    stored = client.get("/series/a/observations", params={"limit": 5000}).json()
    assert [pd.Timestamp(stamp) for stamp in stored["ds"]] == [pd.Timestamp(stamp) for stamp in ds]
    assert stored["y"] == list(range(periods))
    step = pd.date_range(pd.Timestamp(ds[-1]).tz_convert(elsewhere), periods=2, freq=other)[1].isoformat()
    assert client.post("/series/a/observations", json={"ds": [step], "y": [1]}).status_code == 200


def test_rows_that_do_not_fit_are_named_and_nothing_is_changed(client: TestClient) -> None:
    make(client, "h", ds=spell("h", periods=48), y=[1] * 48)
    status, problem = change(client, "D")
    assert (status, problem["code"], len(problem["errors"])) == (409, "series_exists", 20)
    assert problem["errors"][0] == {
        "field": "body.freq",
        "code": "off_grid",
        "detail": "2024-01-01T01:00:00+00:00 is not on the series' grid of frequency 'D'; "
        "a step near it is 2024-01-01T00:00:00+00:00",
    }
    for part in (
        "46 of the series' 48 rows would lie on no grid of frequency 'D' in UTC: 2024-01-01T01:00:00+00:00, ",
        "Keep frequency 'h' and timezone UTC",
        "cleaning.aggregate",
        "GET /series/export",
        "DELETE /series/{id}/observations",
    ):
        assert part in problem["detail"]
    assert client.get("/series/a").json()["freq"] == "h"


@pytest.mark.parametrize(
    ("timezone", "other", "cause"),
    [
        ("UTC", "Europe/London", "2024-01-01T00:00:00+00:00"),
        ("Europe/Berlin", "UTC", "the timestamps are midnights of Europe/"),
        ("Europe/Berlin", "Africa/Lagos", "the timestamps are midnights of Europe/"),
    ],
)
def test_days_of_another_timezone_do_not_fit(client: TestClient, timezone: str, other: str, cause: str) -> None:
    """Of the 366 days of 2024, 210 begin in summer time; the other 156 are off the grid that has most of the days."""
    make(client, "D", timezone, ds=spell("D", timezone, periods=366), y=[1] * 366)
    status, problem = change(client, "D", other)
    assert (status, problem["errors"][0]["field"]) == (409, "body.timezone")
    assert problem["detail"].startswith("156 of the series' 366 rows would lie on no grid of frequency 'D' in")
    assert cause in problem["detail"]
    assert client.get("/series/a").json()["timezone"] == timezone


def test_covariates_after_the_last_value_count_too(client: TestClient) -> None:
    make(client, "h", ds=["2024-01-01", "2024-01-02"], y=[1, 2])
    later = {"ds": ["2024-01-03T07:00:00"], "covariates": {"temp": [3]}}
    assert client.post("/series/a/observations", json=later).status_code == 200
    status, problem = change(client, "D")
    assert (status, problem["detail"].split(": ")[1].startswith("2024-01-03T07:00:00+00:00 (")) == (409, True)
    assert change(client, "30min")[0] == 200


def test_the_phase_follows_the_rows(client: TestClient) -> None:
    """Three days lie between the two rows, and the grid of every third day has both."""
    make(client, "D", ds=["2024-01-02", "2024-01-05"], y=[1, 2])
    assert change(client, "2D")[0] == 409
    assert change(client, "3D")[0] == 200
    assert client.post("/series/a/observations", json={"ds": ["2024-01-03"], "y": [1]}).status_code == 422
    assert client.post("/series/a/observations", json={"ds": ["2024-01-08"], "y": [1]}).status_code == 200


def test_a_series_without_rows_takes_any(client: TestClient) -> None:
    make(client, "h", ds=["2024-01-01T07:00:00"], y=[1])
    assert client.delete("/series/a/observations").status_code == 204
    assert change(client, "D", "Asia/Tokyo")[0] == 200
    assert client.post("/series/a/observations", json={"ds": ["2024-01-01"], "y": [1]}).status_code == 200
