"""What a forecast starts from: series as they are stored, or as the request brings them, cut at their origins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, invalid
from app.scope import Scope
from app.services.forecasting.inputs.covariates import check_names, read_column
from app.services.refusals import Refusal, refusal
from app.services.series import panels
from app.services.series.checks import Upload, build_grid, check_lengths, raise_problems, read_rows
from app.services.series.ids import MAX_ID, check_timezone, is_series_id
from app.services.series.panels import spread
from app.storage import observations, series
from app.storage.tables import ModelRow, SeriesRow
from models.arrays import Floats, Ints
from models.calendar.timestamps import format_stamp, parse_stamps
from models.config.model import Config
from models.data.series import Series
from models.errors import TimestampError


@dataclass(frozen=True)
class History(Upload):
    """A series that is not stored."""

    timezone: str
    static: Mapping[str, float | str | None]


@dataclass(frozen=True)
class Contexts:
    """Series by id: those that can be forecast, and why the others cannot."""

    series: dict[str, Series]
    """`y` ends with the origin"""
    errors: dict[str, Refusal]
    rows: dict[str, SeriesRow] = field(default_factory=dict)
    """those that are stored, as they were read"""


def origin_stamp(origin: str, timezone: str) -> int:
    """Return the stamp of a request's origin, in a series' timezone where it is naive. Raises Invalid."""
    try:
        return int(parse_stamps([origin], timezone)[0])
    except TimestampError as e:
        raise invalid("origin", ErrorCode(e.code), f"origin: {e.detail}") from e


def stored(
    session: Session,
    scope: Scope,
    ids: Sequence[str],
    model: ModelRow,
    config: Config,
    origin: str | None,
    held: Callable[[SeriesRow], Series | None] = lambda _: None,
) -> Contexts:
    """Read all stored series that can be forecast, each up to its newest value, or that at or before `origin`.

    `held` returns what is in memory of a series as its row says it is, so that it need not be read again.
    """
    wanted = dict.fromkeys(ids)
    known = series.get_many(session, scope, [i for i in wanted if is_series_id(i)])
    errors = {i: e for i in wanted if (e := _refusal(known.get(i), i, model)) is not None}
    rows = [known[i] for i in wanted if i not in errors]
    origins = _origins(session, rows, origin)
    for row in rows:
        if row.pk not in origins:
            errors[row.id] = _too_early(origin, format_stamp(row.first_ts, row.timezone))
    found = {row.id: one for row in rows if row.pk in origins and (one := held(row)) is not None}
    missing = [row for row in rows if row.pk in origins and row.id not in found]
    if missing:
        found |= {one.id: one for one in panels.load_contexts(session, scope, missing, origins, config)}
    return Contexts(found, errors, known)


def sent(histories: Mapping[str, History], config: Config, origin: str | None) -> Contexts:
    """Read series from the request. Raises Invalid for rows that an upload would be refused for, and for covariates
    that the model does not read."""
    found = Contexts({}, {})
    for series_id, history in histories.items():
        one = _sent(series_id, history, config, origin)
        if isinstance(one, Series):
            found.series[series_id] = one
        else:
            found.errors[series_id] = one
    return found


def _refusal(row: SeriesRow | None, series_id: str, model: ModelRow) -> Refusal | None:
    """Return why a series cannot be forecast by a model, or None where it can."""
    if row is None:
        return refusal(ErrorCode.series_not_found, f"there is no series {series_id[:MAX_ID]!r}; POST /series makes one")
    if row.freq != model.freq:
        detail = f"the series has frequency {row.freq!r}, the model {model.freq!r}; train a model on such series"
        return refusal(ErrorCode.frequency_mismatch, detail)
    if row.last_ts is None:
        detail = "the series has no observed value; POST /series/{id}/observations adds some"
        return refusal(ErrorCode.no_history, detail)
    return None


def _too_early(origin: str | None, first: str | None) -> Refusal:
    return refusal(ErrorCode.no_history, f"the series has no value at or before {origin}; its first is at {first}")


def _origins(session: Session, rows: Sequence[SeriesRow], origin: str | None) -> dict[int, int]:
    """Return {series_pk: stamp of the value to start after}, without the series that begin after `origin`."""
    newest = {row.pk: row.last_ts for row in rows if row.last_ts is not None}
    if origin is None:
        return newest
    found: dict[int, int] = {}
    for timezone in sorted({row.timezone for row in rows}):
        at = origin_stamp(origin, timezone)
        members = [row for row in rows if row.timezone == timezone]
        found |= {row.pk: newest[row.pk] for row in members if newest[row.pk] <= at}
        found |= observations.find_last_observed(session, [row for row in members if newest[row.pk] > at], at)
    return found


def _sent(series_id: str, history: History, config: Config, origin: str | None) -> Series | Refusal:
    """Return the last steps of a sent series up to its origin, with its covariates there and over the horizon."""
    where = f"body.history.{series_id}"
    check_lengths(history, where)
    timezone = check_timezone(history.timezone, f"{where}.timezone")
    check_names(history.static, config.covariates.static, "static", f"{where}.static")
    check_names(history.covariates, config.covariates.temporal, "past or known-future", f"{where}.covariates")
    row = SeriesRow(id=series_id, freq=config.frequency, timezone=timezone)  # of no session: nothing stores it
    stamps, problems = read_rows(row, history.ds)
    raise_problems(problems, where)
    y = history.values
    observed = ~np.isnan(y)
    if not observed.any():
        return refusal(ErrorCode.no_history, "the history has no observed value; send some")
    if origin is not None:
        first = int(stamps[observed].min())
        observed &= stamps <= origin_stamp(origin, timezone)
        if not observed.any():
            return _too_early(origin, format_stamp(first, timezone))
    index = build_grid(row).index(stamps)
    return _series(row, history, index, y, int(index[observed].max()), config)


def _series(row: SeriesRow, history: History, index: Ints, y: Floats, last: int, config: Config) -> Series:
    """Return the steps that the model reads of rows at `index` (N,) on the grid, `last` the origin's."""
    roles = config.covariates
    first = max(int(index.min()), last + 1 - config.network.context_length)
    length = last + 1 - first
    where = f"body.history.{row.id}"
    columns = {}
    for name, values in history.covariates.items():
        column = read_column(name, values, roles, f"{where}.covariates.{name}")
        columns[name] = spread(index - first, column, length + (0 if name in roles.past else config.horizon))
    static = {name: value for name, value in history.static.items() if value is not None}
    return Series(row.id, spread(index - first, y, length), build_grid(row), first, columns, static)
