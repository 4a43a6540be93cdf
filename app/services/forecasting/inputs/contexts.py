"""The series that a forecast starts from: stored ones, and those that come with the request, cut at their origins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode
from app.scope import Scope
from app.services.forecasting.inputs.checks import check_history, parse_column, parse_origin
from app.services.forecasting.inputs.context_cache import FirstValue
from app.services.forecasting.inputs.request import History
from app.services.refusals import Refusal, refusal
from app.services.series import panels
from app.services.series.aggregation import (
    aggregate_context,
    build_read_grid,
    find_last_moment,
    is_aggregated,
    is_readable,
    load_aggregated_contexts,
    select_aggregated,
)
from app.services.series.causes import GridFields
from app.services.series.checks import build_grid, is_of_frequency, raise_problems, read_rows
from app.services.series.ids import MAX_ID, is_series_id
from app.services.series.panels import spread
from app.storage import bulk_read, observations, series
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.nesting import count_margin
from models.calendar.timestamps import format_stamp
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.data.series import Series
from models.data.wall_clock import count_repeated


@dataclass
class HistoryGrid:
    """The fields that place a history's timestamps on a grid; reading its rows sets the anchor."""

    freq: str
    timezone: str
    anchor: int | None = None


class ReadHistory(NamedTuple):
    """A series that comes with a request, up to its origin."""

    series: Series
    """the steps that the model reads, and those before them that its replay reads"""
    first: FirstValue | None
    """None where it is aggregated"""


@dataclass(frozen=True)
class SeriesSelection:
    """Rows of stored series, in the order in which they were named; to be used within the session that read them."""

    rows: dict[str, SeriesRow]
    """all that exist, by id"""
    origins: dict[int, int]
    """stamp of the last observation before the forecast, by primary key, of those that can be forecast"""
    refusals: dict[str, Refusal]
    """of those that cannot, by id"""

    @property
    def forecastable(self) -> list[SeriesRow]:
        """The rows that have an origin."""
        return [row for row in self.rows.values() if row.pk in self.origins]


def select_contexts(
    session: Session, scope: Scope, ids: Sequence[str], frequency: str, cleaning: CleaningConfig, origin: str | None
) -> SeriesSelection:
    """Find the stored series that a model of a frequency can forecast from their newest value, or that at or before
    `origin`. Raises Invalid for an origin that cannot be read.

    Of a series that the model aggregates it is the newest value of its own frequency, or the newest in the steps that
    do not begin after `origin`: its last full step is not known before its values are read.
    """
    unique_ids = dict.fromkeys(ids)
    stored = series.get_many(session, scope, [i for i in unique_ids if is_series_id(i)])
    rows = {i: stored[i] for i in unique_ids if i in stored}
    refusals = {i: why for i in unique_ids if (why := _find_refusal(rows.get(i), i, frequency, cleaning)) is not None}
    candidates = [row for i, row in rows.items() if i not in refusals]
    origins = _find_origins(session, candidates, origin, frequency, cleaning)
    for row in candidates:
        if row.pk not in origins:
            refusals[row.id] = _refuse_origin(origin, format_stamp(row.first_ts, row.timezone))
    return SeriesSelection(rows, origins, refusals)


def load_contexts(
    session: Session, scope: Scope, selection: SeriesSelection, rows: Sequence[SeriesRow], config: Config
) -> list[Series]:
    """Return what a model reads of some of the selected series, and refuse those of which no step is full."""
    origins = selection.origins
    finer = select_aggregated(rows, config.frequency, config.cleaning)
    if not finer:
        return panels.load_contexts(session, scope, rows, origins, config)
    coarse = {row.pk for row in finer}
    own = [row for row in rows if row.pk not in coarse]
    contexts = panels.load_contexts(session, scope, own, origins, config) if own else []
    contexts += load_aggregated_contexts(session, scope, finer, origins, config)
    missing = {row.id for row in finer} - {context.id for context in contexts}
    selection.refusals.update(dict.fromkeys(missing, _refuse_steps(config)))
    return contexts


def _refuse_steps(config: Config) -> Refusal:
    detail = (
        f"the series has no full step of {config.frequency!r} yet, which the model forecasts from; "
        "POST /series/{id}/observations adds the values that are missing"
    )
    return refusal(ErrorCode.no_history, detail)


def load_first_values(session: Session, rows: Sequence[SeriesRow], contexts: Sequence[Series]) -> dict[str, FirstValue]:
    """Return the first value of each of the stored series whose contexts end with their origins, by id; of series that
    are aggregated there is none."""
    by_grid = {context.id: context.grid.frequency for context in contexts}
    own = [row for row in rows if row.id in by_grid and is_of_frequency(row, by_grid[row.id].alias)]
    spans = {row.pk: (row.first_ts, row.first_ts) for row in own if row.first_ts is not None}
    points = bulk_read.load_points(session, spans)
    by_id = {row.id: points[row.pk] for row in rows if row.pk in spans}
    return {
        context.id: FirstValue(_count_steps(context, int(by_id[context.id].ts[0])), float(by_id[context.id].y[0]))
        for context in contexts
        if context.id in by_id and len(by_id[context.id].ts)
    }


def _count_steps(context: Series, stamp: int) -> int:
    """Return the steps from a stamp to the end of a context."""
    index = int(context.grid.index(np.array([stamp], np.int64))[0])
    return context.start + len(context.y) - 1 - index


