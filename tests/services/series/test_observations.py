"""/series/{id}/observations over HTTP."""

import base64
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def hourly(client: TestClient) -> TestClient:
    client.post("/series", json={"id": "a", "freq": "h"})
    return client


def post(client: TestClient, **body: object) -> Any:
    return client.post("/series/a/observations", json=body)


def hours(*numbers: int) -> list[str]:
    return [f"2024-01-01T{n:02d}:00:00+00:00" for n in numbers]


def test_upsert_counts_and_versions(hourly: TestClient) -> None:
    first = post(hourly, ds=hours(3, 1, 2), y=[3, 1, None])
    assert first.json() == {"inserted": 3, "updated": 0, "version": 2}
    second = post(hourly, ds=hours(2, 4), y=[2, 4])
    assert second.json() == {"inserted": 1, "updated": 1, "version": 3}
    rows = hourly.get("/series/a/observations").json()
    assert (rows["ds"], rows["y"]) == (hours(1, 2, 3, 4), [1, 2, 3, 4])
    meta = hourly.get("/series/a").json()
    assert (meta["count"], meta["first_ds"], meta["last_ds"]) == (4, *hours(1, 4))


def test_the_last_observed_value_is_the_origin(hourly: TestClient) -> None:
    post(hourly, ds=hours(1, 2, 3), y=[1, 2, None])
    assert hourly.get("/series/a").json()["last_ds"] == hours(2)[0]
    post(hourly, ds=hours(2), y=[None])
    assert hourly.get("/series/a").json()["last_ds"] == hours(1)[0]


def test_values_survive_exactly(hourly: TestClient) -> None:
    values = [0.1 + 0.2, 1e-300, -1.7976931348623157e308, 5e-324, 123456789.123456789]
    post(hourly, ds=hours(*range(5)), y=values)
    assert hourly.get("/series/a/observations").json()["y"] == values


def test_ranges_and_pages(hourly: TestClient) -> None:
    post(hourly, ds=hours(*range(10)), y=list(range(10)))
    part = hourly.get("/series/a/observations", params={"start": hours(2)[0], "end": hours(5)[0]}).json()
    assert part["y"] == [2, 3, 4]
    page = hourly.get("/series/a/observations", params={"limit": 4, "start": hours(1)[0]}).json()
    rest = hourly.get("/series/a/observations", params={"limit": 50, "cursor": page["next_cursor"]}).json()
    assert page["y"] + rest["y"] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert rest["next_cursor"] is None
    assert hourly.get("/series/a/observations", params={"start": "then"}).json()["code"] == "invalid_timestamp"


def test_delete_a_range(hourly: TestClient) -> None:
    post(hourly, ds=hours(*range(6)), y=list(range(6)), covariates={"t": list(range(6))})
    assert hourly.delete("/series/a/observations", params={"start": hours(4)[0]}).status_code == 204
    meta = hourly.get("/series/a").json()
    assert (meta["count"], meta["last_ds"], meta["version"]) == (4, hours(3)[0], 3)
    assert hourly.get("/series/a/observations").json()["covariates"] == {"t": [0, 1, 2, 3]}
    assert hourly.delete("/series/a/observations").status_code == 204
    half_past = ["2024-01-01T00:30:00+00:00"]
    assert post(hourly, ds=half_past, y=[1]).json()["inserted"] == 1, "an empty series may begin on another phase"


def test_covariates_numeric_and_categorical(hourly: TestClient) -> None:
    body = {"temp": [1.5, None, 2], "sky": ["rain", "clear", None]}
    post(hourly, ds=hours(0, 1, 2), y=[1, 2, None], covariates=body)
    assert hourly.get("/series/a/observations").json()["covariates"] == body
    mixed = post(hourly, ds=hours(3), y=[1], covariates={"temp": ["warm"]})
    assert (mixed.status_code, mixed.json()["code"]) == (422, "covariate_kind_conflict")
    assert hourly.get("/series/a").json()["count"] == 3, "nothing of a refused request is kept"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"ds": [*hours(1, 2), "2024-01-01T02:30:00Z"], "y": [1, 2, 3]}, "off_grid", "body.ds.2"),
        ({"ds": hours(1, 2, 1), "y": [1, 2, 3]}, "duplicate_timestamp", "body.ds.2"),
        ({"ds": hours(1), "y": [1, 2]}, "length_mismatch", "body.y"),
        ({"ds": hours(1), "y": [1], "covariates": {"t": []}}, "length_mismatch", "body.covariates.t"),
        ({"ds": ["yesterday"], "y": [1]}, "invalid_timestamp", "body.ds.0"),
        ({"ds": hours(1), "y": ["many"]}, "invalid_input", "body.y.0"),
        ({"ds": hours(1), "y": [[1]]}, "invalid_input", "body.y.0"),
        ({"ds": hours(1)}, "invalid_input", "body.y"),
    ],
)
def test_bad_rows_are_named(hourly: TestClient, body: dict[str, Any], code: str, field: str) -> None:
    response = post(hourly, **body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.json()["errors"][0]["field"] == field
    assert hourly.get("/series/a").json()["count"] == 0


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "1" + "0" * 400])
def test_infinities_are_refused(hourly: TestClient, number: str) -> None:
    body = '{"ds":["2024-01-01T00:00:00Z","2024-01-01T01:00:00Z"],"y":[1,' + number + "]}"
    response = hourly.post("/series/a/observations", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "body.y.1")


