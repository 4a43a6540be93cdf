"""/backtest and /backtests over HTTP; jobs run in this process, as a worker's child would run them."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.services.jobs.garbage import collect_garbage
from app.services.runs.attempt import Attempt, HandedOver
from app.services.runs.dispatch import run as run_job
from app.storage import jobs, keys, registry
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.tables import JobResult
from models.classical.statistical_models import season_naive
from models.evaluation import metrics
from tests.models.examples import small
from tests.services.stored import QUICK, claimed, numbers, run, store
from tests.trained import HORIZON, Trained, publish, values

LENGTH = 400
ONE = pytest.mark.one_database
REFERENCES = ["season_naive", "naive", "drift", "season_mean", "theta", "ets"]


def configured(database: Database) -> None:
    """Let the versions' configuration be one that trains in a second."""
    config = small(HORIZON, LENGTH, QUICK["training"], **QUICK["network"])
    with database.write() as session:
        model = registry.get(session, keys.get_default_scope(session), "m")
        assert model is not None
        for number in registry.list_version_numbers(session, [model])[model.pk]:
            row = registry.get_version(session, model, number)
            assert row is not None
            row.config = config.to_dict()


@pytest.fixture
def judged(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    """A service with the series a and b and the model m."""
    store(client, "a", values(LENGTH))
    store(client, "b", 2 * values(LENGTH, seed=1))
    publish(database, settings, trained)
    configured(database)
    return client


def ask(client: TestClient, **more: Any) -> Any:
    return client.post("/backtest", json={"model": "m", "series": {"ids": ["a", "b"]}, "n_windows": 3, **more})


def measured(client: TestClient, database: Database, settings: Settings, **more: Any) -> Any:
    """Return a backtest that has ended."""
    job = run(client, database, settings, ask(client, **more))
    assert (job["status"], job["error"]) == ("succeeded", None)
    return client.get(f"/backtests/{job['id']}").json()


def test_a_backtest_is_queued_as_a_job(judged: TestClient) -> None:
    response = ask(judged, labels={"why": "audit"}, priority=7)
    job = response.json()
    assert (response.status_code, response.headers["location"]) == (202, f"/jobs/{job['id']}")
    assert (job["kind"], job["status"], job["model"], job["queue"]) == ("backtest", "queued", "m", "cpu")
    assert (job["labels"], job["priority"], job["position"]) == ({"why": "audit"}, 7, 1)
    assert (job["estimate"]["rows"], job["estimate"]["steps"]) == (2 * LENGTH, 20)
    found = judged.get(f"/backtests/{job['id']}").json()
    told = {name: found[name] for name in ("status", "version", "horizon", "n_windows", "step_size", "refit")}
    assert told == {
        "status": "queued",
        "version": 1,
        "horizon": HORIZON,
        "n_windows": 3,
        "step_size": HORIZON,
        "refit": False,
    }
    assert [found[name] for name in ("baselines", "windows", "overall", "by_step", "by_series")] == [None] * 5
    assert judged.get("/jobs?kind=backtest").json()["items"] == [job]
    refitted = ask(judged, refit=True).json()["estimate"]
    assert refitted["steps"] == 3 * job["estimate"]["steps"]


def test_measures_stand_beside_the_baselines(judged: TestClient, database: Database, settings: Settings) -> None:
    found = measured(judged, database, settings)
    assert (found["windows"], found["series"], found["baselines"]) == (6, 2, REFERENCES)
    assert set(found["overall"]) == {"model", *REFERENCES}
    assert [row["step"] for row in found["by_step"]] == list(range(1, HORIZON + 1))
    assert [row["series_id"] for row in found["by_series"]] == ["a", "b"]
    assert [row["window"] for row in found["by_window"]] == [1, 2, 3]
    origins = [LENGTH - 1 - k * HORIZON for k in (3, 2, 1)]
    first = np.datetime64("2024-01-01T00:00:00") + np.array(origins, "m8[h]")
    assert [row["first_origin"] for row in found["by_window"]] == [f"{t}+00:00" for t in first]
    assert found["by_window"][0]["last_origin"] == found["by_window"][0]["first_origin"]
    # season-naive's numbers by hand
    series = {"a": values(LENGTH), "b": 2 * values(LENGTH, seed=1)}
    for row in found["by_series"]:
        y = series[row["series_id"]]
        naive = np.array([season_naive(y[: o + 1], HORIZON, 24) for o in origins])
        actual = np.array([y[o + 1 : o + 1 + HORIZON] for o in origins])
        assert row["season_naive"]["mae"] == pytest.approx(np.abs(actual - naive).mean())
        scale = metrics.season_error(y[: origins[0] + 1], 24)
        assert row["season_naive"]["mase"] == pytest.approx(np.abs(actual - naive).mean() / scale)
        assert row["naive"]["mae"] == pytest.approx(np.abs(actual - y[origins][:, None]).mean())
    by_step = [row["model"]["mae"] for row in found["by_step"]]
    assert found["overall"]["model"]["mae"] == pytest.approx(np.mean(by_step))
    assert found["overall"]["model"]["mae"] < found["overall"]["naive"]["mae"]
    assert {"mase", "pinball", "wql", "coverage_80", "directional_accuracy"} < set(found["overall"]["model"])


@ONE
def test_only_the_baselines_that_are_named_are_asked(
    judged: TestClient, database: Database, settings: Settings
) -> None:
    found = measured(judged, database, settings, n_windows=1, baselines=["drift"])
    assert found["baselines"] == ["season_naive", "drift"]
    assert set(found["overall"]) == {"model", "season_naive", "drift"}


@ONE
def test_windows_may_be_shorter_and_overlap(judged: TestClient, database: Database, settings: Settings) -> None:
    asked = {"series": {"ids": ["a"]}, "horizon": 4, "step_size": 2, "n_windows": 5, "baselines": []}
    found = measured(judged, database, settings, **asked)
    assert (found["horizon"], found["step_size"], found["windows"]) == (4, 2, 5)
    assert len(found["by_step"]) == 4
    last = np.datetime64("2024-01-01T00:00:00") + np.timedelta64(LENGTH - 1 - 4, "h")
    assert found["by_window"][-1]["last_origin"] == f"{last}+00:00"
    assert found["by_window"][0]["last_origin"] == f"{last - np.timedelta64(8, 'h')}+00:00"


@ONE
def test_a_refit_learns_what_a_single_fit_does_not_see(
    judged: TestClient, database: Database, settings: Settings
) -> None:
    """The level trebles two windows before the end: who is trained again has seen that."""
    y = values(LENGTH)
    y[-2 * HORIZON :] *= 3
    judged.post("/series/a/observations", json={"ds": _hours(LENGTH), "y": numbers(y)})
    asked = {"series": {"ids": ["a"]}, "n_windows": 2, "baselines": []}
    once, again = (measured(judged, database, settings, refit=refit, **asked) for refit in (False, True))
    first, last = ([one["by_window"][k]["model"]["mae"] for one in (once, again)] for k in (0, 1))
    assert first[0] == pytest.approx(first[1], rel=1e-4)  # the same training
    assert last[0] != pytest.approx(last[1], rel=1e-4)
    assert again["refit"]


def _hours(n: int) -> list[str]:
    stamps = np.datetime64("2024-01-01T00:00:00") + np.arange(n).astype("m8[h]")
    return [f"{t}Z" for t in stamps]


@ONE
def test_values_after_the_origin_change_no_forecast(judged: TestClient, database: Database, settings: Settings) -> None:
    """Another last window moves its own measures by as much as its values move, and nothing of the windows before."""
    asked = {"series": {"ids": ["a"]}, "n_windows": 2, "refit": True, "baselines": ["naive"]}
    base = measured(judged, database, settings, **asked)
    y = values(LENGTH)
    y[-HORIZON:] += 1000
    judged.post("/series/a/observations", json={"ds": _hours(LENGTH), "y": numbers(y)})
    moved = measured(judged, database, settings, **asked)
    assert moved["by_window"][0] == base["by_window"][0]
    for name in ("model", "naive"):
        # all values lie far above both forecasts, so each error is 1000 more or less what was signed before
        assert moved["by_window"][1][name]["mae"] == pytest.approx(1000, abs=15)
    signed = values(LENGTH)[-HORIZON:] - values(LENGTH)[-HORIZON - 1]
    assert moved["by_window"][1]["naive"]["mae"] == pytest.approx(1000 + signed.mean())


@ONE
def test_another_attempt_repeats_no_fit(judged: TestClient, database: Database, settings: Settings) -> None:
    asked = ask(judged, series={"ids": ["a"]}, refit=True, baselines=[])
    job = asked.json()["id"]
    store_of = ArtifactStore(settings.artifacts)
    attempt = Attempt(settings, database, store_of, claimed(database, job))
    attempt.leaving = AfterFirst()
    with pytest.raises(HandedOver):
        run_job(attempt)
    assert fits(database, job) == [(0, "fit-0-1.safetensors")]
    told = judged.get(f"/backtests/{job}").json()
    assert (told["status"], told["overall"]) == ("running", None)
    judged.post("/series/a/observations", json={"ds": _hours(LENGTH), "y": numbers(values(LENGTH) + 50)})
    run_job(Attempt(settings, database, store_of, claimed(database, job)))
    assert fits(database, job) == [(0, "fit-0-1.safetensors"), (1, "fit-1-2.safetensors"), (2, "fit-2-2.safetensors")]
    done = judged.get(f"/backtests/{job}").json()
    assert (done["status"], judged.get(f"/jobs/{job}").json()["attempt"]) == ("succeeded", 2)
    assert store_of.list_names(f"{attempt.folder}") == []  # nothing is left behind
    # the data are those of the first attempt, and the numbers those of an uninterrupted one
    judged.post("/series/a/observations", json={"ds": _hours(LENGTH), "y": numbers(values(LENGTH))})
    whole = measured(judged, database, settings, series={"ids": ["a"]}, refit=True, baselines=[])
    assert done["by_window"] == whole["by_window"]
    assert done["overall"] == whole["overall"]


class AfterFirst(threading.Event):
    """A worker that is told to stop once the first fit is over."""

    asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > EPOCH_ENDS


EPOCH_ENDS = 4
"""times that a fit of one epoch in two phases asks whether to leave: before and after each checkpoint"""


def fits(database: Database, job: str) -> list[tuple[int, str]]:
    """Return number and file of each fit that was noted as over."""
    with database.read() as session:
        found = jobs.list_events(session, job, ("fitted",))
        return [(event.data["number"], Path(event.data["path"]).name) for event in found]


def test_a_version_may_be_pinned(judged: TestClient, database: Database, settings: Settings, trained: Trained) -> None:
    assert publish(database, settings, trained, promoted=False) == 2
    for model, version in (("m", 1), ("m@2", 2), ("m@1", 1)):
        response = ask(judged, model=model)
        assert (response.status_code, judged.get(f"/backtests/{response.json()['id']}").json()["version"]) == (
            202,
            version,
        )


def test_without_a_champion_a_version_has_to_be_named(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    store(client, "a", values(LENGTH))
    publish(database, settings, trained, promoted=False)
    refused = ask(client, series="all")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_champion")
    assert "m@1" in refused.json()["detail"]
    assert ask(client, series="all", model="m@1").status_code == 202


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("more", "status", "code", "field"),
    [
        ({"model": "none"}, 404, "model_not_found", None),
        ({"model": "m@9"}, 404, "version_not_found", None),
        ({"model": "m@x"}, 422, "invalid_input", "body.model"),
        ({"series": {"ids": ["a", "none"]}}, 404, "series_not_found", "body.series.ids"),
        ({"series": {"labels": {"k": "v"}}}, 404, "series_not_found", None),
        ({"series": {"ids": ["daily"]}}, 422, "frequency_mismatch", "body.series"),
        ({"series": {"ids": ["a", "daily"]}}, 422, "frequency_mismatch", None),
        ({"series": {"ids": ["short"]}}, 422, "not_enough_data", None),
        ({"n_windows": 0}, 422, "invalid_input", "body.n_windows"),
        ({"n_windows": 10_001}, 422, "invalid_input", "body.n_windows"),
        ({"n_windows": 1.5}, 422, "invalid_input", "body.n_windows"),
        ({"horizon": HORIZON + 1}, 422, "horizon_too_long", "body.horizon"),
        ({"horizon": 0}, 422, "invalid_input", "body.horizon"),
        ({"step_size": 0}, 422, "invalid_input", "body.step_size"),
        ({"baselines": ["arima"]}, 422, "invalid_input", "body.baselines.0"),
        ({"refit": "yes"}, 422, "invalid_input", "body.refit"),
        ({"windows": 3}, 422, "invalid_input", "body.windows"),
    ],
)
@ONE
def test_what_cannot_be_judged(
    judged: TestClient, more: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    judged.post("/series", json={"id": "daily", "freq": "D"})
    days = [f"2024-01-{d:02d}" for d in range(1, 31)]
    judged.post("/series/daily/observations", json={"ds": days, "y": list(range(30))})
    judged.post("/series", json={"id": "short", "freq": "h"})
    judged.post("/series/short/observations", json={"ds": ["2024-01-01T00:00:00Z"], "y": [1]})
    response = ask(judged, **more)
    assert (response.status_code, response.json()["code"]) == (status, code)
    if field is not None:
        assert response.json()["errors"][0]["field"] == field
    assert judged.get("/jobs?kind=backtest").json()["items"] == []


@ONE
def test_windows_are_counted_over_all_series(settings: Settings, judged: TestClient) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_backtest_windows": 10}))) as small_one:
        assert ask(small_one, n_windows=5).status_code == 202
        refused = ask(small_one, n_windows=6)
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_values")
    assert "12 windows" in refused.json()["detail"]


@ONE
def test_a_version_that_was_deleted_meanwhile_fails_the_job(
    judged: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained, promoted=False)
    asked = ask(judged, model="m@2")
    assert judged.delete("/models/m/versions/2").status_code == 204
    job = run(judged, database, settings, asked)
    assert (job["status"], job["error"]["code"]) == ("failed", "version_not_found")
    found = judged.get(f"/backtests/{job['id']}").json()
    assert (found["error"], found["overall"]) == (job["error"], None)


@ONE
def test_more_windows_than_history_are_refused_with_how_many_there_are(judged: TestClient) -> None:
    store(judged, "brief", values(3 * HORIZON))
    told = ask(judged, series={"ids": ["brief"]}, n_windows=4, step_size=HORIZON)
    assert (told.status_code, told.json()["code"]) == (422, "not_enough_data")
    assert "1 are possible" in told.json()["detail"] or "0 are possible" in told.json()["detail"]
    many = ask(judged, n_windows=1001, refit=True, step_size=1)
    assert (many.status_code, many.json()["code"]) == (422, "too_many_values")


def test_only_backtests_are_found(judged: TestClient) -> None:
    training = judged.post("/train", json={"model": "m", "series": "all", "horizon": HORIZON}).json()["id"]
    for name in ("none", "a b", "%00", training):
        response = judged.get(f"/backtests/{name}")
        assert (response.status_code, response.json()["code"]) == (404, "backtest_not_found")


def test_a_repeated_call_makes_one_backtest(judged: TestClient) -> None:
    body = {"model": "m", "series": "all", "n_windows": 1}
    first, again = (judged.post("/backtest", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert len(judged.get("/jobs?kind=backtest").json()["items"]) == 1


def list_forecasts(client: TestClient, backtest: str, query: str = "") -> Any:
    return client.get(f"/backtests/{backtest}/forecasts{query}")


def test_the_forecasts_of_a_backtest_are_kept(judged: TestClient, database: Database, settings: Settings) -> None:
    judged.put("/series/b", json={"freq": "h", "timezone": "Asia/Kolkata"})
    queued = ask(judged, baselines=[])
    early = list_forecasts(judged, queued.json()["id"])
    assert (early.status_code, early.json()["code"]) == (409, "backtest_unfinished")
    job = run(judged, database, settings, queued)["id"]
    found = list_forecasts(judged, job).json()
    assert found["next_cursor"] is None
    assert [(item["series_id"], item["window"]) for item in found["items"]] == [(n, w) for n in "ab" for w in (1, 2, 3)]
    first, *_, last = found["items"]
    assert (first["origin"], first["ds"][0]) == (_shift(LENGTH - 1 - 3 * HORIZON), _shift(LENGTH - 3 * HORIZON))
    assert last["ds"][-1] == _shift(LENGTH - 1, "Asia/Kolkata")
    assert (len(last["ds"]), last["yhat"]) == (HORIZON, last["quantiles"]["0.5"])
    errors = []
    for item in found["items"]:
        y = values(LENGTH) if item["series_id"] == "a" else 2 * values(LENGTH, seed=1)
        at = LENGTH - (4 - item["window"]) * HORIZON
        errors.append(np.abs(y[at : at + HORIZON] - item["yhat"]).mean())
    measures = judged.get(f"/backtests/{job}").json()
    assert measures["overall"]["model"]["mae"] == pytest.approx(np.mean(errors))
    assert list_forecasts(judged, job, "?series=b").json()["items"] == found["items"][3:]
    page = list_forecasts(judged, job, "?series=b&limit=2").json()
    rest = list_forecasts(judged, job, f"?series=b&limit=2&cursor={page['next_cursor']}").json()
    assert (page["items"] + rest["items"], rest["next_cursor"]) == (found["items"][3:], None)
    table = list_forecasts(judged, job, "?format=csv&limit=1").text.splitlines()
    assert (table[0], len(table)) == ("series_id,window,origin,ds,yhat,quantiles", 2)
    unknown = list_forecasts(judged, job, "?series=c")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "series_not_found")
    assert list_forecasts(judged, job, "?cursor=x").json()["code"] == "invalid_cursor"
    assert collect_garbage(database, ArtifactStore(settings.artifacts)) == []
    assert list_forecasts(judged, job, "?limit=1").status_code == 200


def _shift(hours: int, timezone: str = "UTC") -> str:
    moment = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(hours=hours)
    return moment.tz_convert(timezone).isoformat()


@ONE
def test_too_many_forecasts_and_those_of_older_releases_are_not_kept(
    judged: TestClient, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.runs.backtest.MOST_VALUES", 2 * HORIZON * 3 - 1)
    asked: dict[str, Any] = {"n_windows": 1, "baselines": []}
    job = measured(judged, database, settings, **asked)["id"]
    refused = list_forecasts(judged, job)
    assert (refused.status_code, refused.json()["code"]) == (404, "backtest_forecasts_not_kept")
    assert ArtifactStore(settings.artifacts).list_names("1/results") == []
    with database.write() as session:
        result = session.get(JobResult, job)
        assert result is not None
        result.document = {name: value for name, value in result.document.items() if name != "forecasts"}
    older = list_forecasts(judged, job)
    assert (older.status_code, older.json()["code"]) == (404, "backtest_forecasts_not_kept")
    assert "POST /backtest" in older.json()["detail"]
    assert judged.get(f"/backtests/{job}").json()["windows"] == 2
    assert list_forecasts(judged, "none").json()["code"] == "backtest_not_found"
