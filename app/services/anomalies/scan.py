"""Scans of stored series for anomalies: the result of each series, and its comparison with labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode
from app.scope import Scope
from app.services.anomalies.plan import Scan, Task, Window
from app.services.forecasting.inputs.covariates import find_kind_conflict, find_static_conflict
from app.services.refusals import refusal
from app.services.series.aggregation import load_steps
from app.serving.runtime import LoadedVersion
from models.anomaly.detect import HISTORY, Anomalies, detect_anomalies
from models.anomaly.nab import PROFILES, Judgement, ScoredSeries, judge_flags, nab_score, sum_judgements
from models.arrays import Floats
from models.calendar.timestamps import Stamps, format_stamps
from models.config.model import Config
from models.data.series import Series
from models.errors import ConfigError

COLUMNS = ("ds", "y", "expected", "lower", "upper", "score", "anomaly", "alarm")
"""columns of a scanned series"""


@dataclass(frozen=True)
class SeriesScan:
    """The result of one series as clients see it, and its comparison with the labels."""

    view: dict[str, Any]
    judgement: Judgement | None
    scored: ScoredSeries | None


def load_histories(
    session: Session, scope: Scope, tasks: Sequence[Task], config: Config, scan: Scan
) -> dict[str, Series]:
    """Load the series of the tasks: {series id: its steps before and in the span}."""
    before = HISTORY + config.network.context_length + scan.ahead
    spans = {task.row.pk: (max(task.origin, task.first - before), task.end - 1) for task in tasks if task.points}
    rows = [task.row for task in tasks if task.points]
    histories = load_steps(
        session, scope, rows, spans, config.frequency, config.covariates, config.cleaning, config.horizon
    )
    return {history.id: history for history in histories}


def scan_tasks(
    tasks: Sequence[Task], histories: Mapping[str, Series], version: LoadedVersion, scan: Scan
) -> list[SeriesScan]:
    """Score the steps of each task's series, which `load_histories` has loaded."""
    return [_scan_task(task, histories.get(task.row.id), version, scan) for task in tasks]


def compare_with_labels(scans: Sequence[SeriesScan], level: float) -> dict[str, Any] | None:
    """Return precision, recall and F1 over all labelled series, and the benchmark's score; None without labels."""
    judgements = [scan.judgement for scan in scans if scan.judgement is not None]
    scored = [scan.scored for scan in scans if scan.scored is not None]
    return None if not judgements else {**sum_judgements(judgements).to_dict(), "nab": _compute_nab(scored, level)}


def _compute_nab(scored: Sequence[ScoredSeries], level: float) -> dict[str, float] | None:
    threshold = NormalDist().inv_cdf((1 + level) / 2)  # scores are standard deviations of a normal distribution
    try:
        return {name: nab_score(scored, threshold, profile) for name, profile in PROFILES.items()}
    except ValueError:  # no labelled window holds a point that the benchmark scores
        return None


def _scan_task(task: Task, history: Series | None, version: LoadedVersion, scan: Scan) -> SeriesScan:
    if history is None:
        return SeriesScan(_describe_ok(task, {name: [] for name in COLUMNS}), None, None)
    conflict = find_static_conflict(history, version.config.covariates)
    if conflict is not None:
        return _fail(task, f"{conflict}; PUT /series/{{id}} corrects it")
    changed = find_kind_conflict(history, version.config.covariates)
    if changed is not None:
        return _fail(task, f"{changed}; train the model on the values that are stored")
    start = max(0, task.first - history.start)
    end = max(start, min(len(history.y), task.end - history.start))
    try:
        (anomalies,) = detect_anomalies(
            [history], [(start, end)], version.run, version.config, scan.level, scan.ahead, scan.alarms_per_week
        )
    except ConfigError as e:  # a covariate is text in the series and a number in the model
        return _fail(task, str(e))
    stamps = history.stamps(start, end)
    view = _describe_ok(task, _list_columns(history, start, end, anomalies))
    if not task.windows:
        return SeriesScan(view, None, None)
    judgement = _judge(anomalies, stamps, task.windows)
    scored = ScoredSeries(anomalies.score, stamps, _merge_windows(task.windows))
    return SeriesScan(view | {"metrics": judgement.to_dict()}, judgement, scored)


def _describe_ok(task: Task, columns: dict[str, list[Any]]) -> dict[str, Any]:
    return {"series_id": task.row.id, "status": "ok", **columns}


def _fail(task: Task, detail: str) -> SeriesScan:
    error = refusal(ErrorCode.covariate_kind_conflict, detail)
    return SeriesScan({"series_id": task.row.id, "status": "error", "error": error}, None, None)


def _list_columns(history: Series, start: int, end: int, anomalies: Anomalies) -> dict[str, list[Any]]:
    """Return the scored steps [start, end) of a series in columns, as clients see them."""
    return {
        "ds": format_stamps(history.stamps(start, end), history.grid.timezone),
        "y": _convert_to_json(history.y[start:end]),
        "expected": _convert_to_json(anomalies.expected),
        "lower": _convert_to_json(anomalies.lower),
        "upper": _convert_to_json(anomalies.upper),
        "score": _convert_to_json(anomalies.score),
        "anomaly": anomalies.anomaly.tolist(),
        "alarm": anomalies.alarm.tolist(),
    }


def _merge_windows(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Return ascending windows with overlapping ones merged, as the benchmark's score expects them."""
    merged: list[Window] = []
    for first, last in windows:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _judge(anomalies: Anomalies, stamps: Stamps, windows: Sequence[Window]) -> Judgement:
    finite = np.isfinite(anomalies.score)
    return judge_flags(anomalies.anomaly[finite], stamps[finite], windows)


def _convert_to_json(values: Floats) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
