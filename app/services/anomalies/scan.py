"""Scanning stored series for anomalies: which steps, what is told of them, and how that compares with labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, invalid
from app.scope import Scope
from app.services.forecasting.inputs.covariates import static_conflict
from app.services.refusals import Refusal, refusal
from app.services.series import panels
from app.services.series.checks import grid_of
from app.services.series.ids import MAX_ID, is_series_id
from app.serving.runtime import LoadedVersion
from app.storage import series
from app.storage.tables import ModelRow, SeriesRow
from models.anomaly.detect import HISTORY, Anomalies, detect_anomalies
from models.anomaly.nab import PROFILES, Judgement, ScoredSeries, judge_flags, nab_score, sum_judgements
from models.arrays import Floats
from models.calendar.grid import Grid
from models.calendar.timestamps import Stamps, format_stamps, parse_stamps
from models.config.model import Config
from models.data.series import Series
from models.errors import ConfigError, TimestampError

Window = tuple[int, int]


@dataclass(frozen=True)
class Scan:
    """What is asked for; times are as they were sent, read in each series' timezone where they are naive."""

    series: tuple[str, ...]
    start: str | None
    end: str | None
    level: float
    ahead: int = 1
    """how many steps before a value its forecast is made"""
    labels: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """{series id: (start, end) of each labelled window, both included}"""

    def document(self) -> dict[str, Any]:
        """Return plain JSON, which `scan_of` reads."""
        labels = {name: [list(window) for window in windows] for name, windows in self.labels.items()}
        return {
            "series": {"ids": list(self.series)},
            "start": self.start,
            "end": self.end,
            "level": self.level,
            "ahead": self.ahead,
            "labels": labels,
        }


def scan_of(document: Mapping[str, Any]) -> Scan:
    """Return the scan of a stored request."""
    labels = {name: [(first, last) for first, last in windows] for name, windows in document["labels"].items()}
    asked = tuple(document["series"]["ids"])
    return Scan(asked, document["start"], document["end"], document["level"], document["ahead"], labels)


@dataclass(frozen=True)
class Task:
    """The steps [first, end) of one series' grid, and the labelled windows on it."""

    row: SeriesRow
    origin: int
    """the series' first step"""
    first: int
    end: int
    windows: tuple[Window, ...]

    @property
    def points(self) -> int:
        """Number of steps."""
        return max(0, self.end - self.first)

    @property
    def cost(self) -> int:
        """Number of steps that are forecast: those before the span, too, by which it is judged."""
        return self.points + min(HISTORY, max(0, self.first - self.origin)) if self.points else 0


@dataclass(frozen=True)
class Tasks:
    """What can be scanned, and why the rest cannot."""

    found: list[Task]
    errors: dict[str, Refusal]

    @property
    def cost(self) -> int:
        """Number of steps of all series that are forecast."""
        return sum(task.cost for task in self.found)


def tasks_of(session: Session, scope: Scope, model: ModelRow, scan: Scan) -> Tasks:
    """Find the steps to scan. Raises Invalid for times that cannot be read, and labels of series not asked for."""
    strange = set(scan.labels) - set(scan.series)
    if strange:
        name = sorted(strange)[0]
        detail = f"labels of {name[:MAX_ID]!r}, which is not among the series"
        raise invalid(f"body.labels.{name[:MAX_ID]}", ErrorCode.invalid_input, detail)
    wanted = list(dict.fromkeys(scan.series))
    known = series.get_many(session, scope, [i for i in wanted if is_series_id(i)])
    found, errors = [], {}
    for series_id in wanted:
        row = known.get(series_id)
        error = _refusal(row, series_id, model)
        if row is not None and error is None:
            found.append(_task(row, scan))
        else:
            errors[series_id] = error or refusal(ErrorCode.series_not_found, "")
    return Tasks(found, errors)


@dataclass(frozen=True)
class Scanned:
    """What is told of one series, and how it compares with its labels."""

    view: dict[str, Any]
    judgement: Judgement | None
    scored: ScoredSeries | None


def histories(session: Session, scope: Scope, tasks: Sequence[Task], config: Config, scan: Scan) -> dict[str, Series]:
    """Read what the tasks are judged by: {series id: its steps before and in the span}."""
    before = HISTORY + config.network.context_length + scan.ahead
    spans = {task.row.pk: _reach(task, before) for task in tasks if task.points}
    rows = [task.row for task in tasks if task.points]
    found = panels.between(session, scope, rows, spans, config.covariates, config.horizon)
    return {one.id: one for one in found}


def scanned(tasks: Sequence[Task], read: Mapping[str, Series], version: LoadedVersion, scan: Scan) -> list[Scanned]:
    """Judge the steps of some series, as they were `read`."""
    return [_scanned(task, read.get(task.row.id), version, scan) for task in tasks]


def compared(found: Sequence[Scanned], level: float) -> dict[str, Any] | None:
    """Return precision, recall and F1 over all labelled series, and the benchmark's score; None without labels."""
    judgements = [one.judgement for one in found if one.judgement is not None]
    scored = [one.scored for one in found if one.scored is not None]
    return None if not judgements else {**sum_judgements(judgements).to_dict(), "nab": _nab(scored, level)}


