"""/forecast with reconcile: groups by labels whose totals the forecasts add up to."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.services.forecasting.questions.groups import build_groups
from app.storage.engine import Database
from tests.services.stored import hours, numbers, store
from tests.trained import HORIZON, Trained, publish, values

pytestmark = pytest.mark.training

LENGTH = 640
SHOPS = {"a": ("north", "x"), "b": ("north", "y"), "c": ("south", "x"), "d": ("south", None)}


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    for seed, (series_id, (region, kind)) in enumerate(SHOPS.items()):
        store(client, series_id, values(LENGTH, seed))
        labels = {"region": region} | ({} if kind is None else {"kind": kind})
        assert client.put(f"/series/{series_id}", json={"freq": "h", "labels": labels}).status_code == 200
    return client


def ask(client: TestClient, *series: str, **more: Any) -> Any:
    answer = client.post("/forecast", json={"model": "m", "series": list(series), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def add_up(answer: Any, ids: Collection[str], name: str = "yhat") -> Any:
    return np.sum([one[name] for one in answer["forecasts"] if one["series_id"] in ids], axis=0)


@pytest.mark.parametrize("method", ["bottom_up", "mint"])
def test_forecasts_add_up_to_their_groups(served: TestClient, method: str) -> None:
    answer = ask(served, *"abcd", paths=1000, reconcile={"by": ["region", "kind"], "method": method})
    named = {tuple(one["group"].items()): one for one in answer["groups"]}
    members = {
        (): "abcd",
        (("region", "north"),): "ab",
        (("region", "south"),): "cd",
        (("kind", "x"),): "ac",
        (("kind", "y"),): "b",
    }
    assert [*named] == [*members]
    for key, ids in members.items():
        group = named[key]
        assert group["method"] == method
        assert group["series"] == len(ids)
        assert group["ds"] == answer["forecasts"][0]["ds"]
        np.testing.assert_allclose(group["yhat"], add_up(answer, ids), rtol=1e-12)
        together = np.sum([one["paths"] for one in answer["forecasts"] if one["series_id"] in ids], axis=0)
        for name, quantiles in group["quantiles"].items():
            np.testing.assert_allclose(quantiles, np.quantile(together, float(name), axis=0), rtol=1e-9)
        assert (np.array(group["quantiles"]["0.1"]) < group["yhat"]).all()
        assert (np.array(group["quantiles"]["0.9"]) > group["yhat"]).all()


def test_bottom_up_leaves_means_as_they_are_and_mint_moves_them(served: TestClient) -> None:
    plain = ask(served, *"abcd", point="mean")
    bottom_up = ask(served, *"abcd", reconcile={"by": ["region"], "method": "bottom_up"})
    mint = ask(served, *"abcd", reconcile={"by": ["region"]})
    np.testing.assert_allclose(add_up(bottom_up, "abcd"), add_up(plain, "abcd"), rtol=1e-9)
    moved = np.abs(add_up(mint, "abcd") - add_up(plain, "abcd"))
    assert 0 < moved.max() < 4
    assert bottom_up["forecasts"][0]["quantiles"] == plain["forecasts"][0]["quantiles"]


def test_a_sum_that_is_easier_to_forecast_helps(served: TestClient) -> None:
    # two series whose noise cancels in their sum
    rng = np.random.default_rng(5)
    noise = np.cumsum(rng.normal(0, 1.0, LENGTH + HORIZON))
    for series_id, sign in (("up", 1), ("down", -1)):
        store(served, series_id, (values(LENGTH + HORIZON, 7) + 40 + sign * noise)[:LENGTH])
    truth = 2 * (values(LENGTH + HORIZON, 7) + 40)[LENGTH:]
    errors: dict[str, Any] = {}
    for method in ("bottom_up", "mint"):
        answer = ask(served, "up", "down", reconcile={"by": ["x"], "method": method})
        errors[method] = np.abs(add_up(answer, ("up", "down")) - truth)
    assert errors["mint"].mean() <= errors["bottom_up"].mean() * 1.05


def test_groups_of_the_same_series_are_the_same(served: TestClient) -> None:
    answer = ask(served, "a", "b", reconcile={"by": ["region"]})
    total, north = answer["groups"]
    assert (total["group"], north["group"], north["method"]) == ({}, {"region": "north"}, "mint")
    assert total["yhat"] == north["yhat"]
    # two series with the same values, in groups of their own
    history = {name: {"ds": hours(0, LENGTH), "y": numbers(values(LENGTH, 3))} for name in ("x", "y")}
    twice = ask(served, history=history, reconcile={"by": ["region"]})
    assert twice["forecasts"][0]["yhat"] == pytest.approx(twice["forecasts"][1]["yhat"])


def test_series_that_do_not_end_together_add_up_where_they_meet(served: TestClient) -> None:
    history = {"e": {"ds": hours(0, LENGTH - 2), "y": numbers(values(LENGTH - 2, 9))}}
    answer = ask(served, "a", "b", history=history, reconcile={"by": ["region"]})
    total = answer["groups"][0]
    assert total["series"] == 3
    assert len(total["ds"]) == HORIZON - 2
    first = [one["ds"].index(total["ds"][0]) for one in answer["forecasts"]]
    parts = [one["yhat"][k : k + HORIZON - 2] for one, k in zip(answer["forecasts"], first, strict=True)]
    np.testing.assert_allclose(total["yhat"], np.sum(parts, axis=0), rtol=1e-12)
    assert [one["group"] for one in answer["groups"]] == [{}, {"region": "north"}]


def test_longer_horizons_are_only_added_up(served: TestClient) -> None:
    answer = ask(served, *"abcd", horizon=2 * HORIZON, extrapolate=True, reconcile={"by": ["region"]})
    assert {one["method"] for one in answer["groups"]} == {"bottom_up"}
    np.testing.assert_allclose(answer["groups"][0]["yhat"], add_up(answer, "abcd"), rtol=1e-12)
    assert len(answer["groups"][0]["ds"]) == 2 * HORIZON


def test_refused_series_are_in_no_group(served: TestClient) -> None:
    answer = ask(served, "a", "none", reconcile={"by": ["region"]})
    assert [one["series"] for one in answer["groups"]] == [1, 1]
    assert answer["forecasts"][1]["status"] == "error"
    nothing = ask(served, "none", reconcile={"by": ["region"]})
    assert "groups" not in nothing


def test_nothing_after_the_origin_is_seen(served: TestClient) -> None:
    origin = hours(LENGTH - 1, LENGTH)[0]
    known = ask(served, *"abcd", origin=origin, reconcile={"by": ["region"]})
    for series_id in "abcd":
        body = {"ds": hours(LENGTH, LENGTH + 40), "y": [900.0] * 40}
        assert served.post(f"/series/{series_id}/observations", json=body).status_code == 200
    assert ask(served, *"abcd", origin=origin, reconcile={"by": ["region"]}) == known


def test_series_that_are_sent_are_in_the_total_alone(served: TestClient) -> None:
    history = {"a": {"ds": hours(0, LENGTH), "y": numbers(values(LENGTH, 0))}}  # a stored one of that name is north
    answer = ask(served, "b", history=history, reconcile={"by": ["region"]})
    assert [(one["group"], one["series"]) for one in answer["groups"]] == [({}, 2), ({"region": "north"}, 1)]


def test_more_series_than_are_drawn_at_once_are_refused(served: TestClient) -> None:
    history = {f"s{k}": {"ds": hours(0, 60), "y": [1.0, 2.0] * 30} for k in range(60)}
    body: dict[str, Any] = {"model": "auto", "history": history, "horizon": 12}
    answer = served.post("/forecast", json={**body, "reconcile": {"by": ["region"]}})
    assert answer.status_code == 200, answer.text
    body["history"] = {f"{k}{copy}": one for k, one in history.items() for copy in "abc"}
    answer = served.post("/forecast", json={**body, "reconcile": {"by": ["region"]}})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_series")


def test_groups_are_the_total_and_those_of_each_label() -> None:
    labels = {"a": {"x": "1"}, "b": {"x": "2", "y": "1"}, "c": {"x": "1"}}
    groups = build_groups(["a", "b", "c", "d"], labels, ["x", "y", "z"])
    assert [(dict(one.labels), one.members) for one in groups] == [
        ({}, (0, 1, 2, 3)),
        ({"x": "1"}, (0, 2)),
        ({"x": "2"}, (1,)),
        ({"y": "1"}, (1,)),
    ]
