"""The Prometheus query API over HTTP: forecasts and observations as metrics, and what Grafana's data source asks."""

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.config import Settings
from app.main import create_app
from app.scope import Right, Scope
from app.services.access.keys import KeyService
from app.services.metrics.service import MetricsService
from app.storage import archive, keys, registry, series
from app.storage.engine import Database
from app.storage.tables import ArchivedForecast
from tests.e2e.processes import Service
from tests.services.held import forecasts_of
from tests.services.stored import hours, numbers, store
from tests.trained import HORIZON, LEVELS, Trained, publish, values

ONE = pytest.mark.one_database
LENGTH = 300
START = 1_704_067_200
"""2024-01-01, in seconds"""
HOUR = 3600
ORIGIN = START + (LENGTH - 1) * HOUR
Labels = dict[str, str]


class Metrics:
    """The service, with the model `m-1` of the series a, whose labels need other names, and b."""

    def __init__(self, client: TestClient, database: Database) -> None:
        self.client, self.database = client, database

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        params = {name.replace("match", "match[]"): value for name, value in params.items()}
        response = self.client.get(f"/api/v1/{path}", params=params)
        assert response.status_code == status, response.text
        body = response.json()
        assert body["status"] == ("success" if status == 200 else "error"), body
        return body["data"] if status == 200 else body

    def vector(self, query: str, time: float = ORIGIN) -> list[tuple[Labels, float]]:
        data = self.get("query", query=query, time=time)
        assert data["resultType"] == "vector"
        assert {one["value"][0] for one in data["result"]} <= {time}
        return [(one["metric"], float(one["value"][1])) for one in data["result"]]

    def value(self, query: str, time: float = ORIGIN) -> float | None:
        found = self.vector(query, time)
        assert len(found) < 2, found
        return found[0][1] if found else None

    def matrix(self, query: str, first: int, last: int, step: float = HOUR) -> dict[int, float]:
        """Return {hour of 2024: value} of one metric."""
        data = self.get("query_range", query=query, start=START + first * HOUR, end=START + last * HOUR, step=step)
        assert data["resultType"] == "matrix"
        if not data["result"]:
            return {}
        (one,) = data["result"]
        return {(stamp - START) // HOUR: float(value) for stamp, value in one["values"]}

    def archive(self, origin: int, level: float, series_id: str = "a", model: str = "m-1", width: float = 1.0) -> None:
        """Archive a forecast of level, level + 1 … from an hour of 2024, with quantiles so far below and above it."""
        with self.database.write() as session:
            scope = keys.get_default_scope(session)
            row = series.get(session, scope, series_id)
            model_row = registry.get(session, scope, model)
            assert row is not None
            assert model_row is not None
            middle = level + np.arange(HORIZON)
            document = {
                "levels": list(LEVELS),
                "quantiles": np.stack([middle - width, middle, middle + width], axis=1).tolist(),
                "season_naive": [0.0] * HORIZON,
            }
            fields = {"version": 1, "series_version": 1, "scale": 1.0, "forecast": document}
            where = {"model_pk": model_row.pk, "series_pk": row.pk, "origin": (START + origin * HOUR) * 1_000_000}
            archive.add(session, [{**fields, **where}])

    def forecast(self, series_id: str = "a", model: str = "m-1", **more: Any) -> Any:
        body = {"model": model, "series": [series_id], **more}
        return self.client.post("/forecast", json=body).json()["forecasts"][0]


@pytest.fixture
def metrics(client: TestClient, database: Database, settings: Settings, trained: Trained) -> Metrics:
    labels = {"data-center": "eu.1", "model": "x86", "1st": "yes"}
    client.post("/series", json={"id": "a", "freq": "h", "labels": labels})
    store(client, "a", values(LENGTH))
    store(client, "b", 2 * values(LENGTH, seed=1), "Europe/Berlin")
    publish(database, settings, trained, "m-1")
    return Metrics(client, database)


@ONE
def test_save_and_test(metrics: Metrics) -> None:
    body = metrics.client.get("/api/v1/query?query=1%2B1&time=1700000000").json()
    assert body == {"status": "success", "data": {"resultType": "scalar", "result": [1700000000, "2"]}}
    form = {"query": "1+1", "time": "1700000000.5"}
    assert metrics.client.post("/api/v1/query", data=form).json()["data"]["result"] == [1700000000.5, "2"]
    data = metrics.client.post(
        "/api/v1/query_range", data={"query": "3", "start": "0", "end": "60", "step": "30"}
    ).json()
    values_of_3 = [[0, "3"], [30, "3"], [60, "3"]]
    assert data["data"] == {"resultType": "matrix", "result": [{"metric": {}, "values": values_of_3}]}
    build = metrics.get("status/buildinfo")
    assert build["version"].startswith("2.")
    assert "features" not in build


ARITHMETIC = {
    "2 ^ 3 % 5": "3",
    "-(1.5)": "-1.5",
    "1 / 0": "+Inf",
    "-1 / 0": "-Inf",
    "0 / 0": "NaN",
    "5 % 0": "NaN",
    "1 > bool 2": "0",
    "1h": "3600",
    "(-8) ^ 0.5": "NaN",
    "10 ^ 400": "+Inf",
}


@ONE
def test_arithmetic(client: TestClient) -> None:
    for query, value in ARITHMETIC.items():
        found = client.get("/api/v1/query", params={"query": query, "time": 0}).json()["data"]["result"]
        assert found == [0, value], query


@ONE
def test_the_future_is_the_newest_forecast(metrics: Metrics) -> None:
    told = metrics.forecast()
    expected = dict(zip(range(LENGTH, LENGTH + HORIZON), told["yhat"], strict=True))
    query = 'm_1:predicted{ml_forecast="yhat",series="a",model="m-1"}'
    found = metrics.matrix(query, LENGTH - 5, LENGTH + HORIZON - 1)
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()))
    assert metrics.matrix(query, LENGTH + HORIZON + 2, LENGTH + HORIZON + 9) == {}
    lower = metrics.value('m_1:predicted{ml_forecast="yhat_lower",series="a"}', ORIGIN + HOUR)
    upper = metrics.value('m_1:predicted{ml_forecast="yhat_upper",series="a"}', ORIGIN + HOUR)
    assert (lower, upper) == pytest.approx((told["quantiles"]["0.1"][0], told["quantiles"]["0.9"][0]))
    metrics.client.post("/series/a/observations", json={"ds": hours(LENGTH, LENGTH + 1), "y": [50.0]})
    again = metrics.forecast()["yhat"]
    found = metrics.matrix(query, LENGTH, LENGTH + 1)
    assert found == {LENGTH + 1: pytest.approx(again[0])}, "the new value has moved the origin"


