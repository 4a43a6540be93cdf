"""Whether a version goes live, judged on the gate's windows against the floor and the real champion's graph."""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.config import Settings
from app.services.runs.attempt import Attempt
from app.services.runs.promotion import LEAST_FRESH, Verdict, judge
from app.storage import jobs, keys, registry, revisions
from app.storage.artifacts import ArtifactError, ArtifactStore
from app.storage.engine import Database
from app.storage.tables import RevisionRow, VersionRow
from models.calendar.timestamps import format_stamp
from models.config.covariates import CovariateConfig
from models.data.series import Panel
from models.evaluation.baselines import forecast_baselines
from models.evaluation.floors import FLOORS
from models.evaluation.metrics import mae
from models.evaluation.scoring import GateSpan, find_windows, score
from models.inference.predict import run_windows
from models.planning.defaults import default_config
from models.training.fit import fit
from models.training.fitted import Fitted
from tests.services.stored import claimed, store_beside
from tests.trained import HORIZON, LEVELS, Trained, publish, publish_revision, values


def with_gate_error(fitted: Fitted, panel: Panel, factor: float) -> Fitted:
    """Return the same version with the gate's errors multiplied."""
    assert fitted.report.gate is not None
    assert fitted.gate_quantiles is not None
    actual = find_windows(panel, fitted.report.gate).actual[..., None]
    return replace(fitted, gate_quantiles=actual + factor * (fitted.gate_quantiles - actual))


def judge_on(database: Database, settings: Settings, panel: Panel, fitted: Fitted, promote: str) -> Verdict:
    """Judge a challenger of the model `m`, made where it is new, as its training job would."""
    with database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, "m") or registry.add(session, scope, "m", "h", HORIZON, list(LEVELS))
        asked = {"promote": promote}
        job = jobs.add(session, scope, id=uuid.uuid4().hex, kind="train", model_pk=model.pk, request=asked)
    attempt = Attempt(settings, database, ArtifactStore(settings.artifacts), claimed(database, job.id))
    return judge(attempt, model.pk, panel, fitted)


@pytest.fixture
def judged(database: Database, settings: Settings, trained: Trained):  # type: ignore[no-untyped-def]
    def run(fitted: Fitted, promote: str = "if_better") -> Verdict:
        return judge_on(database, settings, trained.panel, fitted, promote)

    return run


def test_the_first_must_beat_season_naive(judged, trained: Trained) -> None:  # type: ignore[no-untyped-def]
    floor = trained.fitted.report.metrics["season_naive"]["mase"] / trained.fitted.report.metrics["gate"]["mase"]
    good, bad = (
        judged(with_gate_error(trained.fitted, trained.panel, 0.9 * floor)),
        judged(with_gate_error(trained.fitted, trained.panel, 1.8 * floor)),
    )
    assert (good.promoted, good.reason) == (True, "ahead of season-naive on the gate span")
    assert not bad.promoted
    assert bad.reason.startswith("not ahead of season-naive on the gate span: mase ")


