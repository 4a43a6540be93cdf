"""Whether a new version goes live: on the gate span, which it has never seen, against the champion and the floors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import JobRefused
from app.logs import get_logger
from app.services.jobs.documents import parse_warm_start
from app.services.runs.attempt import Attempt
from app.services.series import panels
from app.services.series.aggregation import add_aggregated_covariates, select_aggregated
from app.serving.runtime import LoadedVersion
from app.storage import registry, revisions, series
from app.storage.tables import VersionRow
from models.arrays import Floats, Ints
from models.calendar.timestamps import parse_stamps
from models.config.covariates import CovariateConfig
from models.data.series import Panel, Series
from models.errors import ConfigError
from models.evaluation.baselines import forecast_baselines
from models.evaluation.floors import FLOORS, compare, is_level, is_tie, is_within_chance
from models.evaluation.scoring import Windows, find_windows, measure_points, measure_quantiles
from models.inference.predict import run_windows
from models.training.fitted import Fitted

log = get_logger(__name__)

LEAST_FRESH = 8
"""windows since the champion's data ended, from which on they alone decide"""


@dataclass(frozen=True)
class Verdict:
    """What was decided, and why."""

    promoted: bool
    reason: str
    champion: int | None
    """the champion that it was judged against"""
    metrics: dict[str, Any] = field(default_factory=dict)
    """`champion`: its measures on the same windows"""


def judge(attempt: Attempt, model_pk: int, panel: Panel, fitted: Fitted) -> Verdict:
    """Decide whether `fitted` replaces the champion.

    With `if_better` it must be ahead of the floors and the champion, or level, on the same windows: those of its gate
    that begin after the champion's data ended, which neither has seen. Where they are too few it is the whole gate, of
    which the champion may have seen a part and the challenger has not: a challenger that wins there has won under the
    harder terms. What the version that it began from has seen is left out, however little remains. Raises ArtifactError
    where the store is away.
    """
    promote = attempt.job.request["promote"]
    with attempt.database.read() as session:
        model = registry.get_by_pk(session, attempt.scope, model_pk)
        champion = model.champion if model else None
        row = registry.get_version(session, model, champion) if model and champion else None
        seen = _Seen.by(session, row) if row is not None else None
        start = _get_start(session, attempt)
    report = fitted.report
    if "stopped" in report.warnings:
        return Verdict(False, "stopped early by its user; PUT /models/{name}/champion sets it live", champion)
    if promote != "if_better":
        return Verdict(promote == "always", f"promote was {promote!r}", champion)
    if report.gate is None or fitted.gate_quantiles is None:
        return _decide_ungated("the history is too short for a gate", champion)
    windows = find_windows(panel, report.gate)
    rows, span = _select_windows(windows, seen, start)
    if not len(rows):
        return _decide_ungated("the version that it began from has seen the gate", champion)
    return _compare(attempt, panel, fitted, windows, row, rows, span)


@dataclass(frozen=True)
class _Seen:
    """What a version was fitted on."""

    series: frozenset[str] | None
    """None: any, since a refresh reads the series of its time"""
    end: int
    """the newest stamp"""

    @classmethod
    def by(cls, session: Session, row: VersionRow, number: int | None = None) -> "_Seen":
        """Return what a version has seen as one of its revisions, or as the one that serves."""
        end = int(parse_stamps([row.data_span["end"]], "UTC")[0])
        revision = revisions.get(session, row, row.revision if number is None else number)
        if revision is None or revision.data_end is None:
            return cls(frozenset(row.data_span["series"]), end)
        return cls(None, max(end, revision.data_end))

    def has(self, series: Series, origin: int) -> bool:
        """Whether it may have seen what comes after a position in a series."""
        is_known = self.series is None or series.id in self.series
        return is_known and int(series.stamps(origin, origin + 1)[0]) < self.end


def _get_start(session: Session, attempt: Attempt) -> _Seen | None:
    """Return what the version has seen that the training began from, as that was trained."""
    start = parse_warm_start(attempt.job.request)
    if start is None:
        return None
    name, number = start
    source = registry.get(session, attempt.scope, name)
    row = registry.get_version(session, source, number) if source is not None else None
    return _Seen.by(session, row, 0) if row is not None else None


def _decide_ungated(why: str, champion: int | None) -> Verdict:
    """Let the first version go live, and no later one, where nothing can be compared."""
    if champion is None:
        return Verdict(True, f"ungated: {why}, and there is no other version", None)
    return Verdict(False, f"ungated: {why}; promote: always would set it live", champion)


def _compare(
    attempt: Attempt,
    panel: Panel,
    fitted: Fitted,
    windows: Windows,
    row: VersionRow | None,
    rows: Ints,
    span: str,
) -> Verdict:
    """Compare with the floors and the champion on the same windows."""
    assert fitted.gate_quantiles is not None
    part = windows.part(rows)
    levels = fitted.config.quantiles
    quantiles = fitted.gate_quantiles[rows]
    point = quantiles[..., fitted.config.median]
    ours = measure_quantiles(part, quantiles, levels)
    floors = _compare_floors(part, panel, point, levels, ours)
    theirs = _ChampionScore(None, None, "") if row is None else _measure_champion(attempt, panel, fitted, row, rows)
    champion = row.number if row is not None else None
    measured = {"champion": theirs.measures} if theirs.measures else {}
    if len(rows) < len(windows.series):
        measured |= {"gate_unseen": ours, "season_naive_unseen": floors.season_naive}
    if floors.lost:
        return Verdict(False, f"not ahead of {_join_lost(floors.lost, span)}", champion, measured)
    beaten = theirs.beaten
    if theirs.measures is not None and theirs.point is not None:
        better, comparison = compare(ours, theirs.measures)
        if not better and is_tie(part, point, theirs.point):
            beaten = ", and level with the champion"
        elif not better:
            name = f"the champion, version {champion}"
            return Verdict(False, f"not ahead of {name} on {span}: {comparison}", champion, measured)
    return Verdict(True, f"{floors.passed} on {span}{beaten}", champion, measured)


