"""/forecast of series that are not stored: they are sent along, and checked as an upload is."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.config import Settings
from app.storage.engine import Database
from tests.services.stored import hours, numbers, store, store_beside
from tests.trained import HORIZON, STATIC, Trained, beside, moved, publish, values

pytestmark = pytest.mark.one_database


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    return client


def ask(client: TestClient, history: object, **more: object) -> Any:
    return client.post("/forecast", json={"model": "m", "history": history, **more})


def rows(n: int = 400, first: int = 0) -> dict[str, Any]:
    return {"ds": hours(first, n), "y": values(n)[first:].tolist()}


def test_equals_the_stored_series(served: TestClient) -> None:
    gappy = values()
    gappy[::7] = np.nan
    store(served, "a", gappy)
    backwards = {"ds": hours(0, 400)[::-1], "y": numbers(gappy[::-1])}
    (stored,) = ask(served, {}, series=["a"], quantiles=[0.1, 0.4]).json()["forecasts"]
    (sent,) = ask(served, {"a": backwards}, quantiles=[0.1, 0.4]).json()["forecasts"]
    assert stored == sent
    both = ask(served, {"sent": backwards}, series=["a"]).json()["forecasts"]
    assert [f["series_id"] for f in both] == ["a", "sent"]
    assert served.get("/series").json()["items"] == [served.get("/series/a").json()], "nothing is kept"


def test_the_last_steps_are_enough(served: TestClient, trained: Trained) -> None:
    context = trained.fitted.config.network.context_length
    full, short, shorter = ask(served, {str(n): rows(first=400 - n) for n in (400, context, context - 1)}).json()[
        "forecasts"
    ]
    assert full["yhat"] == short["yhat"] != shorter["yhat"]


def test_rows_after_the_last_value_move_nothing(served: TestClient) -> None:
    trailing = {"ds": hours(0, 410), "y": values().tolist() + [None] * 10}
    first, second = ask(served, {"a": rows(), "b": trailing}).json()["forecasts"]
    assert first["yhat"] == second["yhat"]
    assert second["origin"] == hours(399, 400)[0]


def test_times_are_of_the_timezone(served: TestClient) -> None:
    naive = {"ds": [t[:19] for t in hours(0, 400)], "y": values().tolist(), "timezone": "Europe/Berlin"}
    (found,) = ask(served, {"a": naive}).json()["forecasts"]
    assert found["origin"] == "2024-01-17T15:00:00+01:00"


def test_origin(served: TestClient) -> None:
    cut, short = (ask(served, {"a": rows(n)}, origin=hours(299, 300)[0]).json()["forecasts"][0] for n in (400, 300))
    assert cut == short
    (early,) = ask(served, {"a": rows()}, origin="2020-01-01").json()["forecasts"]
    assert early["error"]["code"] == "no_history"


@pytest.mark.parametrize("history", [{"ds": [], "y": []}, {"ds": hours(0, 3), "y": [None] * 3}])
def test_without_a_value(served: TestClient, history: dict[str, Any]) -> None:
    good, bad = ask(served, {"a": rows(), "b": history}).json()["forecasts"]
    assert (good["status"], bad["error"]["code"]) == ("ok", "no_history")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"ds": hours(0, 1)}, "length_mismatch", "body.history.a.y"),
        ({"covariates": {"x": [1.0]}}, "length_mismatch", "body.history.a.covariates.x"),
        ({"covariates": {"x": [1.0] * 400}}, "covariate_not_found", "body.history.a.covariates.x"),
        ({"static": {"x": 1.0}}, "covariate_not_found", "body.history.a.static.x"),
        ({"timezone": "Mars/Base"}, "invalid_timezone", "body.history.a.timezone"),
        ({"ds": ["then", *hours(1, 400)]}, "invalid_timestamp", "body.history.a.ds.0"),
        ({"ds": ["2024-01-01T00:00:07Z", *hours(1, 400)]}, "off_grid", "body.history.a.ds.0"),
        ({"ds": [*hours(0, 399), hours(0, 1)[0]]}, "duplicate_timestamp", "body.history.a.ds.399"),
        ({"freq": "D"}, "invalid_input", "body.history.a.freq"),
        ({"y": ["1"] * 400}, "invalid_input", "body.history.a.y.0"),
    ],
)
def test_bad_histories(served: TestClient, change: dict[str, object], code: str, field: str) -> None:
    response = ask(served, {"a": {**rows(), **change}})
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.json()["errors"][0]["field"] == field


def test_what_is_asked_for(served: TestClient) -> None:
    store(served, "a", values())
    for body in ({"history": {}}, {"history": {"": rows()}}):
        response = served.post("/forecast", json={"model": "m", **body})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_input")


def test_a_series_that_is_named_and_sent_is_the_one_that_is_sent(served: TestClient) -> None:
    store(served, "a", values())
    sent = {"a": rows(300)}
    body = {"model": "m", "series": ["a"], "history": sent}
    (found,) = served.post("/forecast", json=body).json()["forecasts"]
    assert found == ask(served, sent).json()["forecasts"][0]
    assert found["origin"] == hours(299, 300)[0]


def test_a_history_of_seven_thousand_years_is_read_at_its_end(served: TestClient) -> None:
    far = {"ds": ["1000-01-01T00:00:00Z", *hours(0, 400)], "y": [1.0, *values().tolist()]}
    first, second = ask(served, {"a": rows(), "b": far}).json()["forecasts"]
    assert first["yhat"] == pytest.approx(second["yhat"])


def test_with_covariates(client: TestClient, database: Database, settings: Settings, trained_beside: Trained) -> None:
    publish(database, settings, trained_beside)
    store_beside(client, "b", seed=1)
    history: dict[str, Any] = {
        "ds": hours(0, 400 + HORIZON),
        "y": moved(400, 1).tolist() + [None] * HORIZON,
        "covariates": beside(400 + HORIZON, 1),
        "static": STATIC["b"],
    }
    known = {name: column[-HORIZON:] for name, column in history["covariates"].items() if name != "flow"}
    shorter = {
        "ds": history["ds"][:400],
        "y": history["y"][:400],
        "covariates": {name: column[:400] for name, column in history["covariates"].items()},
        "static": STATIC["b"],
    }
    stored, sent, told = ask(client, {"sent": history, "told": shorter}, series=["b"], future={"told": known}).json()[
        "forecasts"
    ]
    # windows of one batch share its arithmetic only to float32's rounding
    assert stored["yhat"] == pytest.approx(sent["yhat"])
    assert told["yhat"] == pytest.approx(sent["yhat"])
    (missing,) = ask(client, {"told": shorter}).json()["forecasts"]
    assert missing["error"]["code"] == "missing_future_covariates"
    (kind,) = ask(client, {"x": {**history, "static": {"size": "big"}}}).json()["forecasts"]
    assert kind["error"]["code"] == "covariate_kind_conflict"
    text = ask(client, {"x": {**history, "covariates": {"temp": ["warm"] * (400 + HORIZON)}}})
    assert (text.status_code, text.json()["code"]) == (422, "covariate_kind_conflict")


@pytest.mark.parametrize("table", ["series", "models"])
def test_older_spellings_of_a_frequency_are_the_same(served: TestClient, database: Database, table: str) -> None:
    store(served, "a", values())
    expected = served.post("/forecast", json={"model": "m", "series": ["a"]}).json()["forecasts"]
    with database.write() as session:
        session.execute(text(f"UPDATE {table} SET freq = '60min'"))
    if table == "series":
        served.put("/series/a", json={"freq": "60min"})  # and so it is read anew
        with database.write() as session:
            session.execute(text("UPDATE series SET freq = '60min'"))
    selected = {"ids": ["a"]}
    assert served.post("/forecast", json={"model": "m", "series": ["a"]}).json()["forecasts"] == expected
    scan = served.post("/anomalies", json={"model": "m", "series": ["a"]})
    assert (scan.status_code, "ds" in scan.json()["series"][0]) == (200, True)
    assert served.post("/backtest", json={"model": "m", "series": selected, "n_windows": 2}).status_code == 202
    again = {"model": "m", "series": selected, "horizon": HORIZON}
    assert served.post("/train", json=again).status_code == 202
    warm = {"model": "warm", "series": selected, "horizon": HORIZON, "warm_start": "m@1"}
    assert served.post("/train", json=warm).status_code == 202


@pytest.mark.parametrize("ds", ["1704121200000", "01/02/2024", "2024-W01-1"])
def test_origins_and_histories_are_read_as_strictly_as_uploads(served: TestClient, ds: str) -> None:
    store(served, "a", values())
    refused = served.post("/forecast", json={"model": "m", "series": ["a"], "origin": ds})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_timestamp")
    assert "looks like" in refused.json()["detail"]
    refused = ask(served, {"b": {"ds": [ds], "y": [1]}})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.history.b.ds.0")
