"""Scheduled forecasts, read back as of a moment, and how they have come true."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from sqlalchemy import select, update

from app.config import Settings
from app.services.runs.attempt import Attempt
from app.services.runs.dispatch import run as run_job
from app.storage import archive, jobs, keys, registry, series
from app.storage.artifacts import ArtifactStore
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.tables import ArchivedForecast, JobRow, ModelRow, SeriesRow, VersionRow
from models.classical.statistical_models import season_naive
from models.evaluation import metrics
from tests.services.stored import QUICK, claimed, hours, numbers, store
from tests.trained import HORIZON, LEVELS, Trained, altered, publish, publish_revision, values

ONE = pytest.mark.one_database
LENGTH = 300
HOUR = 3_600_000_000
START = 1_704_067_200_000_000
"""2024-01-01"""


class Service:
    """The service, with the model m, trained on the series a and b."""

    def __init__(self, client: TestClient, database: Database, settings: Settings) -> None:
        self.client, self.database, self.settings = client, database, settings

    def archived(self) -> Any:
        """Run the forecast job that a schedule would start; return it, and what it found out."""
        with self.database.write() as session:
            scope = keys.get_default_scope(session)
            model = self.model(session)
            name = f"forecast{jobs.count_active(session, model.pk)}{now(session)}"
            jobs.add(session, scope, id=name, kind="forecast", model_pk=model.pk, model="m", request={})
        attempt = Attempt(
            self.settings, self.database, ArtifactStore(self.settings.artifacts), claimed(self.database, name)
        )
        run_job(attempt)
        with self.database.read() as session:
            return self.client.get(f"/jobs/{name}").json(), jobs.get_result(session, name)

    def model(self, session: Any) -> ModelRow:
        model = registry.get(session, keys.get_default_scope(session), "m")
        assert model is not None
        return model

    def append(self, name: str, first: int, y: Any) -> None:
        body = {"ds": hours(first, first + len(y)), "y": numbers(y)}
        assert self.client.post(f"/series/{name}/observations", json=body).status_code == 200

    def get(self, what: str, **params: Any) -> Any:
        response = self.client.get(f"/models/m/{what}", params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def gate(self, **measures: float) -> None:
        """Set the champion's measures on its gate."""
        with self.database.write() as session:
            session.execute(update(VersionRow).values(metrics={"gate": measures}))

    def tell(self, origins: list[int], actual: NDArray[np.float64], width: float, scale: float = 1.0) -> None:
        """Archive forecasts of 0 with an interval of +-width at hours of 2024, with what came true after them."""
        with self.database.write() as session:
            scope = keys.get_default_scope(session)
            row = series.get(session, scope, "a")
            assert row is not None
            flat = [-width, 0.0, width]
            told = {
                "model_pk": self.model(session).pk,
                "series_pk": row.pk,
                "version": 1,
                "series_version": 1,
                "scale": scale,
                "forecast": {
                    "levels": list(LEVELS),
                    "quantiles": [flat] * HORIZON,
                    "season_naive": [1.0] * HORIZON,
                },
            }
            archive.add(session, [{**told, "origin": START + HOUR * origin} for origin in origins])
        for origin, values_after in zip(origins, actual, strict=True):
            self.append("a", origin + 1, values_after)


@pytest.fixture
def live(client: TestClient, database: Database, settings: Settings, trained: Trained) -> Service:
    store(client, "a", values(LENGTH))
    store(client, "b", 2 * values(LENGTH, seed=1), "Europe/Berlin")
    store(client, "other", values(LENGTH, seed=2))
    publish(database, settings, trained)
    with database.write() as session:
        asked = {"series": {"ids": ["a", "b"]}, **QUICK}
        session.execute(update(JobRow).values(status="succeeded", created_at=0, request=asked))
    return Service(client, database, settings)