@dataclass(frozen=True)
class _FloorsScore:
    """How the floors did."""

    season_naive: dict[str, float]
    """the measures of season-naive"""
    lost: Sequence[tuple[str, str]]
    """what the floors are called that the challenger is not ahead of, and by which numbers"""
    passed: str
    """what is said of the others"""


def _compare_floors(
    windows: Windows, panel: Panel, point: Floats, levels: Sequence[float], ours: Mapping[str, float]
) -> _FloorsScore:
    """Compare a challenger, its point forecasts (B, H) and measures, with each floor on the same windows."""
    points = forecast_baselines(windows, panel.frequency.season, list(FLOORS))
    measured = {name: measure_points(windows, floor, levels) for name, floor in points.items()}
    compared = {name: compare(ours, measures) for name, measures in measured.items()}
    behind = [name for name, (better, _) in compared.items() if not better]
    level = [name for name in behind if is_level(windows, point, points[name])]
    lucky = [name for name in behind if name not in level and is_within_chance(windows, point, points[name])]
    lost = [(FLOORS[name], compared[name][1]) for name in behind if name not in {*level, *lucky}]
    passed = f"level with {FLOORS[level[0]]}" if level else "ahead of season-naive"
    if lucky:
        first = lucky[0]
        passed = f"behind {FLOORS[first]} by no more than chance ({compared[first][1]})"
    return _FloorsScore(measured["season_naive"], lost, passed)


def _join_lost(lost: Sequence[tuple[str, str]], span: str) -> str:
    """Return the lost comparisons as one text."""
    first, *others = lost
    return "; nor of ".join([f"{first[0]} on {span}: {first[1]}", *(f"{name}: {numbers}" for name, numbers in others)])


def _select_windows(windows: Windows, champion: _Seen | None, start: _Seen | None) -> tuple[Ints, str]:
    """Return the windows to compare on, (N,) of them, and what they are called."""
    allowed = np.ones(len(windows.series), bool) if start is None else _unseen(windows, start)
    if start is not None and allowed.sum() < min(LEAST_FRESH, len(allowed)):
        return np.empty(0, np.int64), ""
    fresh = allowed if champion is None else allowed & _unseen(windows, champion)
    if champion is not None and fresh.sum() >= LEAST_FRESH:
        return np.flatnonzero(fresh), f"the {int(fresh.sum())} windows since the champion's data ended"
    span = "the gate span" if allowed.all() else f"the {int(allowed.sum())} windows that its start has not seen"
    return np.flatnonzero(allowed), span


def _unseen(windows: Windows, seen: _Seen) -> NDArray[np.bool_]:
    """Return which windows (B,) begin after a version's data ended, or are of series that it was not trained on."""
    pairs = zip(windows.series, windows.origins.tolist(), strict=True)
    return np.array([not seen.has(item, origin) for item, origin in pairs], bool)


@dataclass(frozen=True)
class _ChampionScore:
    """How the champion did."""

    measures: dict[str, float] | None
    """none where it cannot be measured"""
    point: Floats | None
    """(B, H) its point forecasts, none likewise"""
    beaten: str
    """what is said of it where the challenger goes live"""


def _measure_champion(attempt: Attempt, panel: Panel, fitted: Fitted, row: VersionRow, rows: Ints) -> _ChampionScore:
    """Measure the champion on some windows of the challenger's gate. Raises ArtifactError where the store is away."""
    gate = fitted.report.gate
    assert gate is not None
    try:
        version = attempt.load_version(row)
        complete = _panel_for(attempt, panel, fitted, version)
        windows = find_windows(complete, gate).part(rows)
        quantiles = run_windows(windows.series, windows.origins, version.run, version.config)
        measures = measure_quantiles(windows, quantiles, version.config.quantiles)
        return _ChampionScore(measures, quantiles[..., version.config.median], ", and of the champion")
    except JobRefused as e:  # it cannot serve either; an outage is raised
        log.warning("champion_broken", version=row.number, detail=str(e))
        return _ChampionScore(None, None, "; the champion's files are broken")
    except ConfigError as e:
        log.warning("champion_outdated", version=row.number, detail=str(e))
        return _ChampionScore(None, None, "; the champion cannot read the series any more")


def _panel_for(attempt: Attempt, panel: Panel, fitted: Fitted, version: LoadedVersion) -> Panel:
    """Return the panel with the covariates of another version, as they are stored now, where it lacks some."""
    wanted = version.config.covariates
    if _names(wanted) <= _names(fitted.config.covariates):
        return panel
    config = fitted.config
    with attempt.database.read() as session:
        rows = series.get_many(session, attempt.scope, [item.id for item in panel.series])
        finer = {row.id for row in select_aggregated(list(rows.values()), config.frequency, config.cleaning)}
        loaded = [(rows[item.id], item) for item in panel.series if item.id in rows and item.id not in finer]
        complete = {
            item.id: item for item in panels.add_covariates(session, attempt.scope, loaded, wanted, config.horizon)
        }
        for item in panel.series:
            if item.id in finer:
                row = rows[item.id]
                complete[item.id] = add_aggregated_covariates(session, attempt.scope, row, item, config, wanted)
    return replace(panel, series=tuple(complete.get(item.id, item) for item in panel.series))


def _names(covariates: CovariateConfig) -> set[str]:
    return {*covariates.temporal, *covariates.static}