def read_histories(
    histories: Mapping[str, History], config: Config, origin: str | None, earlier: int, ahead: int
) -> tuple[dict[str, ReadHistory], dict[str, Refusal]]:
    """Return the series that come with the request and end with their origins, and why the others cannot be forecast,
    by id.

    `earlier` is the number of steps before a context that are kept too, `ahead` that after it for which covariates are.
    Raises Invalid for rows that an upload would be
    refused for, and for covariates that the model does not read.
    """
    readable: dict[str, ReadHistory] = {}
    refusals: dict[str, Refusal] = {}
    for series_id, history in histories.items():
        outcome = _read_history(series_id, history, config, origin, earlier, ahead)
        if isinstance(outcome, ReadHistory):
            readable[series_id] = outcome
        else:
            refusals[series_id] = outcome
    return readable, refusals


def _find_refusal(row: SeriesRow | None, series_id: str, frequency: str, cleaning: CleaningConfig) -> Refusal | None:
    """Return why a series cannot be forecast by a model of a frequency, or None where it can."""
    if row is None:
        return refusal(ErrorCode.series_not_found, f"there is no series {series_id[:MAX_ID]!r}; POST /series makes one")
    if not is_readable(row, frequency, cleaning):
        detail = (
            f"the series has frequency {row.freq!r}, the model {frequency!r}; train a model on such series, or request "
            "them from auto by themselves"
        )
        return refusal(ErrorCode.frequency_mismatch, detail)
    if row.last_ts is None:
        detail = "the series has no observed value; POST /series/{id}/observations adds some"
        return refusal(ErrorCode.no_history, detail)
    return None


def _refuse_origin(origin: str | None, first: str | None) -> Refusal:
    return refusal(ErrorCode.no_history, f"the series has no value at or before {origin}; its first is at {first}")


def _find_origins(
    session: Session, rows: Sequence[SeriesRow], origin: str | None, frequency: str, cleaning: CleaningConfig
) -> dict[int, int]:
    """Return {series_pk: stamp of the origin}, without the series that begin after `origin`."""
    newest = {row.pk: row.last_ts for row in rows if row.last_ts is not None}
    if origin is None:
        return newest
    origins: dict[int, int] = {}
    members_of: dict[int, list[SeriesRow]] = {}
    for row in rows:
        limit = _find_limit(row, parse_origin(origin, row.timezone, frequency), frequency, cleaning)
        members_of.setdefault(limit, []).append(row)
    for limit, members in sorted(members_of.items()):
        origins |= {row.pk: newest[row.pk] for row in members if newest[row.pk] <= limit}
        origins |= observations.find_last_observed(session, [row for row in members if newest[row.pk] > limit], limit)
    return origins


def _find_limit(row: GridFields, limit: int, frequency: str, cleaning: CleaningConfig) -> int:
    """Return the last moment that a forecast may see of a series whose steps must not begin after a limit."""
    if not is_aggregated(row, frequency, cleaning):
        return limit
    return find_last_moment(build_read_grid(row, frequency, cleaning), limit)


def _read_history(
    series_id: str, history: History, config: Config, origin: str | None, earlier: int, ahead: int
) -> ReadHistory | Refusal:
    """Return the last steps of a history up to its origin, with its covariates there and over the horizon."""
    field = f"body.history.{series_id}"
    timezone = check_history(history, config, field)
    aggregate = config.cleaning.aggregate
    source = aggregate.source if aggregate is not None else None
    fields = HistoryGrid(source or config.frequency, timezone)
    stamps, problems = read_rows(fields, history.ds)
    raise_problems(problems, field)
    observed = ~np.isnan(history.values)
    if not observed.any():
        return refusal(ErrorCode.no_history, "the history has no observed value; send some")
    if origin is not None:
        first = int(stamps[observed].min())
        limit = parse_origin(origin, timezone, config.frequency)
        observed &= stamps <= _find_limit(fields, limit, config.frequency, config.cleaning)
        if not observed.any():
            return _refuse_origin(origin, format_stamp(first, timezone))
    grid = build_grid(fields)
    index = grid.index(stamps)
    last = int(index[observed].max())
    begin = int(np.flatnonzero(observed)[np.argmin(index[observed])])
    length = config.network.context_length + earlier
    series = _build_series(series_id, history, grid, index, last, config, length, ahead)
    if is_aggregated(fields, config.frequency, config.cleaning):
        return _aggregate_history(series, config, length)
    return ReadHistory(series, FirstValue(last - int(index[begin]), float(history.values[begin])))


def _aggregate_history(series: Series, config: Config, length: int) -> ReadHistory | Refusal:
    """Return the last steps of a history that is aggregated, up to its last full one."""
    context = aggregate_context(series, config.cleaning, length)
    return _refuse_steps(config) if context is None else ReadHistory(context, None)


def _build_series(
    series_id: str,
    history: History,
    grid: Grid,
    index: Ints,
    last: int,
    config: Config,
    length: int,
    ahead: int,
) -> Series:
    """Return the last `length` steps of the model's, of a history whose rows are at `index` (N,) on the grid, `last`
    the origin's, with covariates so many steps ahead."""
    roles = config.covariates
    coarse = parse_frequency(config.frequency)
    steps = 1 if grid.follows(coarse) else count_margin(grid.frequency, coarse)  # of its own, in one of the model's
    reach = steps * length
    reach = reach + count_repeated(grid, last, config) if steps == 1 else 2 * reach + grid.frequency.season
    first = max(int(index.min()), last + 1 - reach)
    count = last + 1 - first
    ahead = ahead if steps == 1 else steps * (ahead + 1)
    columns = {}
    for name, values in history.covariates.items():
        column = parse_column(name, values, roles, f"body.history.{series_id}.covariates.{name}")
        columns[name] = spread(index - first, column, count + (0 if name in roles.past else ahead))
    static = {name: value for name, value in history.static.items() if value is not None}
    return Series(series_id, spread(index - first, history.values, count), grid, first, columns, static)