def test_a_scheduled_forecast_is_that_of_the_champion_for_its_series(live: Service) -> None:
    job, result = live.archived()
    assert (job["status"], job["error"], job["version"], job["progress"]["fraction"]) == ("succeeded", None, 1, 1.0)
    assert {name: result[name] for name in ("version", "series", "archived", "errors")} == {
        "version": 1,
        "series": 2,
        "archived": 2,
        "errors": {},
    }
    found = live.get("archive")
    assert [one["series_id"] for one in found["items"]] == ["a", "b"]
    asked = {"model": "m", "series": ["a", "b"], "quantiles": list(LEVELS)}
    told = live.client.post("/forecast", json=asked).json()["forecasts"]
    for kept, one in zip(found["items"], told, strict=True):
        assert (kept["origin"], kept["ds"], kept["version"]) == (one["origin"], one["ds"], 1)
        np.testing.assert_allclose(kept["yhat"], one["yhat"], rtol=1e-5)
        assert list(kept["quantiles"]) == list(one["quantiles"]) == ["0.1", "0.5", "0.9"]
        for level, numbers_kept in kept["quantiles"].items():
            np.testing.assert_allclose(numbers_kept, one["quantiles"][level], rtol=1e-5)
    assert found["items"][1]["origin"] == "2024-01-13T12:00:00+01:00"


def test_the_same_forecast_is_kept_once_and_one_of_a_changed_series_again(live: Service) -> None:
    assert live.archived()[1]["archived"] == 2
    assert live.archived()[1]["archived"] == 0
    live.append("a", 100, [99.0])  # an earlier value was mended: the origin is the same, the forecast is not
    assert live.archived()[1]["archived"] == 1
    live.append("b", LENGTH, [40.0])
    assert live.archived()[1]["archived"] == 1
    assert live.get("skill")["forecasts"] == 1, "nothing but the first of b has begun to come true"


def test_what_revisions_forecast_is_told_apart(live: Service, trained: Trained, tmp_path: Path) -> None:
    live.archived()
    publish_revision(live.database, live.settings, altered(trained, tmp_path / "refreshed", 3.0))
    _, result = live.archived()
    assert (result["version"], result["revision"], result["archived"]) == (1, 1, 2), "of the same state of the series"
    rows = live.get("archive", series=["a"], every=True)["items"]
    assert [(one["version"], one["revision"]) for one in rows] == [(1, 1), (1, 0)]
    np.testing.assert_allclose(rows[0]["yhat"], 3.0 * np.array(rows[1]["yhat"]), rtol=1e-5)
    live.append("a", LENGTH, values(LENGTH + HORIZON)[LENGTH:])
    before, after = (live.get("skill", version=1, revision=revision) for revision in (0, 1))
    assert (before["forecasts"], after["forecasts"]) == (1, 1)
    assert after["overall"]["model"]["mae"] > 20 > 3 > before["overall"]["model"]["mae"]
    assert live.get("skill", version=1, revision=2)["forecasts"] == 0
    assert live.get("skill", revision=1)["overall"] == after["overall"]


def test_the_archive_is_read_as_it_stood(live: Service) -> None:
    live.archived()
    with live.database.write() as session:
        session.execute(update(ArchivedForecast).values(made_at=START))
    live.append("a", LENGTH, [21.0, 22.0])
    live.archived()
    first, second = (
        {one["series_id"]: one for one in live.get("archive", **asked)["items"]}
        for asked in ({"as_of": "2024-01-01T00:00:00Z"}, {})
    )
    assert (first["a"]["origin"], second["a"]["origin"]) == (hours(LENGTH - 1, LENGTH)[0], hours(LENGTH + 1, 302)[0])
    assert first["a"]["made_at"] == "2024-01-01T00:00:00+00:00"
    assert first["b"] == second["b"]
    assert live.get("archive", as_of="2024-01-01T00:00:00")["items"] == list(first.values())
    assert live.get("archive", as_of="2023-12-31T23:59:59Z")["items"] == []
    assert [one["series_id"] for one in live.get("archive", series=["b", "none"])["items"]] == ["b"]
    page = live.get("archive", limit=1)
    rest = live.get("archive", cursor=page["next_cursor"])
    assert page["items"] + rest["items"] == list(second.values())


