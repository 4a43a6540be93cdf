"""The covariates of a forecast: those that come with the request, the stored ones, and imputed ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.errors import ErrorCode
from app.services.forecasting.inputs.checks import Values
from app.services.forecasting.inputs.request import Fill
from app.services.refusals import Refusal, refusal
from app.services.series.panels import spread
from models.arrays import find_missing
from models.calendar.timestamps import format_stamps
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.series import Series


@dataclass(frozen=True)
class CompletedSeries:
    """A series with its known-future covariates over the horizon."""

    series: Series
    warnings: list[str]


def complete_all(
    series: Mapping[str, Series],
    future: Mapping[str, Mapping[str, Values]],
    fill: Fill | None,
    config: Config,
    horizon: int,
) -> tuple[dict[str, CompletedSeries], dict[str, Refusal]]:
    """Complete series with the covariates of the request's `future`, and with imputed ones.

    Return the series that the network can forecast, and why it cannot forecast the others, by id.
    """
    completed: dict[str, CompletedSeries] = {}
    refusals: dict[str, Refusal] = {}
    for series_id, context in series.items():
        outcome = complete(context, future.get(context.id, {}), fill, config, horizon)
        if isinstance(outcome, CompletedSeries):
            completed[series_id] = outcome
        else:
            refusals[series_id] = outcome
    return completed, refusals


def complete(
    series: Series, future: Mapping[str, Values], fill: Fill | None, config: Config, horizon: int
) -> CompletedSeries | Refusal:
    """Return the series with its known-future covariates: stored ones, the request's over them, and imputed ones; or
    why the network cannot forecast it.

    `horizon` is the number of steps that must be known; what the model reads beyond them may be missing.
    """
    conflict = find_static_conflict(series, config.covariates)
    if conflict is not None:
        return refusal(ErrorCode.covariate_kind_conflict, f"{conflict}; PUT /series/{{id}} mends it")
    changed = find_kind_conflict(series, config.covariates)
    if changed is not None:
        return refusal(ErrorCode.covariate_kind_conflict, f"{changed}; train the model on the values that are stored")
    columns = dict(series.covariates)
    end = len(series.y)
    is_imputed = False
    for name in config.covariates.known_future:
        column = _extend(series, name, end + max(horizon, config.horizon), config.covariates)
        if name in future:
            given = np.flatnonzero(~find_missing(future[name]))
            column[end + given] = future[name][given]
        if fill is not None:
            is_imputed |= _impute(column, end, fill, config)
        gaps = np.flatnonzero(find_missing(column[end : end + horizon]))
        if len(gaps):
            return _refuse_gap(series, name, end + int(gaps[0]))
        columns[name] = column
    completed = replace(series, covariates=columns)
    return CompletedSeries(completed, _list_warnings(completed, config, is_imputed=is_imputed))


def find_static_conflict(series: Series, config: CovariateConfig) -> str | None:
    """Return which static covariate is text where the model reads a number, in words."""
    for name, value in series.static.items():
        if name not in config.levels and isinstance(value, str):
            return f"the static covariate {name!r} is numeric in this model, and {value[:60]!r} in the series"
    return None


def find_kind_conflict(series: Series, config: CovariateConfig) -> str | None:
    """Return which covariate is of another kind than when the model was trained, in words."""
    for name, values in series.covariates.items():
        is_text = values.dtype != np.float64
        if is_text is not (name in config.levels) and not find_missing(values).all():
            kinds = ("categorical", "numeric")
            stored, known = kinds if is_text else kinds[::-1]
            return f"the covariate {name!r} is {known} in this model, and {stored} in the series"
    return None


def _refuse_gap(series: Series, name: str, step: int) -> Refusal:
    timestamp = format_stamps(series.stamps(step, step + 1), series.grid.timezone)[0]
    detail = (
        f"the known-future covariate {name!r} has no value at {timestamp}; upload it, send it as `future`, "
        "or say covariate_fill"
    )
    return refusal(ErrorCode.missing_future_covariates, detail)


def _list_warnings(series: Series, config: Config, *, is_imputed: bool) -> list[str]:
    warnings: list[str] = []
    if _has_unknown_category(series, config.covariates):
        warnings.append("unknown_category")
    if is_imputed:
        warnings.append("covariates_filled")
    return warnings


def _has_unknown_category(series: Series, config: CovariateConfig) -> bool:
    """Say whether a categorical covariate has a value that is not in the model's vocabulary."""
    for name, vocabulary in config.levels.items():
        if name in config.static:
            values = {series.static.get(name)}
        else:
            values = set(series.covariates.get(name, np.empty(0)).tolist())
        if {str(value) for value in values if value is not None} - set(vocabulary):
            return True
    return False


def _extend(series: Series, name: str, length: int, config: CovariateConfig) -> Values:
    """Return a copy of a covariate's column, cut or filled up with missing values to `length`."""
    values = series.covariates.get(name, np.empty(0, object if name in config.levels else np.float64))
    return spread(np.arange(len(values)), values, length)


def _impute(column: Values, end: int, fill: Fill, config: Config) -> bool:
    """Fill the gaps from `end` on in place, by the last value or that of a season before; say whether one was."""
    seasons = config.network.season_lengths
    present_before = int((~find_missing(column)).sum())
    if fill == "season" and seasons:
        _repeat(column, end, seasons[0])
    _repeat(column, end, 1)
    return int((~find_missing(column)).sum()) > present_before


def _repeat(column: Values, end: int, step: int) -> None:
    """Give each gap from `end` on the nearest value that lies whole steps before it, where there is one."""
    is_present = ~find_missing(column)
    for gap in np.flatnonzero(~is_present[end:]) + end:
        source = next((k for k in range(gap - step, -1, -step) if is_present[k]), None)
        if source is not None:
            column[gap] = column[source]
            is_present[gap] = True
