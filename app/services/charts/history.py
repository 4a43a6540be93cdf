"""Observations around the forecasts of a chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.series.aggregation import build_read_grid, load_steps
from app.services.series.ids import is_series_id
from app.serving.charts.picture import ChartPoints
from app.storage import series
from app.storage.tables import SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import Frequency, season_lengths
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps
from models.config.cleaning import CleaningConfig
from models.config.covariates import CovariateConfig
from models.data.series import Series

HORIZONS = 3
"""horizons that are shown before the origin by default, if they are longer than SEASONS"""
SEASONS = 2
"""seasons that are shown before the origin by default, if they are longer than HORIZONS"""
LEAST = 20
"""steps that are shown by default, at least"""
MOST = 1000
"""steps that are shown by default, at most"""

NOTHING = ChartPoints([], [])


@dataclass(frozen=True)
class ObservedSeries:
    """A series' metadata and values, including missing ones."""

    unit: str | None
    timezone: str
    history: ChartPoints
    """up to the origin"""
    later: ChartPoints
    """from there to the end of the forecast, where the `origin` lies in the past"""


def load_observed(
    session: Session,
    scope: Scope,
    results: Sequence[Mapping[str, Any]],
    steps: int | None,
    origin: str | None,
    alias: str,
    cleaning: CleaningConfig,
) -> dict[str, ObservedSeries]:
    """Load the stored values of the series of a forecast's results, from `steps` before the origin, by id.

    A series without a forecast gets its newest values, and none where an `origin` was requested. The values are those
    of the steps that a model of the frequency `alias` reads: aggregated, where it aggregates the series.
    """
    rows_by_id = series.get_many(
        session, scope, {result["series_id"] for result in results if is_series_id(result["series_id"])}
    )
    results_by_id = {result["series_id"]: result for result in results}
    horizon = max(len(result["ds"]) for result in results if result["status"] == "ok")
    ends: dict[str, tuple[int, int]] = {}
    for series_id, row in rows_by_id.items():
        end = _find_end(results_by_id[series_id], row, show_newest=origin is None)
        if end is not None and row.anchor is not None and row.first_ts is not None:
            ends[series_id] = end
    spans: dict[int, tuple[int, int]] = {}
    for i, (origin_stamp, last) in ends.items():
        row = rows_by_id[i]
        grid = build_read_grid(row, alias, cleaning)
        spans[row.pk] = _find_span(row, grid, origin_stamp, last, steps, horizon)
    rows = [rows_by_id[i] for i in ends]
    loaded = load_steps(session, scope, rows, spans, alias, CovariateConfig(), cleaning, 0)
    histories = {result.id: result for result in loaded}
    return {i: _build_observed(row, histories.get(i), ends[i][0] if i in ends else 0) for i, row in rows_by_id.items()}


def choose_steps(frequency: Frequency, horizon: int) -> int:
    """Return the number of steps before the origin that are shown by default."""
    season = min(season_lengths(frequency), default=0)
    return min(max(HORIZONS * horizon, SEASONS * season, LEAST), MOST)


def _find_end(result: Mapping[str, Any], row: SeriesRow, *, show_newest: bool) -> tuple[int, int] | None:
    """Return the stamps of a series' origin and of the last step to show; None where no step is shown."""
    if result["status"] == "ok":
        first, last = parse_stamps([result["origin"], result["ds"][-1]], "UTC").tolist()
        return first, last
    return None if row.last_ts is None or not show_newest else (row.last_ts, row.last_ts)


def _find_span(row: SeriesRow, grid: Grid, origin: int, last: int, steps: int | None, horizon: int) -> tuple[int, int]:
    """Return the first and the last step of a grid to show, from the series' first value at the earliest."""
    assert row.first_ts is not None
    first, end, shown = grid.locate(np.array([row.first_ts, origin, last], np.int64))[0].tolist()
    count = choose_steps(grid.frequency, horizon) if steps is None else steps
    return max(first, end - count + 1), shown


def _build_observed(row: SeriesRow, history: Series | None, origin: int) -> ObservedSeries:
    if history is None:
        return ObservedSeries(row.unit, row.timezone, NOTHING, NOTHING)
    ts = history.stamps(0, len(history.y))
    before = ts <= origin
    later = NOTHING if np.isnan(history.y[~before]).all() else _build_points(ts[~before], history.y[~before])
    return ObservedSeries(row.unit, row.timezone, _build_points(ts[before], history.y[before]), later)


def _build_points(ts: Ints, y: Floats) -> ChartPoints:
    return ChartPoints(ts.tolist(), [None if np.isnan(v) else v for v in y.tolist()])