def test_the_past_is_what_was_archived_last_before_it(metrics: Metrics) -> None:
    for origin, level in ((100, 1000.0), (103, 2000.0), (110, 3000.0)):
        metrics.archive(origin, level)
    found = metrics.matrix('m_1:predicted{series="a",ml_forecast="yhat"}', 98, 124)
    assert list(found) == list(range(101, 124)), "the last value holds for one step more"
    assert [found[hour] for hour in (101, 103, 104, 110, 111, 122, 123)] == [1000, 1002, 2000, 2006, 3000, 3011, 3011]
    assert metrics.value('m_1:predicted{series="a",ml_forecast="yhat"}', START + 110 * HOUR) == 2006
    assert metrics.value('m_1:predicted{series="a",ml_forecast="yhat"}', START + 111 * HOUR - 1) == 2006
    assert metrics.value('m_1:predicted{series="a",ml_forecast="yhat"}', START + 111 * HOUR) == 3000
    metrics.archive(LENGTH - 3, 5000.0)
    found = metrics.matrix('m_1:predicted{series="a",ml_forecast="yhat"}', LENGTH - 3, LENGTH + 1)
    assert [found[LENGTH - 2], found[LENGTH - 1]] == [5000, 5001]
    assert found[LENGTH] == pytest.approx(metrics.forecast()["yhat"][0]), (
        "an archived forecast gives way to a newer one"
    )


def test_of_two_archived_from_one_origin_the_later_counts(metrics: Metrics) -> None:
    metrics.archive(100, 1.0)
    with metrics.database.write() as session:
        session.execute(update(ArchivedForecast).values(series_version=7))
    metrics.archive(100, 9.0)
    assert metrics.value('m_1:predicted{series="a",ml_forecast="yhat"}', START + 101 * HOUR) == 9