def test_a_challenger_must_beat_the_champion(  # type: ignore[no-untyped-def]
    judged, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    gate = trained.fitted.report.gate
    assert gate is not None
    champion = score(find_windows(trained.panel, gate), trained.fitted.runner, trained.fitted.config)["mase"]
    ours = trained.fitted.report.metrics["gate"]["mase"]
    better, worse = (judged(with_gate_error(trained.fitted, trained.panel, f * champion / ours)) for f in (0.97, 1.03))
    assert (better.promoted, better.champion) == (True, 1)
    assert better.metrics["champion"]["mase"] == pytest.approx(champion, rel=1e-3)
    assert not worse.promoted
    assert "the champion, version 1" in worse.reason


@pytest.mark.one_database
def test_level_with_the_champion_is_good_enough(  # type: ignore[no-untyped-def]
    judged, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    fitted = trained.fitted
    assert fitted.report.gate is not None
    windows = find_windows(trained.panel, fitted.report.gate)
    same = run_windows(windows.series, windows.origins, fitted.runner, fitted.config)
    candidate = replace(fitted, gate_quantiles=same)
    level, worse = (judged(with_gate_error(candidate, trained.panel, factor)) for factor in (1.00001, 1.001))
    assert level.promoted
    assert level.reason.endswith("on the gate span, and level with the champion")
    assert not worse.promoted


@pytest.mark.parametrize(("promote", "promoted"), [("always", True), ("never", False)])
def test_what_is_asked_for_is_done(judged, trained: Trained, promote: str, promoted: bool) -> None:  # type: ignore[no-untyped-def]
    assert judged(with_gate_error(trained.fitted, trained.panel, 100), promote).promoted is promoted
    assert judged(with_gate_error(trained.fitted, trained.panel, 0.01), promote).promoted is promoted


def test_without_a_gate_only_the_first_goes_live(  # type: ignore[no-untyped-def]
    judged, database: Database, settings: Settings, trained: Trained
) -> None:
    ungated = replace(trained.fitted, report=replace(trained.fitted.report, gate=None))
    assert judged(ungated).promoted
    publish(database, settings, trained)
    later = judged(ungated)
    assert not later.promoted
    assert "promote: always" in later.reason


def test_a_champion_without_files_is_replaced(  # type: ignore[no-untyped-def]
    judged, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    better = with_gate_error(trained.fitted, trained.panel, 0.01)
    shutil.rmtree(settings.data_dir / "artifacts")
    assert judged(better).reason == "ahead of season-naive on the gate span; the champion's files are broken"


def test_an_outage_of_the_store_decides_nothing(  # type: ignore[no-untyped-def]
    judged, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    shutil.rmtree(settings.data_dir / "artifacts")
    (settings.data_dir / "artifacts").write_text("a file where the folder should be")
    with pytest.raises(ArtifactError):
        judged(with_gate_error(trained.fitted, trained.panel, 0.01))


def test_a_champion_is_given_the_covariates_that_the_challenger_lacks(
    client: TestClient, database: Database, settings: Settings, trained_beside: Trained
) -> None:
    publish(database, settings, trained_beside)
    for seed, one in enumerate(trained_beside.panel.series):
        store_beside(client, one.id, seed=seed)
    fitted, panel = trained_beside.fitted, trained_beside.panel
    assert fitted.report.gate is not None
    bare = replace(panel, series=tuple(replace(one, covariates={}, static={}) for one in panel.series))
    without = replace(fitted, config=replace(fitted.config, covariates=CovariateConfig()))
    verdict = judge_on(database, settings, bare, with_gate_error(without, bare, 0.01), "if_better")
    fair, blind = (
        score(find_windows(p, fitted.report.gate), fitted.runner, fitted.config)["mase"] for p in (panel, bare)
    )
    assert verdict.metrics["champion"]["mase"] == pytest.approx(fair, rel=1e-3)
    assert blind > 1.05 * fair


def test_a_champion_that_cannot_read_the_series_is_replaced(
    client: TestClient, database: Database, settings: Settings, trained_beside: Trained
) -> None:
    publish(database, settings, trained_beside)
    fitted, panel = trained_beside.fitted, trained_beside.panel
    changed = tuple(replace(one, static={**one.static, "size": "big"}) for one in panel.series)
    challenger = with_gate_error(fitted, panel, 0.01)
    verdict = judge_on(database, settings, replace(panel, series=changed), challenger, "if_better")
    assert verdict.reason == "ahead of season-naive on the gate span; the champion cannot read the series any more"


LENGTH = 360
STEPS = np.arange(LENGTH)
EXACT = {
    "sine": 20 + 6 * np.sin(2 * np.pi * STEPS / 24),
    "sine around zero": np.sin(2 * np.pi * STEPS / 24),
    "constant": np.full(LENGTH, 42.7),
    "zeros": np.zeros(LENGTH),
    "discontinued": np.where(STEPS < 150, values(LENGTH), 0.0),
    "week": np.resize(np.random.default_rng(2).normal(100, 20, 168), LENGTH),
    "line": 5 + 0.37 * STEPS,
    "step": np.where(STEPS < 150, 100.0, 200.0),
}


def train_and_judge(database: Database, settings: Settings, series: dict[str, Any]) -> tuple[Verdict, dict[str, Any]]:
    """Train a small version of some hourly series and judge it as the first of its model; return its measures too."""
    panel = Panel.from_arrays(series, "h", "2024-01-01")
    config = default_config(
        panel, HORIZON, LEVELS, network={"hidden": 16}, training={"epochs": 3, "steps_per_epoch": 20}
    )
    fitted = fit(panel, config)
    return judge_on(database, settings, panel, fitted, "if_better"), dict(fitted.report.metrics)


@pytest.mark.training
@pytest.mark.one_database
@pytest.mark.parametrize(
    "name",
    [name if name in ("constant", "line", "zeros") else pytest.param(name, marks=pytest.mark.slow) for name in EXACT],
)
def test_exact_repetition_goes_live(database: Database, settings: Settings, name: str) -> None:
    verdict, measured = train_and_judge(database, settings, {name: EXACT[name]})
    assert verdict.promoted, verdict.reason
    largest = max(value for measures in measured.values() for value in measures.values())
    assert largest < 5000


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.one_database
@pytest.mark.parametrize("name", ["sine", "zeros", "line"])
def test_an_exact_series_does_not_keep_others_from_going_live(
    database: Database, settings: Settings, name: str
) -> None:
    noisy = {str(seed): values(LENGTH, seed) for seed in range(5)}
    verdict, measured = train_and_judge(database, settings, noisy | {"exact": EXACT[name]})
    assert verdict.promoted, verdict.reason
    assert measured["gate"]["mase"] < measured["season_naive"]["mase"] < 2


def test_each_floor_is_to_be_beaten(database: Database, settings: Settings, trained: Trained) -> None:
    """Of a random walk the last value is the best forecast, and no season helps."""
    walk = 100 + np.cumsum(np.random.default_rng(4).normal(0, 1, 400))
    panel = Panel.from_arrays({"a": walk}, "h", "2024-01-01")
    fitted = trained.fitted
    assert fitted.report.gate is not None
    windows = find_windows(panel, fitted.report.gate)
    floors = {name: mae(windows.actual, point) for name, point in forecast_baselines(windows, 24, list(FLOORS)).items()}
    assert floors["naive"] < floors["season_naive"]
    between = (floors["naive"] + floors["season_naive"]) / 2
    quantiles = np.repeat(windows.actual[..., None] + between, len(LEVELS), -1)
    verdict = judge_on(database, settings, panel, replace(fitted, gate_quantiles=quantiles), "if_better")
    assert not verdict.promoted
    assert verdict.reason.startswith("not ahead of naive on the gate span: mase ")
    assert "season-naive" not in verdict.reason


SERIES = 5


def judged_on_many(
    trained: Trained, late: int, database: Database, settings: Settings
) -> Callable[[float, float], Verdict]:
    """Publish a champion whose data end with the first of the gate's last `late` origins, each of five series.

    Return what judges the same version as a challenger, with its errors since then multiplied, and those before.
    """
    fitted, gate = trained.fitted, trained.fitted.report.gate
    assert gate is not None
    origins = gate.origins["a"]
    panel = Panel.from_arrays({str(k): values(400, seed=k) for k in range(SERIES)}, "h", "2024-01-01")
    wide = GateSpan(horizon=HORIZON, origins={one.id: origins for one in panel.series})
    windows = find_windows(panel, wide)
    quantiles = run_windows(windows.series, windows.origins, fitted.runner, fitted.config)
    actual = windows.actual[..., None]
    publish(database, settings, trained)
    span: dict[str, Any] = {"start": "2024-01-01T00:00:00+00:00", "end": format_stamp(origins[-late], "UTC")}
    span |= {"series": [one.id for one in panel.series]}
    with database.write() as session:
        session.execute(update(VersionRow).values(data_span=span))

    def run(since: float, before: float) -> Verdict:
        factors = np.tile([before] * (len(origins) - late) + [since] * late, SERIES)[:, None, None]
        errors = actual + factors * (quantiles - actual)
        challenger = replace(fitted, report=replace(fitted.report, gate=wide), gate_quantiles=errors)
        return judge_on(database, settings, panel, challenger, "if_better")

    return run


def test_windows_since_the_champions_data_ended_decide_alone(
    database: Database, settings: Settings, trained: Trained
) -> None:
    """On what it may have been trained on the champion is as good as its memory."""
    run = judged_on_many(trained, 2, database, settings)
    better, worse = run(0.1, 50.0), run(50.0, 0.1)
    since = f"the {2 * SERIES} windows since the champion's data ended"
    assert (better.promoted, better.reason) == (True, f"ahead of season-naive on {since}, and of the champion")
    assert not worse.promoted
    assert worse.reason.startswith(f"not ahead of season-naive on {since}: mase ")
    for verdict in (better, worse):
        assert set(verdict.metrics) == {"champion", "gate_unseen", "season_naive_unseen"}
    first, second = (one.metrics["gate_unseen"]["mase"] for one in (better, worse))
    assert second == pytest.approx(500 * first)
    assert better.metrics["champion"] == worse.metrics["champion"]
    assert better.metrics["champion"]["mase"] == pytest.approx(10 * first, rel=1e-3)


def test_too_few_windows_since_then_leave_the_whole_gate(
    database: Database, settings: Settings, trained: Trained
) -> None:
    assert SERIES < LEAST_FRESH < 2 * SERIES
    verdict = judged_on_many(trained, 1, database, settings)(0.1, 50.0)
    assert not verdict.promoted
    assert verdict.reason.startswith("not ahead of season-naive on the gate span")
    assert set(verdict.metrics) == {"champion"}


def test_what_a_user_has_stopped_goes_live_by_hand_alone(judged, trained: Trained) -> None:  # type: ignore[no-untyped-def]
    stopped = replace(trained.fitted, report=replace(trained.fitted.report, warnings=["stopped"]))
    for promote in ("if_better", "always"):
        verdict = judged(stopped, promote)
        assert not verdict.promoted
        assert "PUT /models/{name}/champion" in verdict.reason


def test_what_a_refreshed_champion_has_seen_is_not_unseen(
    database: Database, settings: Settings, trained: Trained
) -> None:
    """Since its training ended there are enough windows, and since its last refresh there are not."""
    run = judged_on_many(trained, 2, database, settings)
    assert "since the champion's data ended" in run(0.1, 50.0).reason
    gate = trained.fitted.report.gate
    assert gate is not None
    publish_revision(database, settings, trained)
    with database.write() as session:
        session.execute(update(RevisionRow).where(RevisionRow.number == 1).values(data_end=int(gate.origins["a"][-1])))
    assert "on the gate span" in run(0.1, 50.0).reason
    with database.write() as session:
        row = session.execute(select(VersionRow)).scalar_one()
        as_trained = revisions.get_files(session, row, 0)
        assert as_trained is not None
        revisions.serve(row, as_trained)
    assert "since the champion's data ended" in run(0.1, 50.0).reason, "as it was trained it has seen no more"
