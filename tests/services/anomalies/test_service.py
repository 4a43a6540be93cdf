"""/anomalies over HTTP: told at once, or by a job; which steps are told of, and how they compare with labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.config import Settings
from app.main import create_app
from app.storage import keys, registry
from app.storage.engine import Database
from models.anomaly.residuals import LEAST_SEEN
from tests.services.stored import hours, numbers, run, store, store_beside
from tests.trained import Trained, altered, publish, publish_revision, values

ONE = pytest.mark.one_database
LENGTH = 400
SPIKES = (250, 320)
ASYNC = {"Prefer": "respond-async"}
COLUMNS = ("ds", "y", "expected", "lower", "upper", "score", "anomaly")


def spiky() -> NDArray[np.float64]:
    y = values(LENGTH)
    y[list(SPIKES)] += [25.0, -25.0]
    return y


@pytest.fixture
def watched(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """A service with the model m and the series a, which has two spikes."""
    store(client, "a", spiky())
    publish(database, settings, trained)
    return client


def ask(client: TestClient, headers: dict[str, str] | None = None, **more: Any) -> Any:
    asked = {"model": "m", "series": ["a"], **more}
    return client.post("/anomalies", json=asked, headers=headers or {})


def scan(client: TestClient, **more: Any) -> Any:
    response = ask(client, **more)
    assert response.status_code == 200, response.text
    return response.json()


def test_improbable_values_are_told_at_once(watched: TestClient) -> None:
    found = scan(watched)
    assert (found["model"], found["version"], found["level"], found["metrics"]) == ("m", 1, 0.99, None)
    (one,) = found["series"]
    assert (one["series_id"], one["status"]) == ("a", "ok")
    assert {len(one[name]) for name in COLUMNS} == {LENGTH}
    assert one["ds"] == hours(0, LENGTH)
    assert one["y"] == spiky().tolist()
    assert one["expected"][:LEAST_SEEN] == one["score"][:LEAST_SEEN] == [None] * LEAST_SEEN
    scores = np.array([np.nan if s is None else s for s in one["score"]])
    assert sorted(np.argsort(-np.nan_to_num(scores))[:2].tolist()) == list(SPIKES)
    assert [one["anomaly"][at] for at in SPIKES] == [True, True]
    assert sum(one["anomaly"]) < 0.05 * LENGTH
    for at in range(LEAST_SEEN, LENGTH):
        assert one["lower"][at] < one["expected"][at] < one["upper"][at]
        assert one["anomaly"][at] == (not one["lower"][at] <= one["y"][at] <= one["upper"][at])


def test_a_level_moves_the_bounds_and_not_the_scores(watched: TestClient) -> None:
    wide, narrow = (scan(watched, level=level)["series"][0] for level in (0.999, 0.5))
    assert wide["score"] == narrow["score"]
    assert sum(narrow["anomaly"]) > sum(wide["anomaly"]) >= 2
    assert sum(narrow["anomaly"]) == pytest.approx(0.5 * LENGTH, rel=0.3)


@pytest.mark.parametrize(
    ("span", "first", "end"),
    [
        ({"start": "2024-01-11T10:00:00Z"}, 250, LENGTH),
        ({"start": "2024-01-11T09:30:00Z"}, 250, LENGTH),
        ({"end": "2024-01-11T10:00:00Z"}, 0, 250),
        ({"end": "2024-01-11T10:00:01Z"}, 0, 251),
        ({"start": "2024-01-11T10:00:00Z", "end": "2024-01-11T11:00:00+01:00"}, 250, 250),
        ({"start": "2024-01-11T12:00:00Z", "end": "2024-01-11T11:00:00Z"}, 0, 0),
        ({"start": "2030-01-01", "end": "2031-01-01"}, 0, 0),
        ({"start": "1990-01-01", "end": "1991-01-01"}, 0, 0),
        ({"start": "1000-01-01", "end": "8999-12-31"}, 0, LENGTH),
    ],
)
@ONE
def test_a_span_has_its_start_and_not_its_end(watched: TestClient, span: dict[str, str], first: int, end: int) -> None:
    (one,) = scan(watched, **span)["series"]
    assert one["status"] == "ok"
    assert one["ds"] == hours(first, end)
    assert one["y"] == spiky()[first:end].tolist()


@ONE
def test_a_span_is_judged_with_the_history_before_it(watched: TestClient) -> None:
    whole, part = (scan(watched, **span)["series"][0] for span in ({}, {"start": hours(240, 241)[0]}))
    for name in ("expected", "score", "upper"):
        np.testing.assert_allclose(part[name], whole[name][240:], rtol=1e-4)
    assert part["anomaly"] == whole["anomaly"][240:]


@ONE
def test_naive_times_are_read_in_the_series_timezone(watched: TestClient) -> None:
    store(watched, "kathmandu", values(LENGTH), "Asia/Kathmandu")  # 5:45 ahead
    found = scan(watched, series=["a", "kathmandu"], start="2024-01-11T10:00", end="2024-01-11T12:00")
    utc, local = (one["ds"] for one in found["series"])
    assert utc == ["2024-01-11T10:00:00+00:00", "2024-01-11T11:00:00+00:00"]
    assert local == ["2024-01-11T10:45:00+05:45", "2024-01-11T11:45:00+05:45"]
    store(watched, "berlin", values(24 * 100), "Europe/Berlin")
    for text, code in (("2024-03-31T02:30", "nonexistent_time"), ("2024-10-27T02:30", "ambiguous_time")):
        refused = ask(watched, series=["berlin"], start=text)
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert refused.json()["errors"][0]["field"] == "body.start"


@ONE
def test_days_are_bounded_in_local_time(watched: TestClient, database: Database, settings: Settings) -> None:
    """Days of 23 and 25 hours begin at midnight of their own."""
    with database.write() as session:
        model = registry.get(session, keys.get_default_scope(session), "m")
        assert model is not None
        model.freq = "D"
    days = [str(np.datetime64("2024-01-01") + k) for k in range(330)]
    watched.post("/series", json={"id": "days", "freq": "D", "timezone": "Europe/Berlin"})
    watched.post("/series/days/observations", json={"ds": days, "y": values(330).tolist()})

    def told(start: str, end: str) -> list[str]:
        (one,) = scan(watched, series=["days"], start=start, end=end)["series"]
        ds: list[str] = one["ds"]
        return ds

    assert told("2024-03-30", "2024-04-02") == [
        "2024-03-30T00:00:00+01:00",
        "2024-03-31T00:00:00+01:00",
        "2024-04-01T00:00:00+02:00",
    ]
    assert told("2024-10-26", "2024-10-29") == [
        "2024-10-26T00:00:00+02:00",
        "2024-10-27T00:00:00+02:00",
        "2024-10-28T00:00:00+01:00",
    ]
    assert told("2024-03-31T00:00:01", "2024-04-01T00:00:01") == ["2024-04-01T00:00:00+02:00"]
    assert told("2024-03-31T22:00:00Z", "2024-04-01T22:00:00Z") == ["2024-04-01T00:00:00+02:00"]
    assert told("2024-03-31T22:00:01Z", "2024-04-01T22:00:00Z") == []


@ONE
def test_spans_far_away_are_empty_on_grids_without_a_formula(watched: TestClient, database: Database) -> None:
    with database.write() as session:
        model = registry.get(session, keys.get_default_scope(session), "m")
        assert model is not None
        model.freq = "SMS-15"
    watched.post("/series", json={"id": "halves", "freq": "SMS-15"})
    stamps = ["2024-01-01", "2024-01-15", "2024-02-01"]
    assert watched.post("/series/halves/observations", json={"ds": stamps, "y": [1, 2, 3]}).status_code == 200
    for span in ({"start": "8999-01-01"}, {"end": "1000-01-01"}):
        assert scan(watched, series=["halves"], **span)["series"][0]["ds"] == []


def test_missing_values_are_null(watched: TestClient) -> None:
    y = spiky()
    y[300:305] = np.nan
    watched.post("/series", json={"id": "gaps", "freq": "h"})
    watched.post("/series/gaps/observations", json={"ds": hours(0, LENGTH), "y": numbers(y)})
    (one,) = scan(watched, series=["gaps"], start=hours(298, 299)[0], end=hours(307, 308)[0])["series"]
    assert one["y"] == numbers(y[298:307])
    assert [score is None for score in one["score"]] == [False] * 2 + [True] * 5 + [False] * 2
    assert one["anomaly"][2:7] == [False] * 5
    assert all(np.isfinite(one["expected"]))


def test_labels_are_compared_with(watched: TestClient) -> None:
    """One window around each spike, and one where nothing is: two of three windows are found."""
    windows = [
        {"start": "2024-01-14T08:00", "end": "2024-01-14T08:00"},  # the second spike
        {"start": "2024-01-11T08:00:00Z", "end": "2024-01-11T12:00:00Z"},  # two hours about the first
        {"start": "2024-01-08T00:00", "end": "2024-01-08T01:00"},
    ]
    labels = {"a": windows}
    store(watched, "b", values(LENGTH))
    found = scan(watched, series=["a", "b"], labels=labels, level=0.9999)
    flags = np.array(found["series"][0]["anomaly"])
    assert np.flatnonzero(flags).tolist() == list(SPIKES)
    own = found["series"][0]["metrics"]
    assert own["windows"] == pytest.approx({"precision": 1.0, "recall": 2 / 3, "f1": 0.8})
    assert own["points"] == pytest.approx({"precision": 1.0, "recall": 2 / 8, "f1": 2 * 2 / (2 * 2 + 6)})
    assert "metrics" not in found["series"][1]
    assert {name: found["metrics"][name] for name in ("points", "windows")} == own
    assert found["alarms_per_week"] == 1.0
    alarms = np.flatnonzero(found["series"][0]["alarm"])
    assert set(SPIKES) <= set(alarms.tolist())
    assert len(alarms) <= 6, "six weeks were scanned"
    assert set(found["metrics"]["nab"]) == {"standard", "low_fp", "low_fn"}
    first, second = position(2, 5), position(0, 1)
    for profile, missed in {"standard": 1.0, "low_fn": 2.0, "low_fp": 1.0}.items():
        # against a detector that flags nothing: each window found is spared its cost, the third is missed
        gained = (first + missed) + (second + missed)
        best = 100 * gained / (3 * (1 + missed))
        told = found["metrics"]["nab"][profile]
        assert 0.94 * best < told < best, "the steps after a spike score high, too"


@ONE
def test_labels_that_overlap_are_one_to_the_benchmark(watched: TestClient) -> None:
    def nab(*windows: tuple[str, str]) -> Any:
        labels = [{"start": first, "end": last} for first, last in windows]
        return scan(watched, labels={"a": labels}, level=0.9999)["metrics"]["nab"]

    one = nab(("2024-01-11T06:00", "2024-01-11T14:00"))
    assert nab(("2024-01-11T06:00", "2024-01-11T12:00"), ("2024-01-11T10:00", "2024-01-11T14:00")) == one
    assert nab(("2024-01-11T06:00", "2024-01-11T14:00"), ("2024-01-11T10:00", "2024-01-11T11:00")) == one


def position(at: int, width: int) -> float:
    """Return what the benchmark gives for a point of a window: 1 at its beginning, and less the later."""

    def sigmoid(relative: float) -> float:
        return float(2 / (1 + np.exp(5 * relative)) - 1)

    return sigmoid((at - width) / width) / sigmoid(-1.0)


@ONE
def test_series_that_cannot_be_scored_stand_beside_the_others(watched: TestClient) -> None:
    watched.post("/series", json={"id": "daily", "freq": "D"})
    watched.post("/series/daily/observations", json={"ds": ["2024-01-01"], "y": [1]})
    watched.post("/series", json={"id": "empty", "freq": "h"})
    watched.post("/series", json={"id": "nulls", "freq": "h"})
    watched.post("/series/nulls/observations", json={"ds": hours(0, 3), "y": [None] * 3})
    asked = ["none", "daily", "a", "empty", "nulls", "x" * 500, "a"]
    found = scan(watched, series=asked, end=hours(5, 6)[0])["series"]
    assert [one["series_id"] for one in found] == ["none", "daily", "a", "empty", "nulls", "x" * 500]
    codes = [one["error"]["code"] if one["status"] == "error" else one["status"] for one in found]
    assert codes == ["series_not_found", "frequency_mismatch", "ok", "no_history", "no_history", "series_not_found"]
    assert all(one["error"]["detail"] for one in found if one["status"] == "error")


def test_a_job_tells_the_same(watched: TestClient, database: Database, settings: Settings) -> None:
    asked: dict[str, Any] = {
        "series": ["a", "none"],
        "level": 0.95,
        "start": "2024-01-09",
        "labels": {"a": [{"start": "2024-01-11T10:00", "end": "2024-01-11T10:00"}]},
    }
    now = scan(watched, **asked)
    response = ask(watched, ASYNC, **asked, job_labels={"team": "x"}, priority=8)
    job = response.json()
    assert (response.status_code, response.headers["preference-applied"]) == (202, "respond-async")
    assert response.headers["location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["labels"], job["priority"]) == ("anomaly_scan", {"team": "x"}, 8)
    assert job["estimate"]["rows"] == LENGTH  # the history by which the span is judged is forecast too
    waiting = watched.get(f"/anomalies/{job['id']}").json()
    assert (waiting["status"], waiting["level"], waiting["version"]) == ("queued", 0.95, 1)
    assert (waiting["series"], waiting["metrics"]) == (None, None)
    ended = run(watched, database, settings, response)
    assert (ended["status"], ended["progress"]["fraction"], ended["error"]) == ("succeeded", 1.0, None)
    found = watched.get(f"/anomalies/{job['id']}").json()
    assert found["series"] == now["series"]
    assert found["metrics"] == now["metrics"]


@ONE
def test_a_job_scans_by_the_revision_that_was_asked_for(
    watched: TestClient, database: Database, settings: Settings, trained: Trained, tmp_path: Path
) -> None:
    publish_revision(database, settings, altered(trained, tmp_path / "refreshed"))
    told = {model: scan(watched, model=model) for model in ("m@1", "m@1.0")}
    assert told["m@1"]["series"][0]["expected"] != told["m@1.0"]["series"][0]["expected"]
    for model, revision in (("m@1", 1), ("m@1.0", 0)):
        job = run(watched, database, settings, ask(watched, ASYNC, model=model))
        found = watched.get(f"/anomalies/{job['id']}").json()
        assert (found["version"], found["revision"], found["series"]) == (1, revision, told[model]["series"])


@pytest.mark.one_database
@pytest.mark.parametrize("prefer", ["respond-async", "wait=10, Respond-Async", "return=minimal,respond-async"])
@ONE
def test_a_preference_among_others_is_seen(watched: TestClient, prefer: str) -> None:
    assert ask(watched, {"Prefer": prefer}).status_code == 202
    assert ask(watched, {"Prefer": "wait=10"}).status_code == 200


@ONE
def test_a_long_span_becomes_a_job(settings: Settings, watched: TestClient) -> None:
    limits = {"max_anomaly_points": 100, "max_scanned_points": 300, "max_forecast_series": 3}
    with TestClient(create_app(settings.model_copy(update=limits))) as limited:
        few, many, most = (ask(limited, end=hours(n, n + 1)[0]) for n in (100, 101, 301))
        assert (few.status_code, many.status_code, many.json()["kind"]) == (200, 202, "anomaly_scan")
        assert "preference-applied" not in many.headers
        assert (most.status_code, most.json()["code"]) == (422, "too_many_values")
        wide = ask(limited, series=["a", "b", "c", "d"])
        assert (wide.status_code, wide.json()["code"]) == (422, "too_many_series")


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("more", "status", "code", "field"),
    [
        ({"model": "none"}, 404, "model_not_found", None),
        ({"model": "m@7"}, 404, "version_not_found", None),
        ({"model": "m@"}, 422, "invalid_input", "body.model"),
        ({"series": []}, 422, "invalid_input", "body.series"),
        ({"level": 1.0}, 422, "invalid_input", "body.level"),
        ({"level": 0}, 422, "invalid_input", "body.level"),
        ({"start": "yesterday"}, 422, "invalid_timestamp", "body.start"),
        ({"end": ""}, 422, "invalid_input", "body.end"),
        ({"labels": {"b": []}}, 422, "invalid_input", "body.labels.b"),
        ({"labels": {"a": [{"start": "2024-01-02", "end": "2024-01-01"}]}}, 422, "invalid_input", "body.labels.a.0"),
        (
            {"labels": {"a": [{"start": "2024-01-01", "end": "x"}]}},
            422,
            "invalid_timestamp",
            "body.labels.a.0.end",
        ),
        ({"labels": {"a": [{"start": "2024-01-01"}]}}, 422, "invalid_input", "body.labels.a.0.end"),
        ({"threshold": 3}, 422, "invalid_input", "body.threshold"),
    ],
)
@ONE
def test_what_cannot_be_asked(watched: TestClient, more: Any, status: int, code: str, field: str | None) -> None:
    for headers in ({}, ASYNC):
        response = ask(watched, headers, **more)
        assert (response.status_code, response.json()["code"]) == (status, code)
        if field is not None:
            assert response.json()["errors"][0]["field"] == field
    assert watched.get("/jobs?kind=anomaly_scan").json()["items"] == []


@ONE
def test_without_a_champion_a_version_has_to_be_named(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    store(client, "a", values(60))
    publish(database, settings, trained, promoted=False)
    assert ask(client).json()["code"] == "no_champion"
    assert scan(client, model="m@1")["version"] == 1


@ONE
def test_a_version_that_was_deleted_meanwhile_fails_the_job(
    watched: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained, promoted=False)
    asked = ask(watched, ASYNC, model="m@2")
    assert watched.delete("/models/m/versions/2").status_code == 204
    job = run(watched, database, settings, asked)
    assert (job["status"], job["error"]["code"]) == ("failed", "version_not_found")
    assert watched.get(f"/anomalies/{job['id']}").json()["error"] == job["error"]


@ONE
def test_only_scans_are_found(watched: TestClient) -> None:
    training = watched.post("/train", json={"model": "m", "series": "all", "horizon": 12}).json()["id"]
    for name in ("none", "a b", "%00", training):
        response = watched.get(f"/anomalies/{name}")
        assert (response.status_code, response.json()["code"]) == (404, "scan_not_found")


@ONE
def test_a_repeated_call_makes_one_scan(watched: TestClient) -> None:
    headers = {**ASYNC, "Idempotency-Key": "k"}
    first, again = (ask(watched, headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]


@ONE
def test_text_that_no_database_keeps_is_refused(watched: TestClient) -> None:
    for asked in ({"series": ["\ud800"]}, {"labels": {"\ud800": []}}, {"series": ["a\x00"]}):
        body = json.dumps({"model": "m", "series": ["a"], **asked})
        response = watched.post("/anomalies", content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_input")


@pytest.mark.one_database
@ONE
def test_a_static_covariate_of_another_kind_stands_beside_the_others(
    client: TestClient, database: Database, settings: Settings, trained_beside: Trained
) -> None:
    publish(database, settings, trained_beside)
    store_beside(client, "a")
    store_beside(client, "b", seed=1)
    assert client.put("/series/b", json={"freq": "h", "static": {"size": "big", "kind": "hall"}}).status_code == 200
    found = scan(client, series=["a", "b"], start=hours(380, 381)[0])["series"]
    assert [one["status"] for one in found] == ["ok", "error"]
    assert found[1]["error"]["code"] == "covariate_kind_conflict"


@ONE
def test_a_scan_is_a_table_too(watched: TestClient, database: Database, settings: Settings) -> None:
    asked = {"model": "m", "series": ["a", "none"], "start": hours(240, 241)[0], "end": hours(260, 261)[0]}
    told = watched.post("/anomalies", json=asked).json()["series"][0]
    columns = (*COLUMNS, "alarm")
    expected = [dict(zip(columns, row, strict=True)) for row in zip(*(told[name] for name in columns), strict=True)]
    expected = [{"unique_id": "a", **row} for row in expected] + [{"unique_id": "none", **dict.fromkeys(columns)}]
    response = watched.post("/anomalies", params={"format": "ndjson"}, json=asked)
    assert [json.loads(line) for line in response.content.splitlines()] == expected
    job = watched.post("/anomalies", params={"format": "csv"}, json=asked, headers=ASYNC)
    assert job.headers["content-type"] == "application/json", "a job is no table"
    waiting = watched.get(job.headers["location"].replace("/jobs/", "/anomalies/"), params={"format": "csv"})
    assert (waiting.status_code, waiting.json()["code"]) == (409, "scan_unfinished")
    run(watched, database, settings, job)
    done = watched.get(f"/anomalies/{job.json()['id']}", headers={"accept": "application/vnd.apache.arrow.stream"})
    rows = pa.ipc.open_stream(done.content).read_all().to_pylist()
    assert [row["ds"] and row["ds"].isoformat() for row in rows] == [row["ds"] for row in expected]
    assert [row["score"] for row in rows] == [row["score"] for row in expected]


def test_the_built_in_model_scans_what_nothing_was_trained_on(client: TestClient) -> None:
    """Series of several frequencies in one request, each by its own."""
    store(client, "a", spiky())
    client.post("/series", json={"id": "days", "freq": "D"})
    days = 50 + np.random.default_rng(0).normal(0, 1, 120)
    days[100] += 30
    stamps = np.arange("2024-01-01", "2024-04-30", dtype="datetime64[D]").astype(str).tolist()
    assert client.post("/series/days/observations", json={"ds": stamps, "y": numbers(days)}).status_code == 200
    found = scan(client, model="auto", series=["a", "days", "none"])
    assert (found["model"], found["version"], found["revision"]) == ("auto", 1, 0)
    hourly, daily, missing = found["series"]
    assert missing["error"]["code"] == "series_not_found"
    assert [hourly["anomaly"][at] for at in SPIKES] == [True, True]
    assert sum(hourly["anomaly"]) < 0.05 * LENGTH
    assert daily["anomaly"][100] is True
    assert int(np.nanargmax([np.nan if s is None else s for s in daily["score"]])) == 100
    start = {"start": "2024-01-11T10:00:00Z"}
    short = scan(client, model="auto@1", series=["a"], **start)["series"][0]
    assert short["score"][0] == pytest.approx(hourly["score"][250], abs=0.2)


@pytest.mark.parametrize(
    ("more", "headers", "status", "code"),
    [
        ({"model": "auto@2"}, {}, 404, "version_not_found"),
        ({}, ASYNC, 422, "too_many_values"),
        ({"ahead": 1025}, {}, 422, "horizon_too_long"),
        ({"labels": {"b": [{"start": "2024-01-01", "end": "2024-01-02"}]}}, {}, 422, "invalid_input"),
    ],
)
def test_what_the_built_in_model_cannot_scan_is_refused(
    client: TestClient, more: dict[str, Any], headers: dict[str, str], status: int, code: str
) -> None:
    store(client, "a", spiky())
    response = ask(client, headers, **{"model": "auto", **more})
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