def test_local_times(client: TestClient) -> None:
    client.post("/series", json={"id": "a", "freq": "h", "timezone": "Europe/Berlin"})
    good = post(client, ds=["2024-03-31T01:00:00", "2024-03-31T03:00:00"], y=[1, 2])
    assert good.json()["inserted"] == 2
    assert client.get("/series/a/observations").json()["ds"] == [
        "2024-03-31T01:00:00+01:00",
        "2024-03-31T03:00:00+02:00",
    ]
    gap = post(client, ds=["2024-03-31T00:00:00", "2024-03-31T02:30:00"], y=[1, 2])
    assert (gap.status_code, gap.json()["code"], gap.json()["errors"][0]["field"]) == (
        422,
        "nonexistent_time",
        "body.ds.1",
    )
    twice = post(client, ds=["2024-10-27T02:00:00"], y=[1])
    assert (twice.status_code, twice.json()["code"]) == (422, "ambiguous_time")
    both = post(client, ds=["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"], y=[1, 2])
    assert both.json()["inserted"] == 2


def test_month_starts_are_a_grid(client: TestClient) -> None:
    client.post("/series", json={"id": "a", "freq": "MS"})
    assert post(client, ds=["2024-01-01", "2024-03-01"], y=[1, 2]).json()["inserted"] == 2
    off = post(client, ds=["2024-03-02"], y=[1])
    assert off.json()["code"] == "off_grid"