@ONE
def test_actual_values_are_answered_for_one_step(metrics: Metrics) -> None:
    found = metrics.matrix('m_1:actual{series="a"}', 10, 20)
    assert list(found.values()) == values(LENGTH)[10:21].tolist()
    y = values(LENGTH)
    metrics.client.post("/series/a/observations", json={"ds": hours(50, 53), "y": [None] * 3})
    moments = {
        minute: metrics.value('m_1:actual{series="a"}', START + 49 * HOUR + 60 * minute) for minute in (0, 59, 60, 61)
    }
    assert moments == {0: y[49], 59: y[49], 60: y[49], 61: None}
    assert metrics.value('m_1:actual{series="a"}', START - 1) is None
    half = metrics.matrix('m_1:actual{series="b"}', 5, 6, HOUR / 2)
    assert half == {5: 2 * values(LENGTH, seed=1)[5], 6: 2 * values(LENGTH, seed=1)[6]}


def test_anomalous_is_what_left_the_archived_interval(metrics: Metrics) -> None:
    y = [100.0, 99.0, 111.5, 104.0]
    metrics.archive(LENGTH - 1, 100.0, width=2.0)
    metrics.client.post("/series/a/observations", json={"ds": hours(LENGTH, LENGTH + 4), "y": y})
    assert metrics.matrix('m_1:anomalous{series="a"}', LENGTH - 3, LENGTH + 3) == {
        LENGTH: 0,
        LENGTH + 1: 0,
        LENGTH + 2: 1,
        LENGTH + 3: 0,
    }
    metrics.client.post("/series/a/observations", json={"ds": hours(LENGTH + 3, LENGTH + 4), "y": [100.9]})
    assert metrics.value('m_1:anomalous{series="a"}', START + (LENGTH + 3) * HOUR) == -1


@ONE
def test_quantiles_of_all_models(metrics: Metrics) -> None:
    told = metrics.forecast(quantiles=[0.1, 0.25, 0.5, 0.9])["quantiles"]
    found = metrics.vector('gatecast_quantile{series="a"}', ORIGIN + 2 * HOUR)
    assert {labels["quantile"]: value for labels, value in found} == {
        level: pytest.approx(told[level][1]) for level in ("0.1", "0.5", "0.9")
    }
    between = metrics.vector('gatecast_quantile{series="a",quantile="0.25"}', ORIGIN + HOUR)
    assert [(labels["quantile"], value) for labels, value in between] == [("0.25", pytest.approx(told["0.25"][0]))]
    refused = metrics.get("query", 422, query='gatecast_quantile{quantile="0.99"}')
    assert "0.1 to 0.9" in refused["error"]
    metrics.archive(100, 7.0)
    assert metrics.value('gatecast_quantile{model="m-1",series="a",quantile="0.9"}', START + 101 * HOUR) == 8


@ONE
def test_the_greatest_value_within_a_time(metrics: Metrics) -> None:
    yhat = metrics.forecast()["yhat"]
    ((labels, value),) = metrics.vector('gatecast_forecast_max{series="a"}')
    assert (labels["within"], labels["ml_forecast"]) == ("24h", "yhat")
    assert value == pytest.approx(max(yhat))
    assert metrics.value('gatecast_forecast_max{series="a",within="3h"}') == pytest.approx(max(yhat[:3]))
    assert metrics.value('gatecast_forecast_max{series="a",within="1h30m"}', ORIGIN + 2 * HOUR) == pytest.approx(
        max(yhat[1:3])
    )
    upper = metrics.forecast()["quantiles"]["0.9"]
    assert metrics.value('gatecast_forecast_max{series="a",within="7d",ml_forecast="yhat_upper"}') == pytest.approx(
        max(upper)
    )
    assert metrics.value('gatecast_forecast_max{series="a",quantile="0.9"}') == pytest.approx(max(upper))
    assert metrics.value('gatecast_forecast_max{series="a",ml_forecast="trend"}') is None
    assert metrics.value('gatecast_forecast_max{series="a"}', ORIGIN + (HORIZON + 1) * HOUR) is None
    for bad in ("soon", "0s", "-1h"):
        assert "no duration" in metrics.get("query", 422, query=f'gatecast_forecast_max{{within="{bad}"}}')["error"]


