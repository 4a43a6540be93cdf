"""POST /observations: rows of many series, all or none."""

import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def pair(client: TestClient) -> TestClient:
    for series_id in ("a", "b/c"):
        client.post("/series", json={"id": series_id, "freq": "h"})
    return client


def hours(*numbers: int) -> list[str]:
    return [f"2024-01-01T{n:02d}:00:00+00:00" for n in numbers]


def post(client: TestClient, series: object, **headers: str) -> Any:
    return client.post("/observations", json={"series": series}, headers=headers)


def read(client: TestClient, series_id: str) -> Any:
    return client.get(f"/series/{series_id}/observations").json()


def test_each_series_has_its_own_counts(pair: TestClient) -> None:
    first = post(pair, {"b/c": {"ds": hours(2, 1), "y": [2, None]}, "a": {"ds": hours(1), "y": [1]}})
    assert first.status_code == 200
    assert first.json() == {
        "series": {
            "b/c": {"inserted": 2, "updated": 0, "version": 2},
            "a": {"inserted": 1, "updated": 0, "version": 2},
        }
    }
    second = post(pair, {"a": {"ds": hours(1, 2), "y": [5, 6]}, "b/c": {"ds": [], "y": []}}).json()["series"]
    assert second == {
        "a": {"inserted": 1, "updated": 1, "version": 3},
        "b/c": {"inserted": 0, "updated": 0, "version": 2},
    }
    assert (read(pair, "a")["y"], read(pair, "b/c")["y"]) == ([5, 6], [None, 2])
    assert pair.get("/series/b/c").json()["first_ds"] == hours(2)[0]


def test_covariates_go_with_the_rows_or_alone(pair: TestClient) -> None:
    post(pair, {"a": {"ds": hours(1, 2), "y": [1, 2]}})
    body = {
        "a": {"ds": hours(2, 1), "covariates": {"temp": [7.5, None], "day": [" mo ", "su"]}},
        "b/c": {"ds": hours(1), "y": [9], "covariates": {"temp": [3]}},
    }
    assert post(pair, body).status_code == 200
    assert read(pair, "a")["y"] == [1, 2]
    assert read(pair, "a")["covariates"] == {"day": ["su", "mo"], "temp": [None, 7.5]}
    assert read(pair, "b/c")["covariates"] == {"temp": [3]}
    body["a"] = {"ds": hours(2), "covariates": {"temp": [None]}}
    post(pair, body)
    assert read(pair, "a")["covariates"] == {"day": ["su", "mo"]}


def test_every_wrong_entry_is_named_and_nothing_is_written(pair: TestClient) -> None:
    body = {
        "a": {"ds": ["2024-01-01T00:00:00Z", "then", "2024-01-01T00:00:00Z"], "y": [1, 2, 3]},
        "nobody": {"ds": hours(1), "y": [1]},
        "b/c": {"ds": [*hours(1, 2, 3), "2024-01-01T00:30:00Z"], "y": [1, 2, 3, 4]},
    }
    refused = post(pair, body)
    assert refused.status_code == 422
    assert [(e["field"], e["code"]) for e in refused.json()["errors"]] == [
        ("body.series.a.ds.1", "invalid_timestamp"),
        ("body.series.a.ds.2", "duplicate_timestamp"),
        ("body.series.nobody", "series_not_found"),
        ("body.series.b/c.ds.3", "off_grid"),
    ]
    assert refused.json()["detail"].endswith("3 more entries are wrong; nothing was written")
    for series_id in ("a", "b/c"):
        meta = pair.get(f"/series/{series_id}").json()
        assert (meta["count"], meta["version"]) == (0, 1)


@pytest.mark.parametrize(
    ("series", "field", "code"),
    [
        ({"a": {"ds": hours(1), "y": [1, 2]}}, "body.series.a.y", "length_mismatch"),
        ({"a": {"ds": hours(1), "covariates": {"c": []}}}, "body.series.a.covariates.c", "length_mismatch"),
        ({"a": {"ds": hours(1)}}, "body.series.a.y", "invalid_input"),
        ({"a": {"ds": hours(1), "y": [1], "covariates": {"temp": ["warm"]}}}, None, None),
    ],
)
@pytest.mark.one_database
def test_columns_that_do_not_fit(pair: TestClient, series: Any, field: str | None, code: str | None) -> None:
    body = {"b/c": {"ds": hours(1), "y": [1], "covariates": {"temp": [1.0]}}} | series
    refused = post(pair, body).json()
    if field is None:
        field, code = "body.series.a.covariates.temp.0", "covariate_kind_conflict"
    assert [(e["field"], e["code"]) for e in refused["errors"]] == [(field, code)]
    assert read(pair, "b/c")["y"] == []


@pytest.mark.one_database
def test_no_series_and_one_named_twice(pair: TestClient) -> None:
    assert post(pair, {}).status_code == 422
    assert post(pair, {"a": {"ds": hours(1), "y": [1]}, " a": {"ds": hours(1), "y": [2]}}).status_code == 422
    assert post(pair, {" a ": {"ds": hours(1), "y": [2]}}).json()["series"].keys() == {" a "}


def test_a_repeated_key_gets_the_same_answer(pair: TestClient) -> None:
    body = {"a": {"ds": hours(1), "y": [1]}, "b/c": {"ds": hours(1), "y": [1]}}
    first = post(pair, body, **{"Idempotency-Key": "k"})
    again = post(pair, body, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert pair.get("/series/a").json()["version"] == 2
    body["a"] = {"ds": hours(1), "y": [2]}
    assert post(pair, body, **{"Idempotency-Key": "k"}).json()["code"] == "idempotency_key_reused"


def test_writers_of_the_same_series_in_any_order(pair: TestClient) -> None:
    answers: list[int] = []

    def work(number: int) -> None:
        ids = ["a", "b/c"] if number % 2 else ["b/c", "a"]
        for hour in range(5):
            body = {i: {"ds": hours(hour, 10 + number), "y": [number, number]} for i in ids}
            answers.append(post(pair, body).status_code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 20
    for series_id in ("a", "b/c"):
        meta = pair.get(f"/series/{series_id}").json()
        assert (meta["count"], meta["version"]) == (9, 21)


def test_thousands_of_series_at_once(pair: TestClient) -> None:
    ids = [f"s{i:04}" for i in range(1500)]
    table = "unique_id,ds,y\n" + "".join(f"{i},2024-01-01T00:00:00Z,1\n" for i in ids)
    pair.post("/series/import?freq=h", content=table, headers={"Content-Type": "text/csv"})
    answer = post(pair, {i: {"ds": hours(0, 1), "y": [n, n]} for n, i in enumerate(ids)}).json()["series"]
    assert {tuple(counts.values()) for counts in answer.values()} == {(1, 1, 3)}
    assert read(pair, "s1499")["y"] == [1499, 1499]