def test_series_that_have_no_forecast_are_named(live: Service) -> None:
    with live.database.write() as session:
        session.execute(update(JobRow).where(JobRow.kind == "train").values(request={"series": "all"}))
    live.client.post("/series", json={"id": "empty", "freq": "h"})
    live.client.post("/series", json={"id": "daily", "freq": "D"})
    live.client.post("/series/daily/observations", json={"ds": ["2024-01-01"], "y": [1]})
    _, result = live.archived()
    assert (result["series"], result["archived"], result["errors"]) == (3, 3, {})
    assert [one["series_id"] for one in live.get("archive")["items"]] == ["a", "b", "other"]


@ONE
def test_without_a_champion_a_scheduled_forecast_fails(live: Service) -> None:
    with live.database.write() as session:
        session.execute(update(ModelRow).values(champion=None))
    job, result = live.archived()
    assert (job["status"], job["error"]["code"], result) == ("failed", "no_champion", None)


def test_skill_by_hand(live: Service) -> None:
    live.archived()
    kept = {one["series_id"]: one for one in live.get("archive")["items"]}
    assert live.get("skill")["overall"] == {"n": 0, "model": {}, "season_naive": {}}
    later = {"a": values(LENGTH + 5)[LENGTH:], "b": 2 * values(LENGTH + 3, seed=1)[LENGTH:]}
    for name, y in later.items():
        live.append(name, LENGTH, y)
    found = live.get("skill")
    errors = {name: np.abs(y - np.array(kept[name]["yhat"][: len(y)])) for name, y in later.items()}
    everything = np.concatenate(list(errors.values()))
    assert (found["model"], found["forecasts"], found["overall"]["n"]) == ("m", 2, 8)
    assert found["overall"]["model"]["mae"] == pytest.approx(everything.mean())
    assert found["overall"]["model"]["rmse"] == pytest.approx(np.sqrt((everything**2).mean()))
    inside = [
        kept[name]["quantiles"]["0.1"][k] <= y[k] <= kept[name]["quantiles"]["0.9"][k]
        for name, y in later.items()
        for k in range(len(y))
    ]
    assert found["overall"]["model"]["coverage_80"] == pytest.approx(np.mean(inside))
    assert [(row["step"], row["n"]) for row in found["by_step"]] == [(1, 2), (2, 2), (3, 2), (4, 1), (5, 1)]
    assert found["by_step"][0]["model"]["mae"] == pytest.approx((errors["a"][0] + errors["b"][0]) / 2)
    assert found["by_step"][4]["model"]["mae"] == pytest.approx(errors["a"][4])
    # season-naive and the scale are of the steps that the model reads
    read = {"a": values(LENGTH), "b": 2 * values(LENGTH, seed=1)}
    floor = np.concatenate([np.abs(y - season_naive(read[name], len(y), 24)) for name, y in later.items()])
    assert found["overall"]["season_naive"]["mae"] == pytest.approx(floor.mean())
    assert found["overall"]["model"]["mase"] < 2
    (run,) = found["rolling"]
    assert run["first_origin"] == run["last_origin"] == hours(LENGTH - 1, LENGTH)[0]
    assert run["model"] == found["overall"]["model"]


def test_skill_in_units_of_the_season_error(live: Service, trained: Trained) -> None:
    live.archived()
    live.append("a", LENGTH, [100.0])
    (one,) = [one for one in live.get("archive")["items"] if one["series_id"] == "a"]
    context = trained.fitted.config.network.context_length
    scale = metrics.season_error(values(LENGTH)[-context:], 24)
    found = live.get("skill")["overall"]["model"]
    assert found["mase"] == pytest.approx((100.0 - one["yhat"][0]) / scale)