@ONE
def test_the_greatest_value_as_it_was_forecast_then(metrics: Metrics) -> None:
    metrics.archive(100, 10.0)
    metrics.archive(104, 50.0)
    found = metrics.matrix('gatecast_forecast_max{series="a",within="2h"}', 99, 106)
    assert found == {100: 11, 101: 12, 102: 13, 103: 14, 104: 51, 105: 52, 106: 53}


@ONE
def test_seconds_until_a_threshold_is_crossed(metrics: Metrics) -> None:
    metrics.archive(100, 10.0, width=2.0)
    at = START + 100 * HOUR
    for query, expected in {
        'above="12.5"': 4 * HOUR,
        'above="12.5",quantile="0.9"': 2 * HOUR,
        'above="12.5",ml_forecast="yhat_upper"': 2 * HOUR,
        'above="9"': HOUR,
        'below="8.5",quantile="0.1"': HOUR,
        'below="9"': None,
        'above="1e9"': None,
    }.items():
        assert metrics.value(f'gatecast_forecast_breach_seconds{{series="a",{query}}}', at) == expected, query
    assert metrics.value('gatecast_forecast_breach_seconds{series="a",above="12.5"}', at + 1800) == 3.5 * HOUR
    ((labels, _),) = metrics.vector('gatecast_forecast_breach_seconds{series="a",above="12.5"}', at)
    assert (labels["above"], labels["quantile"]) == ("12.5", "0.5")
    told = metrics.forecast()["quantiles"]["0.9"]
    threshold = sorted(told)[-3]
    first = next(k for k, value in enumerate(told) if value > threshold)
    query = f'gatecast_forecast_breach_seconds{{series="a",quantile="0.9",above="{threshold}"}}'
    assert metrics.value(query) == (first + 1) * HOUR
    for bad in ("", 'above="1",below="2"', 'above="high"', 'above=~"1"'):
        metrics.get("query", 422, query=f"gatecast_forecast_breach_seconds{{{bad}}}")


@ONE
def test_labels_are_those_of_the_series_made_legal(metrics: Metrics) -> None:
    ((labels, _),) = metrics.vector('m_1:actual{series="a"}')
    assert labels == {
        "__name__": "m_1:actual",
        "model": "m-1",
        "series": "a",
        "_1st": "yes",
        "data_center": "eu.1",
        "exported_model": "x86",
    }


MATCHERS = [
    ('{__name__="m_1:actual"}', "a"),
    ('m_1:actual{data_center="eu.1"}', "a"),
    ('m_1:actual{data_center!=""}', "a"),
    ('m_1:actual{data_center=~"eu.*"}', "a"),
    ('m_1:actual{data_center=~"eu"}', ""),
    ('m_1:actual{data_center=""}', ""),
    ('m_1:actual{series=~"a|z"}', "a"),
    ('m_1:actual{series=~"[a-c]"}', "a"),
    ('m_1:actual{series!~"a"}', ""),
    ('m_1:actual{series!="a"}', ""),
    ('m_1:actual{model=~"m.1"}', "a"),
    ('m_1:actual{nowhere="x"}', ""),
    ('m_1:actual{data_center="\\u0000"}', ""),
    ('{__name__=~".*:actual"}', "a"),
    ('{__name__=~"m_1:.+",__name__!~".*:predicted"}', "a"),
    ('m_1:actual{series="b"}', "b"),
    ('m_1:actual{series=~"a|b"}', "ab"),
    ('{__name__=~".+:actual",series="b"}', ""),
    ("other:actual", ""),
]


def test_matchers(metrics: Metrics) -> None:
    """The model was trained on a; b is answered where it is named."""
    for matchers, found in MATCHERS:
        assert "".join(labels["series"] for labels, _ in metrics.vector(matchers)) == found, matchers


@ONE
def test_offset_and_at(metrics: Metrics) -> None:
    y = values(LENGTH)
    assert metrics.value('m_1:actual{series="a"} offset 2h', START + 10 * HOUR) == y[8]
    assert metrics.value('m_1:actual{series="a"} offset -2h', START + 10 * HOUR) == y[12]
    assert metrics.value(f'm_1:actual{{series="a"}} @ {START + 20 * HOUR}', 0) == y[20]
    assert metrics.matrix('m_1:actual{series="a"} @ end() offset 1h', 5, 7) == dict.fromkeys((5, 6, 7), y[6])
    assert metrics.matrix('m_1:actual{series="a"} @ start()', 5, 7) == dict.fromkeys((5, 6, 7), y[5])
    assert metrics.matrix("m_1:actual @ 7", 5, 7) == {}


