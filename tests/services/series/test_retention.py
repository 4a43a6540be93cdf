"""/retention over HTTP, and the duty that deletes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, insert, select

from app.services.series import retention
from app.services.series.retention import Policy, Retention, expire_observations, parse_keep
from app.storage import jobs, keys, registry
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.tables import CovariateValue, SeriesRow

HOUR, DAY = 3_600_000_000, 86_400_000_000
SENSORS = {"labels": {"kind": "sensor"}}


def make_series(client: TestClient, series_id: str, days: int, *, first: str = "2020-01-01", **labels: str) -> None:
    ds = [str(one) for one in np.datetime64(first) + np.arange(days)]
    client.put(f"/series/{series_id}", json={"freq": "D", "labels": labels})
    columns = {"temp": list(range(days)), "sky": ["wet"] * days}
    answer = client.post(
        f"/series/{series_id}/observations", json={"ds": ds, "y": list(range(days)), "covariates": columns}
    )
    assert answer.status_code == 200, answer.text


def put(client: TestClient, keep: str, series: object = "all", **query: object) -> Any:
    return client.put("/retention", json={"series": series, "keep": keep}, params=query)  # type: ignore[arg-type]


def test_a_policy_is_made_replaced_listed_and_deleted(client: TestClient) -> None:
    whole = {"series": "all", "keep": "730D", "expired": None}
    made = client.put("/retention", json={"keep": "730D"})
    assert (made.status_code, made.json()) == (201, whole)
    assert put(client, "104W", SENSORS).status_code == 201
    replaced = put(client, "52W", SENSORS)
    assert (replaced.status_code, replaced.json()) == (200, {"series": SENSORS, "keep": "52W", "expired": None})
    page = client.get("/retention", params={"limit": 1}).json()
    assert page["items"] == [whole]
    rest = client.get("/retention", params={"cursor": page["next_cursor"]}).json()
    assert rest == {"items": [replaced.json()], "next_cursor": None}
    assert client.delete("/retention", params={"label": "kind:sensor"}).status_code == 204
    assert client.get("/retention").json()["items"] == [whole]
    assert client.delete("/retention").status_code == 204
    gone = client.delete("/retention")
    assert (gone.status_code, gone.json()["code"]) == (404, "retention_not_found")
    assert "of the whole project" in gone.json()["detail"]


@pytest.mark.one_database
@pytest.mark.parametrize("keep", ["", "730", "D", "0D", "-5D", "1.5D", "24MS", "730d", "1 D", "99999999D", "1D1h"])
def test_a_duration_that_is_none_is_refused(client: TestClient, keep: str) -> None:
    answer = put(client, keep)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_duration")
    assert answer.json()["errors"][0]["field"] == "body.keep"


@pytest.mark.one_database
@pytest.mark.parametrize("series", [{"ids": ["a"]}, {"labels": {}}, ["a"], "some", None])
def test_only_labels_or_all_select(client: TestClient, series: object) -> None:
    assert put(client, "1D", series).status_code == 422


def test_what_is_older_goes_with_its_covariates_and_the_rest_stays(client: TestClient, database: Database) -> None:
    make_series(client, "a", 30)
    before = client.get("/series/a").json()
    assert put(client, "10D").status_code == 201
    assert expire_observations(database) == 1
    rows = client.get("/series/a/observations").json()
    assert rows["y"] == list(range(19, 30))
    assert rows["covariates"]["temp"] == list(range(19, 30))
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(CovariateValue)).scalar_one() == 22
    after = client.get("/series/a").json()
    assert (after["count"], after["first_ds"][:10], after["last_ds"]) == (11, "2020-01-20", before["last_ds"])
    assert after["version"] > before["version"]
    assert expire_observations(database) == 0
    assert client.get("/series/a").json() == after


def test_the_grid_keeps_its_phase(client: TestClient, database: Database) -> None:
    client.put("/series/a", json={"freq": "2D"})
    ds = [str(one) for one in np.datetime64("2020-01-01") + 2 * np.arange(10)]
    client.post("/series/a/observations", json={"ds": ds, "y": [1.0] * 10})
    put(client, "5D")
    expire_observations(database)
    late = client.post("/series/a/observations", json={"ds": ["2020-01-22"], "y": [1.0]})
    assert late.json()["errors"][0]["code"] == "off_grid"


def test_a_series_that_has_stopped_keeps_its_end(client: TestClient, database: Database) -> None:
    make_series(client, "stopped", 5, first="1990-01-01")
    put(client, "10D")
    assert expire_observations(database) == 0
    assert client.get("/series/stopped").json()["count"] == 5


def test_a_stamp_in_the_far_future_costs_nothing(client: TestClient, database: Database) -> None:
    with database.read() as session:
        today = np.datetime64(now(session), "us").astype("M8[D]")
    make_series(client, "a", 5, first=str(today - 4))
    client.post("/series/a/observations", json={"ds": ["2999-01-01"], "y": [1.0]})
    put(client, "10D")
    assert expire_observations(database) == 0
    assert client.get("/series/a").json()["count"] == 6


def test_covariates_alone_are_deleted_too(client: TestClient, database: Database) -> None:
    make_series(client, "a", 5)
    client.post("/series/a/observations", json={"ds": ["2000-01-01"], "covariates": {"temp": [5]}})
    with database.write() as session:  # a value without a row, as a covariate table of an older release left it
        pk, covariate = session.execute(select(CovariateValue.series_pk, CovariateValue.covariate_pk).limit(1)).one()
        values = {"series_pk": pk, "covariate_pk": covariate, "ts": 0, "value": 1.0}
        session.execute(insert(CovariateValue).values(values))
    put(client, "10D")
    assert expire_observations(database) == 1
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(CovariateValue)).scalar_one() == 10


def test_the_policy_with_the_most_labels_wins(client: TestClient, database: Database) -> None:
    make_series(client, "plain", 30)
    make_series(client, "sensor", 30, kind="sensor")
    make_series(client, "dear", 30, kind="sensor", city="Ulm")
    put(client, "20D")
    put(client, "5D", SENSORS)
    put(client, "25D", {"labels": {"kind": "sensor", "city": "Ulm"}})
    assert expire_observations(database) == 3
    counts = {one["id"]: one["count"] for one in client.get("/series").json()["items"]}
    assert counts == {"plain": 21, "sensor": 6, "dear": 26}


def test_of_policies_with_as_many_labels_the_longer_wins() -> None:
    held = Retention([Policy({"a": "1"}, "10D"), Policy({"b": "1"}, "2W"), Policy({"c": "1"}, "9W")], {}, 0)
    assert held.choose(SeriesRow(labels={"a": "1", "b": "1"})) == held.policies[1]
    assert held.choose(SeriesRow(labels={"a": "2"})) is None


@pytest.mark.parametrize(
    ("keep", "contexts", "days"),
    [("10D", {}, 10), ("10D", {DAY: 20 * DAY}, 20), ("10D", {HOUR: 20 * DAY}, 10), ("30D", {DAY: 20 * DAY}, 30)],
)
def test_what_a_champion_of_the_frequency_reads_is_kept(keep: str, contexts: Mapping[int, int], days: int) -> None:
    row = SeriesRow(labels={}, freq="D", last_ts=1000 * DAY)
    assert Retention([Policy({}, keep)], contexts, 2000 * DAY).find_start(row) == (1000 - days) * DAY


def publish(database: Database, name: str, freq: str, steps: int, *, promoted: bool = True) -> None:
    with database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, name) or registry.add(session, scope, name, freq, 1, [0.5])
        job = f"{name}{model.last_version}"
        jobs.add(session, scope, id=job, kind="train", model_pk=model.pk, model=name, request={})
        fields: dict[str, Any] = {"promoted": promoted, "reason": "", "metrics": {}, "warnings": [], "loss_curve": {}}
        fields |= {"data_span": {}, "job_id": job, "artifact": "x", "digest": "y"}
        registry.publish(session, model, fields | {"config": {"network": {"context_length": steps}}})


def test_the_longest_context_of_the_champions_counts_by_frequency(database: Database) -> None:
    publish(database, "a", "h", 100)
    publish(database, "a", "h", 900, promoted=False)
    publish(database, "b", "60min", 200)
    publish(database, "c", "D", 10)
    with database.read() as session:
        held = Retention.load(session, keys.get_default_scope(session))
    assert held.contexts == {HOUR: 300 * HOUR, DAY: 15 * DAY}


def test_a_dry_run_counts_and_changes_nothing(client: TestClient, database: Database) -> None:
    make_series(client, "a", 30, kind="sensor")
    make_series(client, "b", 30)
    put(client, "20D")
    told = put(client, "10D", SENSORS, dry_run=True)
    assert told.status_code == 200
    assert told.json() == {"series": SENSORS, "keep": "10D", "expired": {"series": 1, "rows": 19}}
    assert put(client, "5D", dry_run=True).json()["expired"] == {"series": 2, "rows": 48}
    assert [one["keep"] for one in client.get("/retention").json()["items"]] == ["20D"]
    assert client.get("/series/a").json()["count"] == 30


def test_a_long_series_is_deleted_in_parts(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 7)
    make_series(client, "a", 30)
    version = client.get("/series/a").json()["version"]
    put(client, "9D")
    assert expire_observations(database) == 1
    after = client.get("/series/a").json()
    assert (after["count"], after["version"]) == (10, version + 3)
    assert client.get("/series/a/observations").json()["y"] == list(range(20, 30))


@pytest.mark.parametrize(("text", "hours"), [("1h", 1), ("2D", 48), ("3W", 504)])
def test_durations_are_hours_days_and_weeks(text: str, hours: int) -> None:
    assert parse_keep(text) == hours * HOUR
