"""The covariates of a forecast: those that a request carries, and what is known of the horizon."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import ErrorCode, invalid
from app.formats.table import Column
from app.services.refusals import Refusal, refusal
from app.services.series.panels import spread
from models.calendar.timestamps import format_stamps
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.series import Series

Fill = Literal["last", "season"]
Future = Mapping[str, Mapping[str, Column]]
"""series id → known-future covariate → its values from the first step of the horizon on, None where not said"""
Values = NDArray[Any]
"""(N,) float64 with NaN, or text with None, where missing"""


@dataclass(frozen=True)
class Completed:
    """A series with its known-future covariates over the horizon."""

    series: Series
    filled: bool
    """a value was made up"""
    missing: str | None
    """what is still not known, in words"""


def read_column(name: str, values: Column, config: CovariateConfig, where: str) -> Values:
    """Return a column that was sent as the model reads it. Raises Invalid where it is of the other kind."""
    text = name in config.levels
    if any(v is not None and isinstance(v, str) is not text for v in values):
        kind, other = ("categorical", "numbers") if text else ("numeric", "text")
        raise invalid(where, ErrorCode.covariate_kind_conflict, f"{name!r} is {kind} in this model, {other} were sent")
    return np.array(values, object if text else np.float64)


def check_names(names: Collection[str], known: Collection[str], role: str, where: str) -> None:
    """Raise Invalid for a name that the model does not know in that role."""
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        has = f"it reads {', '.join(map(repr, known))}" if known else "it reads none"
        detail = f"the model reads no {role} covariate {unknown!r}; {has}"
        raise invalid(f"{where}.{unknown}", ErrorCode.covariate_not_found, detail)


def read_future(future: Future, asked: Collection[str], config: Config, horizon: int) -> dict[str, dict[str, Values]]:
    """Return what a request says of the horizon. Raises Invalid for unknown names, and for wrong lengths or kinds."""
    ids = frozenset(asked) if future else frozenset[str]()
    for series_id in future:
        if series_id not in ids:
            detail = f"{series_id[:60]!r} is not among the series of this request"
            raise invalid(f"body.future.{series_id[:200]}", ErrorCode.series_not_found, detail)
    known = config.covariates.known_future
    found: dict[str, dict[str, Values]] = {}
    for series_id, columns in future.items():
        where = f"body.future.{series_id}"
        check_names(columns, known, "known-future", where)
        for name, values in columns.items():
            if not horizon <= len(values) <= config.horizon:
                wanted = f"{horizon}" if horizon == config.horizon else f"{horizon} to {config.horizon}"
                detail = f"{len(values)} values of {name!r} for a horizon of {wanted} steps; send one a step"
                raise invalid(f"{where}.{name}", ErrorCode.length_mismatch, detail)
        read = {name: read_column(name, v, config.covariates, f"{where}.{name}") for name, v in columns.items()}
        found[series_id] = read
    return found


def complete(one: Series, sent: Mapping[str, Values], fill: Fill | None, config: Config, horizon: int) -> Completed:
    """Return the series with its known-future covariates: stored ones, those sent over them, and made-up ones.

    `horizon` is the number of steps that must be known; what the model reads beyond them may be missing.
    """
    columns, end = dict(one.covariates), len(one.y)
    filled, missing = False, None
    for name in config.covariates.known_future:
        column = _column(one, name, end + config.horizon, config.covariates)
        if name in sent:
            said = np.flatnonzero(_present(sent[name]))
            column[end + said] = sent[name][said]
        if fill is not None:
            filled |= _fill(column, end, fill, config)
        gaps = np.flatnonzero(~_present(column[end : end + horizon]))
        if len(gaps) and missing is None:
            at = format_stamps(one.stamps(end, end + horizon)[gaps[:1]], one.grid.timezone)[0]
            missing = f"the known-future covariate {name!r} has no value at {at}"
        columns[name] = column
    return Completed(replace(one, covariates=columns), filled, missing)


def static_conflict(one: Series, config: CovariateConfig) -> str | None:
    """Return which static covariate is text where the model reads a number, in words."""
    for name, value in one.static.items():
        if name not in config.levels and isinstance(value, str):
            return f"the static covariate {name!r} is numeric in this model, and {value[:60]!r} in the series"
    return None


def has_unknown_level(one: Series, config: CovariateConfig) -> bool:
    """Say whether a categorical covariate has a level that the model has never seen."""
    for name, levels in config.levels.items():
        found = {one.static.get(name)} if name in config.static else set(one.covariates.get(name, np.empty(0)).tolist())
        if {str(level) for level in found if level is not None} - set(levels):
            return True
    return False


def _column(one: Series, name: str, length: int, config: CovariateConfig) -> Values:
    values = one.covariates.get(name, np.empty(0, object if name in config.levels else np.float64))
    return spread(np.arange(len(values)), values, length)


def _present(values: Values) -> NDArray[np.bool_]:
    return ~np.isnan(values) if values.dtype == np.float64 else np.array([v is not None for v in values], np.bool_)


def _fill(column: Values, end: int, how: Fill, config: Config) -> bool:
    """Fill the gaps from `end` on in place, by the last value or that of a season before; say whether one was."""
    seasons = config.network.season_lengths
    before = int(_present(column).sum())
    if how == "season" and seasons:
        _repeat(column, end, seasons[0])
    _repeat(column, end, 1)
    return int(_present(column).sum()) > before


def _repeat(column: Values, end: int, step: int) -> None:
    """Give each gap from `end` on the nearest value that lies whole steps before it, where there is one."""
    present = _present(column)
    for at in np.flatnonzero(~present[end:]) + end:
        source = next((b for b in range(at - step, -1, -step) if present[b]), None)
        if source is not None:
            column[at], present[at] = column[source], True


@dataclass(frozen=True)
class Ready:
    """What the network can forecast, and why it cannot the rest."""

    series: list[Series] = field(default_factory=list)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)


def made_ready(
    series: Mapping[str, Series],
    future: Mapping[str, Mapping[str, Values]],
    fill: Fill | None,
    config: Config,
    horizon: int,
) -> Ready:
    """Complete series with the covariates that are sent for their `future`, and those that are made up."""
    found = Ready()
    for one in series.values():
        completed = complete(one, future.get(one.id, {}), fill, config, horizon)
        error = _unreadable(one, config, completed.missing)
        if error is None:
            found.series.append(completed.series)
            found.warnings[one.id] = _warnings(completed.series, config, filled=completed.filled)
        else:
            found.refused[one.id] = error
    return found


def _unreadable(one: Series, config: Config, missing: str | None) -> Refusal | None:
    """Return why the network cannot forecast a series."""
    conflict = static_conflict(one, config.covariates)
    if conflict is not None:
        return refusal(ErrorCode.covariate_kind_conflict, f"{conflict}; PUT /series/{{id}} mends it")
    if missing is not None:
        detail = f"{missing}; upload it, send it as `future`, or say covariate_fill"
        return refusal(ErrorCode.missing_future_covariates, detail)
    return None


def _warnings(one: Series, config: Config, *, filled: bool) -> list[str]:
    unknown = has_unknown_level(one, config.covariates)
    return (["unknown_category"] if unknown else []) + (["covariates_filled"] if filled else [])