def test_a_model_that_aggregates_has_the_values_that_it_reads(metrics: Metrics) -> None:
    metrics.client.post("/series", json={"id": "fine", "freq": "30min"})
    ds = [f"2024-01-01T{k // 2:02}:{k % 2 * 30:02}:00Z" for k in range(48)]
    metrics.client.post("/series/fine/observations", json={"ds": ds, "y": list(range(48))})
    assert metrics.vector('m_1:actual{series="fine"}', START + 10 * HOUR) == [], "it is of another frequency"
    with metrics.database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, "m-1")
        assert model is not None
        version = registry.get_version(session, model, 1)
        assert version is not None
        version.config = version.config | {"cleaning": {"aggregate": {"freq": "h", "by": "sum"}}}
    found = metrics.matrix('m_1:actual{series="fine"}', 0, 22)
    assert found == {hour: 4 * hour + 1 for hour in range(23)}
    metrics.archive(9, 100.0, "fine", width=60.0)
    verdicts = metrics.matrix('m_1:anomalous{series="fine"}', 9, 22)
    assert verdicts == {hour: -(100 + hour - 10 - (4 * hour + 1) > 60) for hour in range(10, 22)} | {22: 0}


@ONE
def test_two_models_of_one_metric_are_refused(metrics: Metrics, settings: Settings, trained: Trained) -> None:
    publish(metrics.database, settings, trained, "m.1")
    refused = metrics.get("query", 422, query='m_1:predicted{series="a"}')
    assert refused["errorType"] == "execution"
    assert "'m-1' and 'm.1'" in refused["error"]
    again = metrics.get("query_range", 422, query="m_1:actual", start=0, end=1, step=1)
    assert "m_1:actual is a metric of two models" in again["error"]
    assert metrics.value('m_1:actual{model="m.1",series="a"}') == values(LENGTH)[-1]
    both = metrics.vector('gatecast_quantile{quantile="0.5"}', ORIGIN + HOUR)
    assert [labels["model"] for labels, _ in both] == ["m-1", "m.1"]


def test_names_values_and_series(metrics: Metrics, database: Database, settings: Settings, trained: Trained) -> None:
    publish(database, settings, trained, "2nd")
    of_models = [f"{model}:{kind}" for model in ("_2nd", "m_1") for kind in ("actual", "anomalous", "predicted")]
    others = ["gatecast_forecast_breach_seconds", "gatecast_forecast_max", "gatecast_quantile"]
    assert metrics.get("label/__name__/values") == sorted(of_models + others)
    assert metrics.get("label/__name__/values", match="m_1:predicted") == ["m_1:predicted"]
    assert metrics.get("label/ml_forecast/values") == ["yhat", "yhat_lower", "yhat_upper"]
    assert metrics.get("label/quantile/values") == ["0.1", "0.5", "0.9"]
    assert metrics.get("label/model/values") == ["2nd", "m-1"]
    assert metrics.get("label/series/values") == ["a"]
    assert metrics.get("label/nowhere/values") == []
    own = ["_1st", "data_center", "exported_model"]
    assert metrics.get("labels", match='m_1:actual{series="a"}') == sorted(["__name__", "model", "series", *own])
    assert metrics.get("labels") == sorted(["__name__", "model", "series", "ml_forecast", "quantile", "within", *own])
    found = metrics.get("series", match=['m_1:predicted{series="a"}', 'm_1:actual{series="a"}'])
    assert [(one["__name__"], one.get("ml_forecast")) for one in found] == [
        ("m_1:predicted", "yhat"),
        ("m_1:predicted", "yhat_lower"),
        ("m_1:predicted", "yhat_upper"),
        ("m_1:actual", None),
    ]
    posted = metrics.client.post("/api/v1/series", data={"match[]": 'm_1:actual{series="a"}'}).json()["data"]
    assert posted == found[3:]
    early = {"start": START - 10, "end": START - 5}
    late = {"start": ORIGIN + 100 * HOUR, "end": ORIGIN + 200 * HOUR}
    assert metrics.get("series", match="m_1:actual", **early) == [], "it begins later"
    assert len(metrics.get("series", match="m_1:actual", **late)) == 1, "it has stopped, and is still forecast"
    limited = metrics.client.get("/api/v1/series", params={"match[]": "m_1:predicted", "limit": 2}).json()
    assert (len(limited["data"]), len(limited["warnings"])) == (2, 1)
    metadata = metrics.get("metadata")
    assert metadata["m_1:predicted"][0]["type"] == "gauge"
    assert list(metrics.get("metadata", metric="m_1:actual")) == ["m_1:actual"]