def test_skill_of_a_span_and_of_a_version(live: Service, trained: Trained) -> None:
    live.archived()
    live.append("a", LENGTH, [20.0])
    assert publish(live.database, live.settings, trained) == 2
    with live.database.write() as session:
        session.execute(update(JobRow).where(JobRow.kind == "train").values(request={"series": {"ids": ["a"]}}))
    live.archived()
    live.append("a", LENGTH + 1, [20.0])
    origins = hours(LENGTH - 1, LENGTH + 1)
    assert live.get("skill")["overall"]["n"] == 3
    assert live.get("skill", version=1)["overall"]["n"] == 2
    assert live.get("skill", version=2)["overall"]["n"] == 1
    assert live.get("skill", version=3)["forecasts"] == 0
    assert live.get("skill", start=origins[1])["overall"]["n"] == 1
    assert live.get("skill", end=origins[1])["overall"]["n"] == 2
    assert live.get("skill", start=origins[0], end=origins[0])["forecasts"] == 0
    assert live.get("skill")["drift"]["version"] == 2


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("what", "params", "code", "field"),
    [
        ("skill", {"start": "soon"}, "invalid_timestamp", "query.start"),
        ("skill", {"end": "2024-13-01"}, "invalid_timestamp", "query.end"),
        ("skill", {"version": 0}, "invalid_input", "query.version"),
        ("skill", {"version": 2**40}, "invalid_input", "query.version"),
        ("archive", {"as_of": "now"}, "invalid_timestamp", "query.as_of"),
        ("archive", {"limit": 0}, "invalid_input", "query.limit"),
        ("archive", {"cursor": "x"}, "invalid_cursor", None),
        ("archive", {"series": "\u0000"}, None, None),
    ],
)
def test_what_cannot_be_asked(live: Service, what: str, params: Any, code: str | None, field: str | None) -> None:
    response = live.client.get(f"/models/m/{what}", params=params)
    if code is None:
        assert (response.status_code, response.json()["items"]) == (200, [])
        return
    assert (response.status_code, response.json()["code"]) == (422, code)
    if field is not None:
        assert response.json()["errors"][0]["field"] == field


@ONE
@pytest.mark.parametrize("change", ["emptied", "other frequency", "other timezone", "other phase"])
def test_a_series_that_began_anew_keeps_what_was_told_of_it(live: Service, change: str) -> None:
    """On the grid that it had then; nothing of the new one is laid beside it."""
    live.archived()
    (before,) = live.get("archive", series="a")["items"]
    live.append("b", LENGTH, [20.0])
    assert live.client.delete("/series/a/observations").status_code in (200, 204)
    if change == "other frequency":
        assert live.client.put("/series/a", json={"freq": "D"}).status_code == 200
        live.client.post("/series/a/observations", json={"ds": ["2024-01-01", "2024-01-02"], "y": [1, 2]})
    if change == "other timezone":
        assert live.client.put("/series/a", json={"freq": "h", "timezone": "Asia/Kathmandu"}).status_code == 200
        live.client.post("/series/a/observations", json={"ds": ["2024-01-01T00:00", "2024-01-01T01:00"], "y": [1, 2]})
    if change == "other phase":
        stamps = ["2024-01-01T00:30:00Z", "2024-01-01T01:30:00Z"]
        live.client.post("/series/a/observations", json={"ds": stamps, "y": [1, 2]})
    (after,) = live.get("archive", series="a")["items"]
    assert after["quantiles"] == before["quantiles"]
    assert [datetime.fromisoformat(t) for t in after["ds"]] == [datetime.fromisoformat(t) for t in before["ds"]]
    found = live.get("skill")
    assert (found["overall"]["n"], found["by_step"][0]["n"]) == (1, 1)
    job, _ = live.archived()
    assert (job["status"], job["error"]) == ("succeeded", None)


@ONE
def test_what_has_no_place_on_a_grid_any_more_is_left_out(live: Service) -> None:
    """As where months began at midnight of a timezone that the series no longer has."""
    live.archived()
    with live.database.write() as session:
        session.execute(update(ModelRow).values(freq="MS"))
        session.execute(update(SeriesRow).values(freq="MS"))
    assert live.get("archive")["items"] == []
    assert live.get("skill")["overall"]["n"] == 0


@ONE
def test_values_that_were_deleted_are_as_if_they_had_not_come(live: Service) -> None:
    live.archived()
    live.append("a", LENGTH, [20.0, 21.0])
    first = hours(LENGTH, LENGTH + 1)[0]
    assert live.client.delete("/series/a/observations", params={"start": first}).status_code in (200, 204)
    assert live.get("skill")["overall"]["n"] == 0


