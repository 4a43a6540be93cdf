"""/forecast over HTTP by a version that reads covariates, holidays and bounds."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.storage.engine import Database
from models.classical.statistical_models import season_naive
from tests.services.stored import hours, store_beside
from tests.trained import HORIZON, Trained, beside, moved, publish


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained_beside: Trained) -> TestClient:
    publish(database, settings, trained_beside)
    store_beside(client, "a")
    return client


def ask(client: TestClient, *series: str, **more: object) -> Any:
    return client.post("/forecast", json={"model": "m", "series": list(series), **more})


def one(client: TestClient, series: str = "a", **more: object) -> Any:
    """Return the only forecast of an answer."""
    response = ask(client, series, **more)
    assert response.status_code == 200, response.text
    return response.json()["forecasts"][0]


def upload(client: TestClient, series: str, first: int, **columns: list[Any]) -> None:
    """Write covariates, and `y`, from hour `first` on."""
    n = len(next(iter(columns.values())))
    body = {"ds": hours(first, first + n), "y": columns.pop("y", [None] * n), "covariates": columns}
    assert client.post(f"/series/{series}/observations", json=body).status_code == 200


def test_equals_the_trained_network(served: TestClient, trained_beside: Trained) -> None:
    store_beside(served, "b", seed=1)
    expected = trained_beside.fitted.predict(trained_beside.panel)
    for found, wanted in zip(ask(served, "a", "b").json()["forecasts"], expected, strict=True):
        assert (found["status"], found["warnings"]) == ("ok", [])
        np.testing.assert_allclose(found["yhat"], wanted.yhat, rtol=1e-4)
        np.testing.assert_allclose(found["quantiles"]["0.9"], wanted.quantiles[:, 2], rtol=1e-4)


def test_what_is_sent_stands_over_what_is_stored(served: TestClient) -> None:
    temp = beside(400 + HORIZON)["temp"][400:]
    before = one(served)
    same = one(served, future={"a": {"temp": temp, "day": [None] * HORIZON}})
    assert same == before
    warm = one(served, future={"a": {"temp": [t + 5 for t in temp]}})
    assert (np.array(warm["yhat"]) > before["yhat"]).all()
    some = one(served, future={"a": {"temp": [None] * (HORIZON - 1) + [temp[-1] + 5]}})
    assert some["yhat"] != before["yhat"]
    assert one(served) == before, "what was sent is not kept"


def test_a_missing_value_is_an_error_of_its_series(served: TestClient) -> None:
    store_beside(served, "b", known=3)
    good, bad = ask(served, "a", "b").json()["forecasts"]
    assert (good["status"], bad["error"]["code"]) == ("ok", "missing_future_covariates")
    assert "'temp'" in bad["error"]["detail"]
    assert hours(403, 404)[0] in bad["error"]["detail"]
    assert one(served, "b", horizon=3)["status"] == "ok", "what is not asked for need not be known"
    upload(served, "b", 403, temp=[1.0] * 9)
    assert "'day'" in one(served, "b")["error"]["detail"]
    assert one(served, "b", future={"b": {"day": ["work"] * HORIZON}})["status"] == "ok"


def test_a_null_is_missing(served: TestClient) -> None:
    upload(served, "a", 405, temp=[None])
    assert hours(405, 406)[0] in one(served)["error"]["detail"]


@pytest.mark.parametrize("fill", ["last", "season"])
def test_filling(served: TestClient, fill: str) -> None:
    store_beside(served, "b", known=0)
    columns = beside(400)
    shown = (lambda v: [v[-1]] * HORIZON) if fill == "last" else (lambda v: v[400 - 24 : 400 - 24 + HORIZON])
    sent = one(served, "b", future={"b": {name: shown(columns[name]) for name in ("temp", "day")}})
    filled = one(served, "b", covariate_fill=fill)
    assert (filled["yhat"], filled["warnings"], sent["warnings"]) == (sent["yhat"], ["covariates_filled"], [])
    params = {"model": "m", "series": "b", "covariate_fill": fill}
    assert served.get("/forecast", params=params).json()["forecasts"] == [filled]
    assert served.get("/forecast?model=m&series=b").json()["forecasts"][0]["status"] == "error"
    assert one(served, covariate_fill=fill)["warnings"] == [], "nothing was missing"


def test_nothing_to_fill_from_stays_an_error(served: TestClient) -> None:
    served.post("/series", json={"id": "bare", "freq": "h"})
    upload(served, "bare", 0, y=list(range(50)))
    assert one(served, "bare", covariate_fill="season")["error"]["code"] == "missing_future_covariates"
    both = {"temp": [10.0] * HORIZON, "day": ["work"] * HORIZON}
    assert one(served, "bare", future={"bare": both})["status"] == "ok", "other missing values are the network's matter"


def test_after_the_origin_only_what_is_known_counts(served: TestClient) -> None:
    store_beside(served, "short", n=300, known=HORIZON)
    before = one(served, origin=hours(299, 300)[0])
    assert (before["origin"], before["ds"][0]) == (hours(299, 300)[0], hours(300, 301)[0])
    assert before["yhat"] == one(served, "short")["yhat"], "later values are as good as absent"
    upload(served, "a", 300, y=[1e6] * 100, flow=[-1e6] * 100)
    assert one(served, origin=hours(299, 300)[0]) == before
    upload(served, "a", 300, temp=[25.0] * HORIZON)
    assert one(served, origin=hours(299, 300)[0])["yhat"] != before["yhat"]


def test_an_origin_in_a_gap_is_the_value_before_it(served: TestClient) -> None:
    upload(served, "a", 290, y=[None] * 10)
    params = {"model": "m", "series": "a", "origin": hours(299, 300)[0]}
    (found,) = served.get("/forecast", params=params).json()["forecasts"]
    assert found["origin"] == hours(289, 290)[0]
    assert one(served, origin="2030-01-01")["origin"] == hours(399, 400)[0]
    early = one(served, origin="2023-12-31T23:00:00")["error"]
    assert early["code"] == "no_history"
    assert hours(0, 1)[0] in early["detail"]


def test_bounds_hold(served: TestClient) -> None:
    columns = {name: column[-HORIZON:] for name, column in beside(400 + HORIZON).items() if name != "flow"}
    for factor, bound in ((100, 80), (-100, -10)):
        upload(served, "a", 0, y=(factor * moved(400)).tolist())
        found = one(served, future={"a": columns})
        assert found["yhat"] == found["quantiles"]["0.1"] == found["quantiles"]["0.9"] == [bound] * HORIZON


def test_unknown_levels_are_told(served: TestClient) -> None:
    future = {"a": {"day": ["storm"] * HORIZON}}
    assert one(served, future=future)["warnings"] == ["unknown_category"]
    served.put("/series/a", json={"freq": "h", "static": {"size": 3.0, "kind": "ship"}})
    assert one(served)["warnings"] == ["unknown_category"]


def test_text_where_the_model_reads_a_number(served: TestClient) -> None:
    served.put("/series/a", json={"freq": "h", "static": {"size": "big"}})
    error = one(served)["error"]
    assert error["code"] == "covariate_kind_conflict"
    assert "'size'" in error["detail"]


def test_a_covariate_that_was_forgotten_and_came_back_as_text(served: TestClient) -> None:
    assert served.delete("/series/a/observations", params={"covariate": "temp"}).status_code == 204
    assert served.delete("/covariates/temp").status_code == 204
    upload(served, "a", 390, temp=["warm"] * 40)
    error = one(served)["error"]
    assert error["code"] == "covariate_kind_conflict"
    assert "'temp' is numeric in this model, and categorical in the series" in error["detail"]


def test_blanks_around_a_category_do_not_count(served: TestClient) -> None:
    plain = one(served, future={"a": {"day": ["work"] * HORIZON}})
    assert one(served, future={"a": {"day": [" work "] * HORIZON}}) == plain
    assert plain["warnings"] == []


def test_the_floor_answers_where_it_is_asked_for(served: TestClient) -> None:
    store_beside(served, "b", known=0)
    served.post("/series", json={"id": "empty", "freq": "h"})
    first, second, third = ask(served, "a", "b", "empty", on_missing="season_naive").json()["forecasts"]
    assert (first["fallback"], second["fallback"], third["status"]) == (False, True, "error")
    assert second["warnings"] == ["missing_future_covariates"]
    np.testing.assert_allclose(second["yhat"], season_naive(moved(400), HORIZON, 24))
    assert second["quantiles"]["0.5"] == second["yhat"]
    low, high = (np.array(second["quantiles"][level]) for level in ("0.1", "0.9"))
    assert (low < second["yhat"]).all()
    assert (high > second["yhat"]).all()
    assert second["ds"] == first["ds"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"future": {"b": {"temp": [1.0] * 12}}}, "series_not_found", "body.future.b"),
        ({"future": {"a": {"wind": [1.0] * 12}}}, "covariate_not_found", "body.future.a.wind"),
        ({"future": {"a": {"flow": [1.0] * 12}}}, "covariate_not_found", "body.future.a.flow"),
        ({"future": {"a": {"temp": [1.0] * 11}}}, "length_mismatch", "body.future.a.temp"),
        ({"future": {"a": {"temp": [1.0] * 13}}}, "length_mismatch", "body.future.a.temp"),
        ({"horizon": 4, "future": {"a": {"temp": [1.0] * 3}}}, "length_mismatch", "body.future.a.temp"),
        ({"future": {"a": {"temp": ["x"] * 12}}}, "covariate_kind_conflict", "body.future.a.temp"),
        ({"future": {"a": {"day": [1.0] * 12}}}, "covariate_kind_conflict", "body.future.a.day"),
        ({"future": {"a": {"temp": [[True]] * 12}}}, "invalid_input", "body.future.a.temp.0"),
        ({"future": {"a": {"temp": 1.0}}}, "invalid_input", "body.future.a.temp"),
        ({"future": ["a"]}, "invalid_input", "body.future"),
        ({"covariate_fill": "mean"}, "invalid_input", "body.covariate_fill"),
        ({"on_missing": "zero"}, "invalid_input", "body.on_missing"),
        ({"origin": "yesterday"}, "invalid_timestamp", "origin"),
        ({"origin": "x" * 100}, "invalid_input", "body.origin"),
    ],
)
def test_bad_requests(served: TestClient, more: dict[str, object], code: str, field: str | None) -> None:
    response = ask(served, "a", **more)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert field is None or response.json()["errors"][0]["field"] == field


def test_a_shorter_horizon_is_a_prefix(served: TestClient) -> None:
    temp = beside(400 + HORIZON)["temp"][400:]
    full = one(served)["yhat"]
    assert one(served, horizon=4)["yhat"] == full[:4]
    assert one(served, horizon=4, future={"a": {"temp": temp}})["yhat"] == full[:4]
    assert one(served, horizon=4, future={"a": {"temp": temp[:4]}})["yhat"] == full[:4]
