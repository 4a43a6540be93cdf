"""The request of a scan, and the steps of stored series that it scans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, invalid
from app.scope import Scope
from app.services.refusals import Refusal, refusal
from app.services.series.aggregation import build_read_grid, is_readable
from app.services.series.ids import MAX_ID, is_series_id
from app.storage import series
from app.storage.tables import ModelRow, SeriesRow
from models.anomaly.detect import ALARMS_PER_WEEK, HISTORY
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps
from models.config.cleaning import CleaningConfig
from models.errors import TimestampError

USUAL_ALARMS = ALARMS_PER_WEEK
"""a week, of each series, where a request names no number"""
Window = tuple[int, int]
"""first and last stamp of a labelled anomaly"""


@dataclass(frozen=True)
class Scan:
    """The request of a scan. Times are as the client wrote them; naive ones are in each series' timezone."""

    series: tuple[str, ...]
    start: str | None
    end: str | None
    level: float
    ahead: int = 1
    """number of steps between a forecast's origin and the value that it is compared with"""
    alarms_per_week: float = USUAL_ALARMS
    """of each series"""
    labels: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """{series id: (start, end) of each labelled window, both included}"""

    def document(self) -> dict[str, Any]:
        """Return plain JSON, which `parse_scan` reads."""
        labels = {name: [list(window) for window in windows] for name, windows in self.labels.items()}
        return {
            "series": {"ids": list(self.series)},
            "start": self.start,
            "end": self.end,
            "level": self.level,
            "ahead": self.ahead,
            "alarms_per_week": self.alarms_per_week,
            "labels": labels,
        }


def parse_scan(document: Mapping[str, Any]) -> Scan:
    """Return the scan of a stored request."""
    labels = {name: [(first, last) for first, last in windows] for name, windows in document["labels"].items()}
    return Scan(
        tuple(document["series"]["ids"]),
        document["start"],
        document["end"],
        document["level"],
        document["ahead"],
        document.get("alarms_per_week", USUAL_ALARMS),  # jobs of earlier releases have none
        labels,
    )


@dataclass(frozen=True)
class Task:
    """The steps [first, end) of one series' grid, and the labelled windows on it."""

    row: SeriesRow
    grid: Grid
    """on which the model reads the series"""
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
        """Number of steps that are forecast, including the steps before the span by which it is judged."""
        return self.points + min(HISTORY, max(0, self.first - self.origin)) if self.points else 0


@dataclass(frozen=True)
class Tasks:
    """The series that can be scanned, and the reasons why others cannot."""

    tasks: list[Task]
    errors: dict[str, Refusal]

    @property
    def cost(self) -> int:
        """Number of steps of all series that are forecast."""
        return sum(task.cost for task in self.tasks)


def plan_tasks(session: Session, scope: Scope, model: ModelRow, cleaning: CleaningConfig, scan: Scan) -> Tasks:
    """Find the steps to scan. Raises Invalid for bad times, and for labels of series that are not requested."""
    check_labels(scan)
    ids = list(dict.fromkeys(scan.series))
    rows = series.get_many(session, scope, [i for i in ids if is_series_id(i)])
    tasks = []
    errors = {}
    for series_id in ids:
        row = rows.get(series_id)
        error = _check_row(row, series_id, model, cleaning)
        if row is not None and error is None:
            tasks.append(_plan_task(row, build_read_grid(row, model.freq, cleaning), scan))
        else:
            errors[series_id] = error or refusal(ErrorCode.series_not_found, "")
    return Tasks(tasks, errors)


def check_labels(scan: Scan) -> None:
    """Raise Invalid for labels of series that are not requested."""
    unrequested = set(scan.labels) - set(scan.series)
    if unrequested:
        name = sorted(unrequested)[0]
        detail = f"labels has {name[:MAX_ID]!r}, which is not among the series"
        raise invalid(f"body.labels.{name[:MAX_ID]}", ErrorCode.invalid_input, detail)


def _check_row(row: SeriesRow | None, series_id: str, model: ModelRow, cleaning: CleaningConfig) -> Refusal | None:
    if row is None:
        return refusal(ErrorCode.series_not_found, f"there is no series {series_id[:MAX_ID]!r}; POST /series makes one")
    if not is_readable(row, model.freq, cleaning):
        detail = f"the series has frequency {row.freq!r}, the model {model.freq!r}"
        return refusal(ErrorCode.frequency_mismatch, detail)
    if row.first_ts is None or row.anchor is None:
        return refusal(ErrorCode.no_history, "the series has no observed value")
    return None


def _plan_task(row: SeriesRow, grid: Grid, scan: Scan) -> Task:
    assert row.first_ts is not None
    assert row.last_ts is not None
    low = row.first_ts
    high = row.last_ts + 1  # what lies far from them cannot be located on every grid
    start = low if scan.start is None else min(high, max(low, _parse_stamp(scan.start, row, "start")))
    end = high if scan.end is None else min(high, max(low, _parse_stamp(scan.end, row, "end")))
    windows = []
    for number, (first, last) in enumerate(scan.labels.get(row.id, ())):
        where = f"labels.{row.id}.{number}"
        window = (_parse_stamp(first, row, f"{where}.start"), _parse_stamp(last, row, f"{where}.end"))
        if window[0] > window[1]:
            raise invalid(f"body.{where}", ErrorCode.invalid_input, f"the label of {row.id!r} ends before it starts")
        windows.append(window)
    steps = [find_first_step(grid, stamp) for stamp in (row.first_ts, start, end)]
    return Task(row, grid, steps[0], steps[1], steps[2], tuple(sorted(windows)))


def _parse_stamp(text: str, row: SeriesRow, field: str) -> int:
    try:
        return int(parse_stamps([text], row.timezone, daily=parse_frequency(row.freq).is_daily)[0])
    except TimestampError as e:
        raise invalid(f"body.{field}", ErrorCode(e.code), f"{field}: {e.detail}") from e


def find_first_step(grid: Grid, stamp: int) -> int:
    """Return the first step of a grid that is not before a stamp."""
    index = grid.locate_one(stamp)
    while int(grid.stamps(np.array([index], np.int64))[0]) < stamp:
        index += 1
    return index