@ONE
def test_what_has_no_forecast_is_a_warning(metrics: Metrics) -> None:
    with metrics.database.write() as session:
        registry.get(session, keys.get_default_scope(session), "m-1").champion = None  # type: ignore[union-attr]
    metrics.archive(LENGTH - 1, 70.0)
    params = {"query": 'm_1:predicted{series="a",ml_forecast="yhat"}', "time": ORIGIN + HOUR}
    body = metrics.client.get("/api/v1/query", params=params).json()
    assert [one["value"][1] for one in body["data"]["result"]] == ["70"], "what was archived is still answered"
    assert "no version of the model 'm-1' is live" in body["warnings"][0]


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("query", {"query": "rate(m_1:actual[5m])"}, 422, "execution"),
    ("query", {"query": "sum(m_1:actual)"}, 422, "execution"),
    ("query", {"query": "m_1:actual > 5"}, 422, "execution"),
    ("query", {"query": "m_1:actual[5m]"}, 422, "execution"),
    ("query", {"query": '"text"'}, 422, "execution"),
    ("query", {"query": "time()"}, 422, "execution"),
    ("query", {"query": "-m_1:actual"}, 422, "execution"),
    ("query", {"query": "(" * 2000 + "1" + ")" * 2000}, 422, "execution"),
    ("query", {"query": "1" + "+1" * 5000}, 422, "execution"),
    ("query", {"query": "-" * 9000 + "(1)"}, 422, "execution"),
    ("query", {"query": "m_1:actual{"}, 400, "bad_data"),
    ("query", {"query": '"' + '\\"' * 9000}, 400, "bad_data"),
    ("query", {"query": '# "\n' + "(" * 9000 + ')#"'}, 400, "bad_data"),
    ("query", {"query": "x" * 20_001}, 400, "bad_data"),
    ("query", {"query": "{}"}, 400, "bad_data"),
    ("query", {"query": 'm_1:actual{series=~"("}'}, 400, "bad_data"),
    ("query", {"query": 'm_1:actual{series=~"a)|(b"}'}, 400, "bad_data"),
    ("query", {"query": 'm_1:actual{series=~"a" or series="b"}'}, 400, "bad_data"),
    ("query", {"query": "m_1:actual offset 99999999y"}, 400, "bad_data"),
    ("query", {"query": "m_1:actual offset 2000000y"}, 400, "bad_data"),
    ("query", {"query": "m_1:actual @ -1"}, 400, "bad_data"),
    ("query", {"query": "m_1:actual @ 1e999"}, 400, "bad_data"),
    ("query", {"query": "m_1:actual @ 99999999999999"}, 400, "bad_data"),
    ("query", {}, 400, "bad_data"),
    ("query", {"query": "1", "time": "soon"}, 400, "bad_data"),
    ("query", {"query": "1", "time": "1e20"}, 400, "bad_data"),
    ("query", {"query": "1", "time": "nan"}, 400, "bad_data"),
    ("query_range", {"query": "1", "start": 0, "end": 1}, 400, "bad_data"),
    ("query_range", {"query": "1", "start": 0, "end": 1, "step": 0}, 400, "bad_data"),
    ("query_range", {"query": "1", "start": 0, "end": 1, "step": "x"}, 400, "bad_data"),
    ("query_range", {"query": "1", "start": 0, "end": 1, "step": -1}, 400, "bad_data"),
    ("query_range", {"query": "1", "start": 0, "end": 1, "step": "1e400"}, 400, "bad_data"),
    ("query_range", {"query": "1", "start": 2, "end": 1, "step": 1}, 400, "bad_data"),
    ("query_range", {"query": "1", "start": 0, "end": 11_000, "step": 1}, 400, "bad_data"),
    ("series", {}, 400, "bad_data"),
    ("series", {"match[]": "1+1"}, 400, "bad_data"),
    ("series", {"match[]": ["m_1:actual"] * 51}, 422, "execution"),
    ("series", {"match[]": "m_1:actual", "limit": "-1"}, 400, "bad_data"),
    ("nowhere", {}, 404, "not_found"),
]


