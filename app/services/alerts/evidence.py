"""What is known now about the condition of an alert: read from archived forecasts, watches, jobs and series."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.alerts.rules import AlertFinding, find_crossing
from app.services.durations import SECOND_US, parse_duration
from app.services.evaluation.skill import measure_drift
from app.services.series.selection import Selector, select_series
from app.storage import alarms, archive, jobs, registry, watches
from app.storage.archive import ArchivedRow
from app.storage.clock import now
from app.storage.keys import ALL_RIGHTS
from app.storage.tables import AlertRow, ModelRow, SeriesRow
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import format_stamp
from models.errors import OffGridError
from models.evaluation.skill import WORSE
from models.inference.predict import interpolate_quantiles

MOST_SERIES = 10_000
"""series of an alert that are looked at, the first by their ids"""
AT_ONCE = 500
"""forecasts in memory"""
MOST_JOBS = 1000
"""ended jobs that one evaluation looks at"""


@dataclass(frozen=True)
class Evidence:
    """What an evaluation has found."""

    findings: Sequence[AlertFinding]
    """in the order of time where there are several of a key"""
    seen: int
    """the newest evidence that it looked at"""
    complete: bool
    """whether whatever has no finding no longer holds; else its state stays"""
    selected: frozenset[str] | None = None
    """keys that the alert is about; None: any"""
    problem: str | None = None
    """why nothing could be judged"""


def parse_alert_selector(document: Mapping[str, Any] | None) -> Selector:
    """Return the selector of a stored alert or watch; without one all series are meant."""
    if document is None:
        return Selector()
    return Selector(tuple(document["ids"]) if "ids" in document else None, document.get("labels"))


def _select(session: Session, scope: Scope, row: AlertRow) -> dict[str, SeriesRow] | None:
    """Return {id: series} of those that an alert names; None where it names none."""
    if row.series is None:
        return None
    rows = select_series(session, scope, parse_alert_selector(row.series))[:MOST_SERIES]
    return {series.id: series for series in rows}


def _find_start(seen: int, newest: int) -> int:
    """Return the key after which evidence is new: keys begin anew once all rows of a table were deleted."""
    return seen if seen <= newest else 0


def _without_model(row: AlertRow) -> Evidence:
    problem = f"there is no model {row.model!r}"
    return Evidence((), row.seen or 0, complete=True, problem=problem)


def _read_forecasts(session: Session, scope: Scope, row: AlertRow) -> Evidence:
    model = registry.get(session, scope, row.model or "")
    if model is None:
        return _without_model(row)
    selected = _select(session, scope, row)
    newest = archive.get_newest(session, model)
    findings: list[AlertFinding] = []
    for rows in _list_forecasts(session, model, selected, _find_start(row.seen or 0, newest)):
        findings += [finding for one in rows if (finding := judge_forecast(one, row.condition, model)) is not None]
    chosen = None if selected is None else frozenset(selected)
    problem = None if newest else f"no forecast of {model.name} is archived: PUT /models/{model.name}/schedule"
    return Evidence(findings, newest, complete=row.seen is None, selected=chosen, problem=problem)


def _list_forecasts(
    session: Session, model: ModelRow, selected: Mapping[str, SeriesRow] | None, after: int
) -> Iterator[list[ArchivedRow]]:
    """Yield the newest forecast of each series of those that were archived after a key."""
    pks = archive.list_newest_keys(
        session, model, after, None if selected is None else [s.pk for s in selected.values()]
    )
    for start in range(0, min(len(pks), MOST_SERIES), AT_ONCE):
        yield archive.get_many(session, pks[start : start + AT_ONCE])


def judge_forecast(row: ArchivedRow, condition: Mapping[str, Any], model: ModelRow) -> AlertFinding | None:
    """Return whether a quantile of an archived forecast crosses a threshold within a time of its origin.

    None where it has no step in that time, or cannot be judged: its timezone or its levels have changed.
    """
    forecast, series = row
    levels = forecast.forecast["levels"]
    if not levels[0] <= condition["quantile"] <= levels[-1]:
        return None
    quantiles = np.array(forecast.forecast["quantiles"], np.float64)  # (H, Q)
    try:
        grid = Grid(parse_frequency(model.freq), series.timezone, forecast.origin)
    except OffGridError:
        return None
    stamps = grid.stamps(np.arange(1, len(quantiles) + 1, dtype=np.int64))
    values = interpolate_quantiles(quantiles, levels, [condition["quantile"]])[:, 0]  # (H,)
    end = forecast.origin + parse_duration(condition["within"], "within")
    above = condition.get("above")
    below = condition.get("below")
    crossing = find_crossing(values, stamps, end, above=above, below=below)
    if crossing is None:
        return None
    return AlertFinding(
        key=series.id,
        active=crossing.crossed,
        value=crossing.value,
        threshold=above if above is not None else below,
        ds=format_stamp(int(stamps[crossing.step]), series.timezone),
        model=model.name,
        labels=series.labels,
    )


def _read_alarms(session: Session, scope: Scope, row: AlertRow) -> Evidence:
    """Find the highest score of each series since the last evaluation, and whether its newest value is calm."""
    model = registry.get(session, scope, row.model or "")
    if model is None:
        return _without_model(row)
    selected = _select(session, scope, row)
    pks = None if selected is None else {series.pk for series in selected.values()}
    newest = alarms.get_newest_alarm(session, model)
    least = row.condition.get("score")
    watched = [(one, series) for one, series in watches.list_watched(session, model) if pks is None or series.pk in pks]
    thresholds = {series.pk: one.threshold if least is None else least for one, series in watched}
    after = newest if row.seen is None else _find_start(row.seen, newest)
    findings = [
        _describe_score(series, model, True, alarm.score, thresholds.get(series.pk), alarm.ts)
        for alarm, series in alarms.list_peaks(session, model, after, newest, least)
        if pks is None or series.pk in pks
    ]
    for one, series in watched:
        if one.score is not None and one.scanned_ts is not None:
            active = one.alarming if least is None else one.score >= least
            findings.append(_describe_score(series, model, active, one.score, thresholds[series.pk], one.scanned_ts))
    chosen = None if selected is None else frozenset(selected)
    problem = None
    if watches.get(session, scope, model.pk) is None:
        problem = f"nothing scans the values of {model.name}: PUT /models/{model.name}/watch"
    return Evidence(findings, newest, complete=row.seen is None, selected=chosen, problem=problem)


def _describe_score(
    series: SeriesRow, model: ModelRow, active: bool, score: float, threshold: float | None, ts: int
) -> AlertFinding:
    return AlertFinding(
        key=series.id,
        active=active,
        value=score,
        threshold=threshold,
        ds=format_stamp(ts, series.timezone),
        model=model.name,
        labels=series.labels,
    )


def _read_drift(session: Session, scope: Scope, row: AlertRow) -> Evidence:
    model = registry.get(session, scope, row.model or "")
    if model is None:
        return _without_model(row)
    version = registry.get_version(session, model, model.champion) if model.champion is not None else None
    if version is None:
        return Evidence((), 0, complete=False, problem=f"no version of {model.name} is live")
    key = f"{model.name}@{version.number}"
    drift = measure_drift(session, model, version)
    if drift["status"] == "unknown":
        return Evidence((), 0, complete=False, selected=frozenset({key}), problem=drift["detail"])
    finding = AlertFinding(
        key=key,
        active=drift["status"] == "drifting",
        value=drift.get("mase"),
        threshold=WORSE * drift["gate_mase"] if "gate_mase" in drift else None,
        model=model.name,
    )
    return Evidence((finding,), 0, complete=True)


def _read_jobs(session: Session, scope: Scope, row: AlertRow) -> Evidence:
    """Look at the jobs that have ended since the last evaluation, in their order; the first one begins now."""
    if row.seen is None:
        return Evidence((), now(session), complete=True)
    ended = jobs.list_ended(session, scope, row.model, row.seen, MOST_JOBS)
    findings = [
        AlertFinding(
            key=f"{job.kind} {job.model}" if job.model is not None else job.kind,
            active=job.status == row.condition["status"],
            ds=format_stamp(job.finished_at, "UTC") if job.finished_at is not None else None,
            model=job.model,
        )
        for job in ended
    ]
    newest = max([row.seen, *(job.finished_at for job in ended if job.finished_at is not None)])
    return Evidence(findings, newest, complete=False)


def _read_arrivals(session: Session, scope: Scope, row: AlertRow) -> Evidence:
    """Compare the age of the newest value of each series with how long it may be silent."""
    moment = now(session)
    silent_for = parse_duration(row.condition["silent_for"], "silent_for")
    selector = parse_alert_selector(row.series)
    rows = {one.id: one for one in select_series(session, scope, selector)[:MOST_SERIES]}
    findings = []
    for series in rows.values():
        newest = series.last_ts if series.last_ts is not None else series.created_at
        findings.append(
            AlertFinding(
                key=series.id,
                active=moment - newest > silent_for,
                value=(moment - newest) / SECOND_US,
                threshold=silent_for / SECOND_US,
                ds=format_stamp(newest, series.timezone),
                labels=series.labels,
            )
        )
    problem = None if rows else "no series is there that it is about"
    return Evidence(findings, moment, complete=True, selected=frozenset(rows), problem=problem)


_READERS: Mapping[str, Callable[[Session, Scope, AlertRow], Evidence]] = {
    "forecast": _read_forecasts,
    "anomaly": _read_alarms,
    "drift": _read_drift,
    "job": _read_jobs,
    "data": _read_arrivals,
}


def read_evidence(session: Session, row: AlertRow) -> Evidence:
    """Return what is known about an alert that was not judged before."""
    return _READERS[row.subject](session, Scope(row.project_id, ALL_RIGHTS, by="alert"), row)