def _nab(scored: Sequence[ScoredSeries], level: float) -> dict[str, float] | None:
    threshold = NormalDist().inv_cdf((1 + level) / 2)  # of a score in standard deviations of a normal law
    try:
        return {name: nab_score(scored, threshold, profile) for name, profile in PROFILES.items()}
    except ValueError:  # no window holds a point that the benchmark judges
        return None


def _refusal(row: SeriesRow | None, series_id: str, model: ModelRow) -> Refusal | None:
    if row is None:
        return refusal(ErrorCode.series_not_found, f"there is no series {series_id[:MAX_ID]!r}; POST /series makes one")
    if row.freq != model.freq:
        detail = f"the series has frequency {row.freq!r}, the model {model.freq!r}"
        return refusal(ErrorCode.frequency_mismatch, detail)
    if row.first_ts is None or row.anchor is None:
        return refusal(ErrorCode.no_history, "the series has no observed value")
    return None


def _task(row: SeriesRow, scan: Scan) -> Task:
    assert row.first_ts is not None
    assert row.last_ts is not None
    grid = grid_of(row)
    low, high = row.first_ts, row.last_ts + 1  # what lies far from them cannot be located on every grid
    start = low if scan.start is None else min(high, max(low, _stamp(scan.start, row, "start")))
    end = high if scan.end is None else min(high, max(low, _stamp(scan.end, row, "end")))
    windows = []
    for number, (first, last) in enumerate(scan.labels.get(row.id, ())):
        where = f"labels.{row.id}.{number}"
        window = (_stamp(first, row, f"{where}.start"), _stamp(last, row, f"{where}.end"))
        if window[0] > window[1]:
            raise invalid(f"body.{where}", ErrorCode.invalid_input, f"the label of {row.id!r} ends before it starts")
        windows.append(window)
    steps = [_first_at(grid, stamp) for stamp in (row.first_ts, start, end)]
    return Task(row, steps[0], steps[1], steps[2], tuple(sorted(windows)))


def _stamp(text: str, row: SeriesRow, field: str) -> int:
    try:
        return int(parse_stamps([text], row.timezone)[0])
    except TimestampError as e:
        raise invalid(f"body.{field}", ErrorCode(e.code), f"{field}: {e.detail}") from e


def _first_at(grid: Grid, stamp: int) -> int:
    """Return the first step of a grid that is not before a stamp."""
    index = int(grid.locate(np.array([stamp], np.int64))[0][0])
    while int(grid.stamps(np.array([index], np.int64))[0]) < stamp:
        index += 1
    return index


def _reach(task: Task, before: int) -> tuple[int, int]:
    """Return the first and last stamp of what is read for a task."""
    grid = grid_of(task.row)
    begin = max(task.origin, task.first - before)
    first, last = grid.stamps(np.array([begin, task.end - 1], np.int64)).tolist()
    return first, last


def _scanned(task: Task, one: Series | None, version: LoadedVersion, scan: Scan) -> Scanned:
    view: dict[str, Any] = {"series_id": task.row.id, "status": "ok"}
    if one is None:
        columns = ("ds", "y", "expected", "lower", "upper", "score", "anomaly", "alarm")
        return Scanned(view | {name: [] for name in columns}, None, None)
    conflict = static_conflict(one, version.config.covariates)
    if conflict is not None:
        error = refusal(ErrorCode.covariate_kind_conflict, f"{conflict}; PUT /series/{{id}} mends it")
        return Scanned({**view, "status": "error", "error": error}, None, None)
    start = max(0, task.first - one.start)
    end = max(start, min(len(one.y), task.end - one.start))
    try:
        (told,) = detect_anomalies([one], [(start, end)], version.run, version.config, scan.level, scan.ahead)
    except ConfigError as e:  # a covariate is text in the series and a number in the model
        error = refusal(ErrorCode.covariate_kind_conflict, str(e))
        return Scanned({**view, "status": "error", "error": error}, None, None)
    stamps = one.stamps(start, end)
    view |= {
        "ds": format_stamps(stamps, one.grid.timezone),
        "y": _numbers(one.y[start:end]),
        "expected": _numbers(told.expected),
        "lower": _numbers(told.lower),
        "upper": _numbers(told.upper),
        "score": _numbers(told.score),
        "anomaly": told.anomaly.tolist(),
        "alarm": told.alarm.tolist(),
    }
    if not task.windows:
        return Scanned(view, None, None)
    judgement = _judged(told, stamps, task.windows)
    return Scanned(
        view | {"metrics": judgement.to_dict()}, judgement, ScoredSeries(told.score, stamps, _apart(task.windows))
    )


def _apart(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Return ascending windows with those that overlap made one, as the benchmark's score wants them."""
    found: list[Window] = []
    for first, last in windows:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def _judged(told: Anomalies, stamps: Stamps, windows: Sequence[Window]) -> Judgement:
    known = np.isfinite(told.score)
    return judge_flags(told.anomaly[known], stamps[known], windows)


def _numbers(values: Floats) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
