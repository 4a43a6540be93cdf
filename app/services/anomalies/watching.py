"""Scanning values as they arrive: a duty of workers, which find the series that have changed by their versions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ServiceError
from app.logs import get_logger
from app.scope import Scope
from app.services.anomalies.plan import Scan, Task, find_first_step
from app.services.anomalies.scan import load_histories
from app.services.anomalies.watch import MOST_SERIES, build_rule, select_watched
from app.services.durations import SECOND_US
from app.services.forecasting.inputs.covariates import find_kind_conflict, find_static_conflict
from app.services.registry.loader import VersionLoader
from app.services.series.aggregation import build_read_grid, is_readable
from app.serving.runtime import LoadedVersion
from app.storage import alarms, alerts, registry, watches
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.keys import ALL_RIGHTS
from app.storage.tables import ModelRow, SeriesRow, VerdictRow, Watch, WatchedSeries
from models.anomaly.watch import GivenVerdict, Watched, WatchRule, watch_span
from models.data.series import Series
from models.errors import ConfigError

log = get_logger(__name__)

LEASE_SECONDS = 60.0
"""time after which another worker takes up a scan; it is extended between two series"""
SELECT_SECONDS = 60.0
"""between two looks for series that are new, or no longer selected"""
MOST_STEPS = 5000
"""newest steps that one scan of a series judges: what came before is history"""
SWEPT_AT_ONCE = 5000
"""alarms that one transaction deletes"""


@dataclass(frozen=True)
class _Round:
    """What one scan of a watch needs for each of its series."""

    scope: Scope
    watch: Watch
    model: ModelRow
    version: LoadedVersion
    rule: WatchRule
    least: float | None
    """score from which on an alert asks for values that are no alarms"""


class Watcher:
    """The duty that scans what has changed."""

    def __init__(self, database: Database, versions: VersionLoader) -> None:
        self._database = database
        self._versions = versions

    def scan_due(self) -> int:
        """Scan the watches of all projects that have news; return the number of series that were scanned."""
        with self._database.read() as session:
            moment = now(session)
            due = [row for row in watches.list_all(session) if _is_due(session, row, moment)]
        return sum(self._scan(row) for row in due)

    def _scan(self, row: Watch) -> int:
        """Scan a watch, unless another worker does."""
        with self._database.write() as session:
            if not watches.lease(session, row.model_pk, int(LEASE_SECONDS * SECOND_US)):
                return 0
        scanned = 0
        problem = None
        try:
            scanned, problem = self._scan_leased(row)
        except Exception as e:  # a watch that cannot be scanned must not hold up the others
            log.warning("watch_failed", model_pk=row.model_pk, detail=str(e)[:200])
            problem = e.detail if isinstance(e, ServiceError) else f"the scan failed inside ({type(e).__name__})"
        with self._database.write() as session:
            watches.release(session, row.model_pk, problem)
        return scanned

    def _scan_leased(self, row: Watch) -> tuple[int, str | None]:
        scope = Scope(row.project_id, ALL_RIGHTS, by="watch")
        with self._database.write() as session:
            model = registry.get_by_pk(session, scope, row.model_pk)
            number = model.champion if model is not None else None
            if model is None or number is None:
                return 0, "no version of the model is live"
            version_row = registry.get_version(session, model, number)
            assert version_row is not None, "a champion cannot be deleted"
            selected = select_watched(session, scope, model, row)[:MOST_SERIES]
            watches.begin_at(session, model.pk, selected)
            progress = watches.get_progress(session, model.pk)
            watches.forget(session, model.pk, set(progress) - {one.pk for one in selected})
            least = watches.find_lowest_score(session, scope, model.name)
        version = self._versions.get(scope, version_row)
        changed = [one for one in selected if progress[one.pk].version != one.version]
        with self._database.read() as session:
            verdicts = alarms.list_verdicts(session, [one.pk for one in changed])
        given = _Round(scope, row, model, version, build_rule(row, len(selected)), least)
        renewed = time.monotonic()
        for one in changed:
            self._scan_series(given, one, progress[one.pk], verdicts.get(one.pk, []))
            if time.monotonic() - renewed > LEASE_SECONDS / 4:
                with self._database.write() as session:
                    watches.renew(session, row.model_pk, int(LEASE_SECONDS * SECOND_US))
                renewed = time.monotonic()
        return len(changed), None if selected else "no series is there that it could scan"

    def _scan_series(self, given: _Round, row: SeriesRow, progress: WatchedSeries, verdicts: list[VerdictRow]) -> None:
        """Judge the new values of a series, and write that in one transaction."""
        cleaning = given.version.config.cleaning
        fields: dict[str, Any] = {"version": row.version, "error": None}
        rows: list[dict[str, Any]] = []
        if not is_readable(row, given.model.freq, cleaning):
            fields["error"] = f"the series has frequency {row.freq!r}, the model {given.model.freq!r}"
        elif row.last_ts is not None and (progress.scanned_ts is None or row.last_ts > progress.scanned_ts):
            judged = self._judge(given, row, progress, verdicts)
            if isinstance(judged, str):
                fields["error"] = judged
            elif judged is not None:
                fields |= judged.fields
                rows = judged.rows
        with self._database.write() as session:
            alarms.add_alarms(session, given.scope, given.model.pk, row.pk, rows)
            watches.note_progress(session, given.model.pk, row.pk, **fields)
            if rows or _is_notable(progress, given.least):
                alerts.wake(session, given.scope, ("anomaly",), given.model.name)

    def _judge(
        self, given: _Round, row: SeriesRow, progress: WatchedSeries, verdicts: list[VerdictRow]
    ) -> "_Judgement | str | None":
        """Return the judgement of the new values of a series, or why there is none; None where no step is full."""
        config = given.version.config
        task = _plan_task(row, given, progress.scanned_ts)
        scan = Scan((row.id,), None, None, 0.5, given.rule.ahead)
        with self._database.read() as session:
            histories = load_histories(session, given.scope, [task], config, scan)
            stamps = [verdict.ts for verdict in verdicts]
            scores = alarms.get_scores(session, given.model.pk, row.pk, stamps)
        history = histories.get(row.id)
        if history is None:
            return None
        conflict = find_static_conflict(history, config.covariates) or find_kind_conflict(history, config.covariates)
        if conflict is not None:
            return conflict
        start = max(0, task.first - history.start)
        end = max(start, min(len(history.y), task.end - history.start))
        if start == end:
            return None
        given_verdicts = _place_verdicts(history, verdicts, scores)
        try:
            watched = watch_span(history, (start, end), given.version.run, config, given.rule, given_verdicts)
        except (ConfigError, ValueError) as e:  # a covariate of another kind, an infinite value: the others go on
            return str(e)
        return _describe_judgement(history, (start, end), watched, given.least)


@dataclass(frozen=True)
class _Judgement:
    """What is written of the new values of a series."""

    fields: Mapping[str, Any]
    rows: list[dict[str, Any]]


def sweep_alarms(database: Database, days: float) -> None:
    """Delete alarms that are older than so many days and have no verdict."""
    while True:  # a transaction each, so that others can write in between
        with database.write() as session:
            deleted = alarms.delete_old_alarms(session, days, SWEPT_AT_ONCE)
        if deleted < SWEPT_AT_ONCE:
            return


def _is_due(session: Session, row: Watch, moment: int) -> bool:
    if row.leased_until > moment:
        return False
    if row.scanned_at is None or moment - row.scanned_at > SELECT_SECONDS * SECOND_US:
        return True
    return watches.has_news(session, row.model_pk)


def _is_notable(progress: WatchedSeries, least: float | None) -> bool:
    """Say whether the last scan of a series may have fired an alert, which this one may end."""
    return progress.alarming or (least is not None and progress.score is not None and progress.score >= least)


def _plan_task(row: SeriesRow, given: _Round, scanned: int | None) -> Task:
    """Return the steps after the last one that was scanned."""
    assert row.first_ts is not None
    assert row.last_ts is not None
    grid = build_read_grid(row, given.model.freq, given.version.config.cleaning)
    origin = find_first_step(grid, row.first_ts)
    end = find_first_step(grid, row.last_ts + 1)
    first = origin if scanned is None else max(origin, find_first_step(grid, scanned + 1))
    return Task(row, grid, origin, min(max(first, end - MOST_STEPS), end), end, ())


def _place_verdicts(history: Series, verdicts: list[VerdictRow], scores: Mapping[int, float]) -> list[GivenVerdict]:
    """Return the verdicts by their positions, with the scores {stamp: score} that are stored; others are not there."""
    stamps = history.stamps(0, len(history.y))
    positions = np.searchsorted(stamps, [verdict.ts for verdict in verdicts]).tolist()
    return [
        GivenVerdict(at, verdict.verdict == "normal", scores.get(verdict.ts))
        for at, verdict in zip(positions, verdicts, strict=True)
        if verdict.ts in scores or (at < len(stamps) and stamps[at] == verdict.ts)
    ]


def _describe_judgement(history: Series, span: tuple[int, int], watched: Watched, least: float | None) -> _Judgement:
    start, end = span
    stamps = history.stamps(start, end)
    y = history.y[start:end]
    scored = np.flatnonzero(np.isfinite(watched.score))
    kept = watched.alarm | (watched.score >= least if least is not None else False)
    rows = [
        {
            "ts": int(stamps[at]),
            "y": float(y[at]),
            "expected": float(watched.expected[at]),
            "lower": float(watched.lower[at]),
            "upper": float(watched.upper[at]),
            "score": float(watched.score[at]),
            "alarm": bool(watched.alarm[at]),
        }
        for at in scored[kept[scored]].tolist()
    ]
    fields: dict[str, Any] = {"scanned_ts": int(stamps[-1]), "threshold": watched.threshold}
    if len(scored):
        last = int(scored[-1])
        fields |= {"score": float(watched.score[last]), "alarming": bool(watched.alarming[last])}
    return _Judgement(fields, rows)
