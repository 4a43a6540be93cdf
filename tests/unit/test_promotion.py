"""Whether a version goes live, judged on the gate's windows against the floor and the real champion's graph."""

import shutil
from dataclasses import replace

import pytest

from app.config import Settings
from app.services.promotion import Verdict, judge
from app.storage import keys, models
from app.storage.artifacts import ArtifactError, ArtifactStore
from app.storage.engine import Database
from models.backtest import score_gate
from models.fit import Fitted
from tests.trained import HORIZON, LEVELS, Trained, publish


def with_gate_error(fitted: Fitted, factor: float) -> Fitted:
    """Return the same version with the gate's errors multiplied."""
    gate = {name: factor * value for name, value in fitted.report.metrics["gate"].items()}
    return replace(fitted, report=replace(fitted.report, metrics={**fitted.report.metrics, "gate": gate}))


@pytest.fixture
def judged(database: Database, settings: Settings, trained: Trained):  # type: ignore[no-untyped-def]
    def run(fitted: Fitted, promote: str = "if_better") -> Verdict:
        with database.write() as session:
            scope = keys.default_scope(session)
            model = models.get(session, scope, "m") or models.add(session, scope, "m", "h", HORIZON, list(LEVELS))
        return judge(database, ArtifactStore(settings.artifacts), scope, model.pk, trained.panel, fitted, promote)

    return run


def test_the_first_must_beat_season_naive(judged, trained: Trained) -> None:  # type: ignore[no-untyped-def]
    floor = trained.fitted.report.metrics["season_naive"]["mase"] / trained.fitted.report.metrics["gate"]["mase"]
    good, bad = (
        judged(with_gate_error(trained.fitted, 0.9 * floor)),
        judged(with_gate_error(trained.fitted, 1.1 * floor)),
    )
    assert (good.promoted, good.reason) == (True, "ahead of season-naive")
    assert not bad.promoted
    assert bad.reason.startswith("not ahead of season-naive on the gate span: mase ")


def test_a_challenger_must_beat_the_champion(  # type: ignore[no-untyped-def]
    judged, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    gate = trained.fitted.report.gate
    assert gate is not None
    runner, context = trained.fitted.runner, trained.fitted.config.network.context_length
    champion = score_gate(trained.panel, gate, runner, context_length=context, levels=LEVELS)["mase"]
    ours = trained.fitted.report.metrics["gate"]["mase"]
    better, worse = (judged(with_gate_error(trained.fitted, f * champion / ours)) for f in (0.97, 1.03))
    assert (better.promoted, better.champion) == (True, 1)
    assert better.metrics["champion"]["mase"] == pytest.approx(champion, rel=1e-3)
    assert not worse.promoted
    assert "the champion, version 1" in worse.reason


@pytest.mark.parametrize(("promote", "promoted"), [("always", True), ("never", False)])
def test_what_is_asked_for_is_done(judged, trained: Trained, promote: str, promoted: bool) -> None:  # type: ignore[no-untyped-def]
    assert judged(with_gate_error(trained.fitted, 100), promote).promoted is promoted
    assert judged(with_gate_error(trained.fitted, 0.01), promote).promoted is promoted


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
    better = with_gate_error(trained.fitted, 0.01)
    shutil.rmtree(settings.data_dir / "artifacts")
    assert judged(better).reason == "ahead of season-naive; the champion's files are broken"


def test_an_outage_of_the_store_decides_nothing(  # type: ignore[no-untyped-def]
    judged, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    shutil.rmtree(settings.data_dir / "artifacts")
    (settings.data_dir / "artifacts").write_text("a file where the folder should be")
    with pytest.raises(ArtifactError):
        judged(with_gate_error(trained.fitted, 0.01))