def test_an_unknown_series(client: TestClient) -> None:
    assert post(client, ds=hours(1), y=[1]).json()["code"] == "series_not_found"
    assert client.get("/series/a/observations").status_code == 404
    assert client.delete("/series/a/observations").status_code == 404


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("text", ["9999-12-31T23:00:00-14:00", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00"])
def test_years_that_could_not_be_told_again(client: TestClient, text: str, timezone: str) -> None:
    client.post("/series", json={"id": "a", "freq": "h", "timezone": timezone})
    assert post(client, ds=[text], y=[1]).json()["code"] == "invalid_timestamp"
    assert client.get("/series").status_code == 200


def test_odd_text_is_told_back_safely(hourly: TestClient) -> None:
    body = b'{"ds":["2024-01-01\\ud80000:00","2024-01-01\\ud80000:00"],"y":[1,2]}'
    response = hourly.post("/series/a/observations", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422


def test_a_page_ends_where_time_does(hourly: TestClient) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps([2**63 - 1]).encode()).decode()
    assert hourly.get("/series/a/observations", params={"cursor": cursor}).json()["code"] == "invalid_cursor"


def test_the_phase_of_a_new_series_is_the_one_that_most_share(hourly: TestClient) -> None:
    response = post(hourly, ds=["2023-12-31T23:07:00Z", *hours(1, 2, 3)], y=[1, 2, 3, 4])
    assert response.json()["errors"][0]["field"] == "body.ds.0"


LOOKALIKES = [
    ("1704121200000", "milliseconds since 1970: 2024-01-01T15:00:00+00:00"),
    ("2024-W01-1", "send 2024-01-01"),
    ("01/02/2024", "2024-02-01 if the day comes first and 2024-01-02 if the month does"),
    ("2024-01-01x00:00", "send 2024-01-01T00:00"),
    ("2024-01-01+01:00", "send 2024-01-01T00:00:00+01:00"),
]


@pytest.mark.parametrize(("text", "meaning"), LOOKALIKES)
def test_what_only_looks_like_a_timestamp_is_named(hourly: TestClient, text: str, meaning: str) -> None:
    response = post(hourly, ds=[*hours(1), text], y=[1, 2])
    assert (response.json()["code"], response.json()["errors"][0]["field"]) == ("invalid_timestamp", "body.ds.1")
    assert meaning in response.json()["detail"]
    for bound in ("start", "end"):
        refused = hourly.get("/series/a/observations", params={bound: text})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_timestamp")
        assert meaning in refused.json()["detail"]
        assert hourly.delete("/series/a/observations", params={bound: text}).status_code == 422


def test_a_plus_that_a_url_has_made_a_blank_is_read(hourly: TestClient) -> None:
    post(hourly, ds=hours(0, 1), y=[0, 1])
    assert hourly.get("/series/a/observations?start=2024-01-01T02:00:00+01:00").json()["y"] == [1]


def test_all_bad_rows_are_named_whatever_is_wrong_with_them(hourly: TestClient) -> None:
    ds = [*hours(1, 2), "then", "2024-01-01T03:07:00Z", *hours(2), "now"]
    errors = post(hourly, ds=ds, y=[1] * 6).json()["errors"]
    assert [(error["field"], error["code"]) for error in errors] == [
        ("body.ds.2", "invalid_timestamp"),
        ("body.ds.3", "off_grid"),
        ("body.ds.4", "duplicate_timestamp"),
        ("body.ds.5", "invalid_timestamp"),
    ]


@pytest.mark.parametrize("text", ["2018-11-04", "2018-11-04T00:00:00"])
def test_a_day_without_midnight_begins_where_it_begins(client: TestClient, text: str) -> None:
    client.post("/series", json={"id": "a", "freq": "D", "timezone": "America/Sao_Paulo"})
    days = ["2018-11-03", text, "2018-11-05T00:00:00"]
    assert post(client, ds=days, y=[1, 2, 3]).json()["inserted"] == 3
    assert client.get("/series/a/observations").json()["ds"][1] == "2018-11-04T01:00:00-02:00"
    part = client.get("/series/a/observations", params={"start": text, "end": "2018-11-05"}).json()
    assert part["y"] == [2]
    assert client.delete("/series/a/observations", params={"start": text, "end": "2018-11-05"}).status_code == 204
    assert client.get("/series/a").json()["count"] == 2


def test_hours_take_a_bare_date_as_a_bound_but_no_missing_midnight(client: TestClient) -> None:
    client.post("/series", json={"id": "a", "freq": "h", "timezone": "America/Sao_Paulo"})
    assert post(client, ds=["2018-11-03T23:00", "2018-11-04T01:00"], y=[1, 2]).json()["inserted"] == 2
    assert client.get("/series/a/observations", params={"start": "2018-11-04"}).json()["y"] == [2]
    refused = client.get("/series/a/observations", params={"start": "2018-11-04T00:00"})
    assert refused.json()["code"] == "nonexistent_time"


def test_days_of_another_timezone_than_the_series_are_named(client: TestClient) -> None:
    client.post("/series", json={"id": "a", "freq": "D"})
    days = ["2024-03-30T00:00:00+01:00", "2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"]
    refused = post(client, ds=days, y=[1, 2, 3]).json()
    assert refused["code"] == "off_grid"
    assert "+01:00" in refused["detail"] or "+02:00" in refused["detail"]
    assert "timezone=Europe/Berlin" in refused["detail"]


def test_dates_of_another_frequency_than_the_series_are_named(client: TestClient) -> None:
    client.post("/series", json={"id": "a", "freq": "W"})
    refused = post(client, ds=["2024-01-01", "2024-01-08"], y=[1, 2]).json()
    assert "these are Mondays: name freq=W-MON" in refused["detail"]


def test_covariates_alone_leave_the_values(hourly: TestClient) -> None:
    post(hourly, ds=hours(1, 2, 3), y=[1, 2, 3], covariates={"sky": ["wet", "dry", "wet"]})
    assert post(hourly, ds=hours(2, 3, 4), covariates={"temp": [7, 8, None]}).json()["inserted"] == 1
    stored = hourly.get("/series/a/observations").json()
    assert stored["y"] == [1, 2, 3, None]
    assert stored["covariates"] == {"sky": ["wet", "dry", "wet", None], "temp": [None, 7, 8, None]}
    assert hourly.get("/series/a").json()["last_ds"] == hours(3)[0]
    post(hourly, ds=hours(2), y=[None], covariates={"temp": [None]})
    stored = hourly.get("/series/a/observations").json()
    assert (stored["y"], stored["covariates"]["temp"]) == ([1, None, 3, None], [None, None, 8, None]), "null is missing"


def test_texts_and_names_are_the_same_with_and_without_blanks_around_them(hourly: TestClient) -> None:
    post(hourly, ds=hours(1, 2, 3), covariates={" sky ": ["rain", " rain", " "]})
    assert hourly.get("/series/a/observations").json()["covariates"] == {"sky": ["rain", "rain", None]}
    twice = post(hourly, ds=hours(1), covariates={"sky": ["a"], "sky ": ["b"]})
    assert (twice.status_code, twice.json()["errors"][0]["field"]) == (422, "body.covariates")
    assert "'sky' is named twice" in twice.json()["detail"]


@pytest.mark.parametrize(
    ("values", "row", "said"),
    [
        ([1.5, 2, "warm"], 2, "is numeric, and row 2 (counted from 0) is 'warm'; send a number"),
        (["wet", None, 7], 2, "is categorical, and row 2 (counted from 0) is 7.0; send text"),
        ([1.5, "", 2], 1, "row 1 (counted from 0) is ''"),
    ],
)
def test_a_mixed_covariate_names_its_rows(hourly: TestClient, values: list[Any], row: int, said: str) -> None:
    mixed = post(hourly, ds=hours(1, 2, 3), y=[1, 2, 3], covariates={"c": values})
    assert (mixed.status_code, mixed.json()["code"]) == (422, "covariate_kind_conflict")
    assert mixed.json()["errors"][0]["field"] == f"body.covariates.c.{row}"
    assert said in mixed.json()["detail"]
    assert hourly.get("/covariates").json()["items"] == []


def test_numbers_that_json_does_not_have_are_to_be_null(hourly: TestClient) -> None:
    body = '{"ds":["2024-01-01T00:00:00Z"],"y":[NaN]}'
    response = hourly.post("/series/a/observations", content=body, headers={"content-type": "application/json"})
    assert "null where it is missing" in response.json()["detail"]