@ONE
def test_what_is_refused(metrics: Metrics) -> None:
    for path, params, status, kind in REFUSED:
        response = metrics.client.get(f"/api/v1/{path}", params=params)
        body = response.json()
        assert (response.status_code, body["status"], body["errorType"]) == (status, "error", kind), params
        assert len(body["error"]) > 10
        assert response.headers["content-type"] == "application/json"


@ONE
def test_times_and_steps_are_read_as_prometheus_does(metrics: Metrics) -> None:
    query = {"query": 'm_1:actual{series="a"}', "start": "2024-01-01T05:00:00Z", "end": "2024-01-01T07:00:00+00:00"}
    (one,) = metrics.get("query_range", step="1h", **query)["result"]
    assert [stamp for stamp, _ in one["values"]] == [START + k * HOUR for k in (5, 6, 7)]
    assert metrics.get("query_range", query="1", start=0, end=10_999, step=1, timeout="30s", stats="all")["result"]


@ONE
def test_a_regular_expression_takes_no_time(metrics: Metrics) -> None:
    metrics.client.post("/series", json={"id": "a" * 190, "freq": "h"})
    metrics.client.post(f"/series/{'a' * 190}/observations", json={"ds": hours(0, 50), "y": numbers(values(50))})
    assert metrics.vector('m_1:actual{series=~"(a+)+b"}') == []
    assert metrics.vector('m_1:actual{series!~"(a|aa)+c?b"}')[0][0]["series"] == "a"


@ONE
def test_what_would_be_too_much(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    service = "app.services.metrics"
    for limit, value, query in (
        ("service.MOST_METRICS", 2, "m_1:predicted"),
        ("service.MOST_MODELS", 0, "m_1:predicted"),
        ("service.MOST_SAMPLES", 20, "m_1:predicted"),
        ("samples.MOST_OBSERVATIONS", 5, "m_1:actual"),
        ("catalog.MOST_SCANNED", 0, "m_1:actual"),
        ("forecasts.MOST_ORIGINS", 0, "m_1:predicted"),
        ("forecasts.MOST_READ", 0, "m_1:predicted"),
        ("forecasts.MOST_VALUES", 1, "m_1:predicted"),
    ):
        metrics.archive(100, 1.0)
        with monkeypatch.context() as patch:
            patch.setattr(f"{service}.{limit}", value)
            refused = metrics.get("query_range", 422, query=query, start=START + 100 * HOUR, end=ORIGIN, step=HOUR)
            assert "fewer series" in refused["error"] or "narrow it down" in refused["error"], limit
    listed = metrics.client.get("/api/v1/labels", params={"match[]": '{series="a"}'}).json()
    assert "warnings" not in listed


class TestKeys:
    """Every failure is of Prometheus' shape, that of a key too."""

    @pytest.fixture
    def locked(self, settings: Settings) -> Iterator[TestClient]:
        with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
            yield client

    @ONE
    def test_a_key_as_bearer_or_as_password(self, locked: TestClient, database: Database) -> None:
        secret = KeyService(database, auth=True).create("grafana", read_only=True).secret
        basic = base64.b64encode(f"grafana:{secret}".encode()).decode()
        wrong = base64.b64encode(b"grafana:gk_wrong").decode()
        for header, status in {
            f"Bearer {secret}": 200,
            f"Basic {basic}": 200,
            f"basic {basic}": 200,
            f"Basic {wrong}": 401,
            "Basic %%%": 401,
            f"Token {secret}": 401,
            "": 401,
        }.items():
            response = locked.get("/api/v1/query?query=1", headers={"Authorization": header} if header else {})
            assert response.status_code == status, header
            if status == 401:
                assert (response.json()["status"], response.json()["errorType"]) == ("error", "unauthorized")
                assert "www-authenticate" in response.headers
        assert locked.get("/api/v1/status/buildinfo").status_code == 401

    @ONE
    def test_errors_of_http_itself(self, client: TestClient) -> None:
        for response, status in (
            (client.delete("/api/v1/query"), 405),
            (client.get("/api/v1/rules"), 404),
            (client.post("/api/v1/query", content=b"x", headers={"Content-Encoding": "br"}), 415),
            (client.post("/api/v1/query", content=b"x", headers={"Content-Length": "99999999"}), 413),
            (client.post("/api/v1/query", data={"query": "x" * 2_000_000}), 413),
        ):
            assert response.status_code == status, response.text
            assert set(response.json()) == {"status", "errorType", "error"}
        assert client.get("/series/nowhere").json()["code"] == "series_not_found", "ours are problem documents"


@ONE
def test_another_project_sees_nothing(metrics: Metrics, trained: Trained) -> None:
    service = MetricsService(metrics.database, forecasts_of(metrics.client))
    stranger = Scope(999, frozenset(Right))
    assert service.list_names(stranger) == []
    result = service.query(stranger, "m_1:actual", np.array([ORIGIN * 1_000_000]))
    assert list(result.metrics) == []


GRAFANA: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "query", {"query": "1+1", "time": "1704067200"}),
    ("POST", "query_range", {"query": "m_1:actual", "start": START + HOUR, "end": START + 9 * HOUR, "step": 15}),
    ("GET", "labels", {"start": START, "end": ORIGIN, "match[]": '{__name__="m_1:predicted"}'}),
    ("POST", "labels", {"start": START, "end": ORIGIN, "limit": "40000"}),
    ("GET", "label/series/values", {"start": START, "end": ORIGIN, "match[]": '{model="m-1"}'}),
    ("GET", "label/__name__/values", {"start": START, "end": ORIGIN}),
    ("POST", "series", {"start": START, "end": ORIGIN, "match[]": '{__name__=~".*predicted"}'}),
    ("GET", "metadata", {"limit": "5000"}),
    ("GET", "status/buildinfo", {}),
]