class TestDrift:
    """Whether the champion does worse than on its gate, and what that starts."""

    GATE: dict[str, float] = {"mase": 0.8, "coverage_80": 0.8}  # noqa: RUF012
    ORIGINS = [12 * k for k in range(10)]  # noqa: RUF012

    def noise(self, size: float) -> NDArray[np.float64]:
        return np.random.default_rng(3).normal(0, size, (len(self.ORIGINS), HORIZON))

    def test_as_on_the_gate_is_steady(self, live: Service) -> None:
        live.gate(**self.GATE)
        actual = self.noise(1.0)
        live.tell(self.ORIGINS, actual, width=1.2816)
        found = live.get("skill")["drift"]
        assert (found["version"], found["status"], found["gate_mase"]) == (1, "steady", 0.8)
        assert found["mase"] == pytest.approx(np.abs(actual).mean())
        assert found["coverage_80"] == pytest.approx((np.abs(actual) <= 1.2816).mean())

    def test_worse_than_the_gate_is_drifting(self, live: Service) -> None:
        live.gate(**self.GATE)
        live.tell(self.ORIGINS, self.noise(3.0), width=3 * 1.2816)
        found = live.get("skill")["drift"]
        assert found["status"] == "drifting"
        assert "MASE" in found["detail"]
        assert found["mase"] > 2.0

    @ONE
    def test_few_forecasts_or_no_gate_are_unknown(self, live: Service) -> None:
        live.gate(mae=1.0)
        live.tell(self.ORIGINS, self.noise(3.0), width=1.0)
        assert live.get("skill")["drift"]["status"] == "unknown"
        live.gate(**self.GATE)
        with live.database.write() as session:
            keep = select(ArchivedForecast.pk).order_by(ArchivedForecast.pk).limit(7)
            for row in session.execute(select(ArchivedForecast).where(ArchivedForecast.pk.not_in(keep))).scalars():
                session.delete(row)
        found = live.get("skill")["drift"]
        assert found["status"] == "unknown"
        assert "7 forecast origins" in found["detail"]

    @ONE
    def test_without_a_champion_there_is_no_drift(self, live: Service) -> None:
        with live.database.write() as session:
            session.execute(update(ModelRow).values(champion=None))
        assert live.get("skill")["drift"] is None

    def drifted(self, live: Service, **schedule: Any) -> Any:
        """Archive forecasts that came true badly, forecast again, and return the job with what drift has started."""
        live.gate(**self.GATE)
        live.tell(self.ORIGINS, self.noise(9.0), width=1.0)
        if schedule:
            assert live.client.put("/models/m/schedule", json=schedule).status_code == 200
        job, result = live.archived()
        assert (job["status"], result["drift"]["status"]) == ("succeeded", "drifting")
        return [one for one in live.client.get("/jobs").json()["items"] if one["started_by"] == "drift"]

    def test_drift_starts_one_training_where_the_schedule_says_so(self, live: Service) -> None:
        (job,) = self.drifted(live, forecast="0 * * * *", train_on_drift=True)
        assert (job["kind"], job["status"], job["model"]) == ("train", "queued", "m")
        live.archived()
        assert len([one for one in live.client.get("/jobs").json()["items"] if one["started_by"] == "drift"]) == 1

    @ONE
    @pytest.mark.parametrize("schedule", [{}, {"forecast": "0 * * * *"}])
    def test_otherwise_it_is_told_and_nothing_more(self, live: Service, schedule: Any) -> None:
        assert self.drifted(live, **schedule) == []

    @ONE
    def test_a_training_of_late_is_given_time(self, live: Service) -> None:
        """What the new version forecasts has not come true yet."""
        with live.database.write() as session:
            recent = now(session) - (HORIZON - 1) * HOUR
            session.execute(update(JobRow).where(JobRow.kind == "train").values(created_at=recent))
        assert self.drifted(live, forecast="0 * * * *", train_on_drift=True) == []
