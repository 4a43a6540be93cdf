"""/forecast with questions: paths, sums, several futures, and steps beyond the trained horizon."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.config import Settings
from app.storage.engine import Database
from tests.services.stored import hours, numbers, store, store_beside
from tests.trained import HORIZON, Trained, beside, publish, values

pytestmark = [pytest.mark.one_database, pytest.mark.training]

Floats = NDArray[np.float64]
LENGTH = 640
QUANTILES = ("0.1", "0.5", "0.9")


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    for series_id, seed in (("a", 0), ("b", 1)):
        store(client, series_id, values(LENGTH, seed))
    return client


def ask(client: TestClient, *series: str, model: str = "m", **more: Any) -> Any:
    answer = client.post("/forecast", json={"model": model, "series": list(series), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refuse(client: TestClient, *series: str, model: str = "m", **more: Any) -> Any:
    answer = client.post("/forecast", json={"model": model, "series": list(series), **more})
    assert answer.status_code == 422, answer.text
    return answer.json()


def paths_of(forecast: Any) -> Floats:
    return np.array(forecast["paths"])


def test_paths_say_of_each_step_what_the_forecast_says(served: TestClient) -> None:
    (one,) = ask(served, "a", paths=2000)["forecasts"]
    paths = paths_of(one)
    assert paths.shape == (2000, HORIZON)
    width = np.array(one["quantiles"]["0.9"]) - np.array(one["quantiles"]["0.1"])
    for name in QUANTILES:
        distance = np.abs(np.quantile(paths, float(name), axis=0) - one["quantiles"][name])
        assert (distance < 0.01 * width).all()
    plain = ask(served, "a")["forecasts"][0]
    assert one["quantiles"] == plain["quantiles"]
    assert one["yhat"] == plain["yhat"]
    assert one["extrapolated"] is False
    assert one["warnings"] == []


def test_the_same_seed_gives_the_same_paths(served: TestClient) -> None:
    first, again, other = (ask(served, "a", paths=50, seed=seed)["forecasts"][0]["paths"] for seed in (1, 1, 2))
    assert first == again != other


def test_few_paths_are_drawn_from_many(served: TestClient) -> None:
    alone = [paths_of(ask(served, "a", paths=1, seed=seed)["forecasts"][0])[0] for seed in range(60)]
    one = ask(served, "a", paths=1, aggregate={"over": "horizon"})
    width = np.array(one["forecasts"][0]["quantiles"]["0.9"]) - one["forecasts"][0]["quantiles"]["0.1"]
    assert (np.std(alone, axis=0) > 0.2 * width).all()  # 0.39 of a normal law
    assert one["aggregates"][0]["quantiles"]["0.9"] > one["aggregates"][0]["quantiles"]["0.1"]


def test_sums_of_paths_are_the_aggregates(served: TestClient) -> None:
    for function, divisor in (("sum", 1), ("mean", HORIZON)):
        answer = ask(served, "a", "b", paths=1000, aggregate={"over": "horizon", "function": function})
        for one, total in zip(answer["forecasts"], answer["aggregates"], strict=True):
            sums = paths_of(one).sum(axis=1) / divisor
            assert total["series_id"] == one["series_id"]
            assert (total["start"], total["steps"]) == (one["ds"][0], HORIZON)
            np.testing.assert_allclose([total["quantiles"][q] for q in QUANTILES], np.quantile(sums, [0.1, 0.5, 0.9]))
            assert total["yhat"] == pytest.approx(np.median(sums))


def test_sums_over_series_have_a_value_a_step(served: TestClient) -> None:
    answer = ask(served, "a", "b", "none", paths=1000, aggregate={"over": "series", "quantiles": [0.2, 0.8]})
    together = paths_of(answer["forecasts"][0]) + paths_of(answer["forecasts"][1])
    assert len(answer["aggregates"]) == HORIZON
    for step, total in enumerate(answer["aggregates"]):
        assert total["series_id"] is None
        assert (total["series"], total["missing"]) == (2, ["none"])
        assert total["start"] == answer["forecasts"][0]["ds"][step]
        assert [*total["quantiles"]] == ["0.2", "0.8"]
        np.testing.assert_allclose([*total["quantiles"].values()], np.quantile(together[:, step], [0.2, 0.8]))
    assert answer["aggregates"][0]["end"] == answer["aggregates"][1]["start"]


def test_durations_are_whole_numbers_of_steps(served: TestClient) -> None:
    spans = ask(served, "a", aggregate={"over": "5h"})["aggregates"]
    assert [one["steps"] for one in spans] == [5, 5, 2]
    assert spans[0]["end"] == spans[1]["start"]
    assert refuse(served, "a", aggregate={"over": "90min"})["code"] == "invalid_duration"
    assert refuse(served, "a", aggregate={"over": "a week"})["code"] == "invalid_duration"
    assert refuse(served, "a", aggregate={"over": "week"})["code"] == "invalid_duration"


def test_sums_of_means_are_means_of_sums(served: TestClient) -> None:
    answer = ask(served, "a", point="mean", aggregate={"over": "horizon"})
    assert answer["aggregates"][0]["yhat"] == pytest.approx(sum(answer["forecasts"][0]["yhat"]))


def test_the_interval_of_a_sum_lies_between_those_of_steps_alone_and_alike(served: TestClient) -> None:
    answer = ask(served, "a", paths=1000, aggregate={"over": "horizon"})
    one, total = answer["forecasts"][0], answer["aggregates"][0]
    width = total["quantiles"]["0.9"] - total["quantiles"]["0.1"]
    alike = sum(one["quantiles"]["0.9"]) - sum(one["quantiles"]["0.1"])
    assert alike / np.sqrt(HORIZON) * 0.6 < width < alike


def test_nothing_after_the_origin_is_seen(served: TestClient) -> None:
    origin = hours(LENGTH - 1, LENGTH)[0]
    known = ask(served, "a", paths=100, origin=origin, aggregate={"over": "horizon"}, extrapolate=True, horizon=20)
    body = {"ds": hours(LENGTH, LENGTH + 40), "y": [900.0] * 40}
    assert served.post("/series/a/observations", json=body).status_code == 200
    later = ask(served, "a", paths=100, origin=origin, aggregate={"over": "horizon"}, extrapolate=True, horizon=20)
    assert known == later


def test_a_new_observation_counts(served: TestClient) -> None:
    before = ask(served, "a", paths=20)["forecasts"][0]
    body = {"ds": hours(LENGTH, LENGTH + 1), "y": [20.0]}
    assert served.post("/series/a/observations", json=body).status_code == 200
    after = ask(served, "a", paths=20)["forecasts"][0]
    assert after["origin"] > before["origin"]
    assert after["quantiles"] == ask(served, "a")["forecasts"][0]["quantiles"]


def test_histories_are_answered_as_stored_series_are(served: TestClient) -> None:
    asked: dict[str, Any] = {"paths": 50, "aggregate": {"over": "horizon"}, "horizon": 20, "extrapolate": True}
    stored = ask(served, "a", **asked)
    history = {"a": {"ds": hours(0, LENGTH), "y": numbers(values(LENGTH, 0))}}
    sent = ask(served, history=history, **asked)
    np.testing.assert_allclose(paths_of(sent["forecasts"][0]), paths_of(stored["forecasts"][0]), rtol=1e-6)
    assert sent["forecasts"][0]["warnings"] == stored["forecasts"][0]["warnings"]


def test_the_built_in_model_answers_too(served: TestClient) -> None:
    answer = ask(served, "a", "b", model="auto", horizon=24, paths=100, aggregate={"over": "horizon"})
    one = answer["forecasts"][0]
    assert one["zero_shot"] is True
    assert paths_of(one).shape == (100, 24)
    assert one["warnings"] == []
    assert answer["aggregates"][1]["series_id"] == "b"


def test_a_longer_horizon_goes_on_from_the_trained_one(served: TestClient) -> None:
    detail = refuse(served, "a", horizon=2 * HORIZON)["detail"]
    assert "extrapolate" in detail
    plain = ask(served, "a")["forecasts"][0]
    (one,) = ask(served, "a", horizon=4 * HORIZON, extrapolate=True, paths=100)["forecasts"]
    assert one["extrapolated"] is True
    assert len(one["ds"]) == len(set(one["ds"])) == len(one["yhat"]) == 4 * HORIZON
    assert one["ds"][:HORIZON] == plain["ds"]
    assert one["yhat"][:HORIZON] == plain["yhat"]
    for name in QUANTILES:
        assert one["quantiles"][name][:HORIZON] == plain["quantiles"][name]
    low, middle, high = (np.array(one["quantiles"][name]) for name in QUANTILES)
    assert (low <= middle).all()
    assert (middle <= high).all()
    width = high - low
    assert width[HORIZON:].mean() > 0.8 * width[:HORIZON].mean()
    future = 20 + 6 * np.sin(2 * np.pi * np.arange(LENGTH, LENGTH + 4 * HORIZON) / 24)
    assert np.abs(middle - future).mean() < 3  # the day goes on
    assert paths_of(one).shape == (100, 4 * HORIZON)
    assert refuse(served, "a", horizon=4 * HORIZON + 1, extrapolate=True)["code"] == "horizon_too_long"
    assert ask(served, "a", horizon=5, extrapolate=True)["forecasts"][0]["extrapolated"] is False


def test_a_longer_horizon_comes_as_a_table(served: TestClient) -> None:
    body = {"model": "m", "series": ["a", "none"], "horizon": 2 * HORIZON, "extrapolate": True}
    answer = served.post("/forecast?format=csv", json=body)
    assert answer.status_code == 200
    assert answer.text.count("\n") == 1 + 2 * HORIZON + 1
    refused = served.post("/forecast?format=csv", json={**body, "paths": 3})
    assert refused.status_code == 422
    assert "JSON" in refused.json()["detail"]


def test_too_few_earlier_forecasts_are_told(served: TestClient) -> None:
    short = {"s": {"ds": hours(0, 60), "y": [1.0, 2.0] * 30}}
    answer = ask(served, history=short, aggregate={"over": "horizon"}, paths=10)
    assert "assumed_dependence" in answer["forecasts"][0]["warnings"]

    longer = ask(served, history=short, horizon=2 * HORIZON, extrapolate=True)["forecasts"][0]
    assert "assumed_dependence" in longer["warnings"]


def test_floors_are_answered_where_no_version_is_live(client: TestClient, served: TestClient) -> None:
    job = {"model": "new", "series": {"ids": ["a"]}, "horizon": HORIZON, "promote": "never"}
    assert client.post("/train", json=job).status_code == 202
    answer = ask(served, "a", model="new", on_missing="floor", paths=10, horizon=2 * HORIZON, extrapolate=True)
    one = answer["forecasts"][0]
    assert (answer["version"], one["fallback"], one["extrapolated"]) == (None, True, True)
    assert paths_of(one).shape == (10, 2 * HORIZON)
    assert "assumed_dependence" in one["warnings"]


def test_questions_that_cannot_be_answered_are_refused(served: TestClient) -> None:
    assert "explain" in refuse(served, "a", paths=3, explain=True)["detail"]
    assert refuse(served, *["a"] * 100, paths=10_000)["code"] == "too_many_values"
    assert refuse(served, "a", horizon=10**30, extrapolate=True)["code"] == "horizon_too_long"
    scenarios = {f"s{k}": {} for k in range(20)}
    assert refuse(served, *["a"] * 9000, scenarios=scenarios)["code"] == "too_many_values"
    sent = {"h": {"ds": hours(0, 60), "y": [1.0, 2.0] * 30}}
    assert refuse(served, history=sent, horizon=10**9)["code"] == "horizon_too_long"
    many = {f"h{k}": {"ds": hours(0, 60), "y": [1.0, 2.0] * 30} for k in range(300)}
    too_many = refuse(served, history=many, horizon=4 * HORIZON, extrapolate=True)
    assert too_many["code"] == "too_many_series"
    assert "at most 85 series" in too_many["detail"]
    assert refuse(served, "a", paths=10_001)["errors"][0]["field"] == "body.paths"
    assert refuse(served, "a", paths=0)["errors"][0]["field"] == "body.paths"
    assert refuse(served, "a", seed=-1, paths=1)["errors"][0]["field"] == "body.seed"
    assert refuse(served, "a", aggregate={"over": "horizon", "function": "max"})["errors"]
    assert refuse(served, "a", reconcile={"by": []})["errors"]
    assert refuse(served, "a", scenarios={})["errors"]
    unknown = refuse(served, "a", scenarios={"warm": {"c": {"temp": [1.0] * HORIZON}}})
    assert unknown["errors"][0]["field"] == "body.scenarios.warm.c"
    reads_none = refuse(served, "a", scenarios={"warm": {"a": {"temp": [1.0] * HORIZON}}})
    assert reads_none["code"] == "covariate_not_found"


@pytest.fixture
def covered(client: TestClient, database: Database, settings: Settings, trained_beside: Trained) -> TestClient:
    publish(database, settings, trained_beside, "c")
    store_beside(client, "a")
    store_beside(client, "b", seed=1)
    return client


def test_scenarios_are_the_forecasts_of_their_own_futures(covered: TestClient) -> None:
    known = {name: column[400:] for name, column in beside(400 + HORIZON).items()}
    name = next(name for name in known if isinstance(known[name][0], float))
    answers: dict[str, Any] = {}
    futures = {"low": {"a": {name: [-2.0] * HORIZON}}, "high": {"a": {name: [2.0] * HORIZON}}}
    both = ask(covered, "a", "b", model="c", scenarios=futures, aggregate={"over": "horizon"})
    plain = ask(covered, "a", "b", model="c")
    assert [one["yhat"] for one in both["forecasts"]] == [one["yhat"] for one in plain["forecasts"]]
    for scenario, future in futures.items():
        answers[scenario] = ask(covered, "a", "b", model="c", future=future)["forecasts"]
        for one, expected in zip(both["scenarios"][scenario], answers[scenario], strict=True):
            np.testing.assert_allclose(one["yhat"], expected["yhat"], rtol=1e-6)
    assert answers["low"][0]["yhat"] != answers["high"][0]["yhat"]
    # what a scenario leaves out is that of the request's own future
    holed = ask(covered, "a", model="c", future=futures["low"], scenarios={"x": {"a": {name: [None] * HORIZON}}})
    assert holed["scenarios"]["x"][0]["yhat"] == holed["forecasts"][0]["yhat"] == answers["low"][0]["yhat"]
    assert [one["scenario"] for one in both["aggregates"]] == [None, None, "low", "low", "high", "high"]


def test_known_futures_reach_over_a_longer_horizon(covered: TestClient) -> None:
    body = {"model": "c", "series": ["a"], "horizon": 2 * HORIZON, "extrapolate": True}
    (refused,) = covered.post("/forecast", json=body).json()["forecasts"]
    assert refused["error"]["code"] == "missing_future_covariates"
    filled = ask(covered, "a", model="c", horizon=2 * HORIZON, extrapolate=True, covariate_fill="last")["forecasts"][0]
    assert len(filled["yhat"]) == 2 * HORIZON
    assert "covariates_filled" in filled["warnings"]
    # once they are stored they are read
    columns = {name: column[-HORIZON:] for name, column in beside(400 + HORIZON).items()}
    rows = {"ds": hours(400 + HORIZON, 400 + 2 * HORIZON), "y": [None] * HORIZON, "covariates": columns}
    assert covered.post("/series/a/observations", json=rows).status_code == 200
    stored = ask(covered, "a", model="c", horizon=2 * HORIZON, extrapolate=True)["forecasts"][0]
    assert stored["warnings"] == []
    assert stored["yhat"][:HORIZON] == filled["yhat"][:HORIZON]