@ONE
def test_requests_of_the_data_source_of_grafana(metrics: Metrics) -> None:
    for method, path, parameters in GRAFANA:
        carried = {"params": parameters} if method == "GET" else {"data": parameters}
        response = metrics.client.request(method, f"/api/v1/{path}", **carried)
        assert response.status_code == 200, response.text
        assert response.json()["status"] == "success"
        assert response.json()["data"], path


@ONE
@pytest.mark.process
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here: Debian's package prometheus has it")
def test_promtool(database_url: str, tmp_path: Path, metrics: Metrics, settings: Settings) -> None:
    metrics.archive(100, 1000.0)
    service = Service(tmp_path, database_url, GATECAST_ARTIFACTS_URL=settings.artifacts)
    try:
        url = service.serve()

        def ask(kind: str, *arguments: str, fails: bool = False) -> str:
            flags = [argument for argument in arguments if argument.startswith("--")]
            others = [argument for argument in arguments if not argument.startswith("--")]
            command = ["promtool", "query", kind, *flags, url, *others]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert (done.returncode != 0) is fails, done.stderr
            return done.stderr if fails else done.stdout

        at = START + 101 * HOUR
        assert ask("instant", "1+1").startswith("scalar: 2 @[")
        query = 'm_1:predicted{series="a",ml_forecast="yhat"}'
        line = ask("instant", f"--time={at}", query)
        assert line.startswith("m_1:predicted{")
        assert line.endswith(f"=> 1000 @[{at}]\n")
        span = (f"--start={at}", f"--end={at + 2 * HOUR}", "--step=1h")
        assert [part.split(" @")[0] for part in ask("range", *span, query).splitlines()[1:]] == ["1000", "1001", "1002"]
        assert 'series="a"' in ask("instant", f"--time={ORIGIN + HOUR}", "m_1:predicted")
        assert '__name__="m_1:actual"' in ask("series", "--match=m_1:actual")
        assert ask("labels", "ml_forecast").split() == ["yhat", "yhat_lower", "yhat_upper"]
        assert "let Grafana compute" in ask("instant", "rate(x[5m])", fails=True)
    finally:
        service.stop()
