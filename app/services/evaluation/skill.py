"""Archived forecasts: reading them as of a past time, and measuring them against what was observed since."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, invalid
from app.scope import Scope
from app.services.jobs.documents import parse_cleaning
from app.services.paging import convert_cursor_errors
from app.services.registry.lookup import require_model
from app.services.series.aggregation import is_aggregated, is_readable, load_aggregated_points
from app.services.series.ids import is_series_id
from app.storage import archive, bulk_read, registry
from app.storage.archive import ArchivedRow, Maker
from app.storage.engine import Database
from app.storage.observations import Points
from app.storage.pages import Page
from app.storage.tables import ArchivedForecast, ModelRow, SeriesRow, VersionRow
from models.arrays import Floats
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.nesting import compute_edges
from models.calendar.timestamps import Stamps, format_stamp, format_stamps, parse_stamps
from models.config.cleaning import CleaningConfig
from models.config.model import median_position
from models.errors import OffGridError, TimestampError
from models.evaluation.skill import ForecastOutcomes, detect_drift

MOST_ORIGINS = 200
"""newest origins that skill is measured on"""
MOST_FORECASTS = 20_000
"""forecasts that skill is measured on: of each origin as many series as fit"""
DRIFT_ORIGINS = 25
"""newest origins that drift is measured on"""
DRIFT_FORECASTS = 10_000
"""forecasts that drift is measured on"""
MOST_VALUES = 2_000_000
"""numbers of forecasts that are in memory at once"""
PERIODS = 20
"""runs of consecutive origins that rolling skill is reported for"""


@dataclass(frozen=True)
class ArchiveSelection:
    """Which archived forecasts a caller wants."""

    series: Sequence[str]
    """their ids; none for all"""
    as_of: str | None
    """no forecast that was made later"""
    every: bool
    """not only the newest one of each series"""
    start: str | None
    """of `every`: the first origin"""
    end: str | None
    """of `every`: origins are before it"""


class SkillService:
    """The operations behind GET /models/{name}/archive and /models/{name}/skill."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_archived(
        self, scope: Scope, name: str, selection: ArchiveSelection, cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return a page of archived forecasts: the newest of each series, or all of a span.

        Raises NotFound, and Invalid for a bad time or cursor, or for a span without `every`.
        """
        moment = _parse_moment(selection.as_of, "as_of")
        span = _parse_moment(selection.start, "start"), _parse_moment(selection.end, "end")
        if not selection.every and span != (None, None):
            detail = "start and end choose among all archived forecasts: send every=true with them"
            raise invalid("query.every", ErrorCode.invalid_input, detail)
        with self._database.read() as session, convert_cursor_errors():
            model = require_model(session, scope, name)
            ids = [i for i in selection.series if is_series_id(i)]
            if selection.series and not ids:
                return Page([], None)
            if selection.every:
                rows = archive.list_every(session, model, ids, moment, span, cursor, limit)
            else:
                rows = archive.list_page(session, model, ids, moment, cursor, limit)
            views = [_describe_forecast(row, model) for row in rows.items]
            return Page([view for view in views if view is not None], rows.next_cursor)

    def get_skill(
        self, scope: Scope, name: str, start: str | None, end: str | None, version: int | None, revision: int | None
    ) -> dict[str, Any]:
        """Return the accuracy of forecasts with an origin in [start, end). Raises NotFound, and Invalid."""
        first = _parse_moment(start, "start")
        last = _parse_moment(end, "end")
        with self._database.read() as session:
            model = require_model(session, scope, name)
            most = min(MOST_FORECASTS, _max_forecasts(model))
            made_by = Maker(version, revision)
            rows = archive.list_observed(session, model, (first, last), made_by, most, MOST_ORIGINS)
            outcomes = load_outcomes(session, rows, model)
            champion = registry.get_version(session, model, model.champion) if model.champion is not None else None
            drifts = measure_drift(session, model, champion) if champion is not None else None
        return {
            "model": model.name,
            "forecasts": len(outcomes.origins),
            "overall": outcomes.measure(),
            "by_step": outcomes.by_step(),
            "rolling": [_describe_period(period) for period in outcomes.rolling(PERIODS)],
            "drift": drifts,
        }


def _describe_period(period: dict[str, Any]) -> dict[str, Any]:
    stamps = {name: format_stamp(period[name], "UTC") for name in ("first_origin", "last_origin")}
    return period | stamps


def _max_forecasts(model: ModelRow) -> int:
    """Return how many forecasts of a model may be in memory at once."""
    return max(1, MOST_VALUES // (model.horizon * (len(model.quantiles) + 1)))


def measure_drift(session: Session, model: ModelRow, version: VersionRow) -> dict[str, Any]:
    """Return whether a version does worse on its live forecasts, those of all its revisions, than it did on its gate
    span."""
    span = (None, None)
    most = min(DRIFT_FORECASTS, _max_forecasts(model))
    rows = archive.list_observed(session, model, span, Maker(version.number), most, DRIFT_ORIGINS)
    signal = detect_drift(load_outcomes(session, rows, model), version.metrics.get("gate"))
    return {"version": version.number, "status": signal.status, "detail": signal.detail, **signal.measures}


class _Comparable(NamedTuple):
    """An archived forecast that can be compared with observations."""

    forecast: ArchivedForecast
    series: SeriesRow
    stamps: Stamps
    """(H,)"""
    cleaning: CleaningConfig
    """of the version that made it"""


def load_outcomes(session: Session, rows: Sequence[ArchivedRow], model: ModelRow) -> ForecastOutcomes:
    """Return archived forecasts with the values that were observed since, NaN where there is none.

    Forecasts of another frequency or of other levels than the model's are left out.
    """
    levels = tuple(model.quantiles)
    horizon = model.horizon
    comparable = _select_comparable(session, rows, model)
    forecasts = [item.forecast for item in comparable]
    shape = (len(forecasts), horizon)
    quantiles = np.array([f.forecast["quantiles"] for f in forecasts], np.float64)
    season_naive = np.array([f.forecast["season_naive"] for f in forecasts], np.float64)
    return ForecastOutcomes(
        origins=np.array([f.origin for f in forecasts], np.int64),
        quantiles=quantiles.reshape(*shape, len(levels)),
        season_naive=season_naive.reshape(shape),
        actual=_load_actual(session, comparable, model),
        scale=np.array([np.nan if f.scale is None else f.scale for f in forecasts], np.float64),
        levels=levels,
    )


def _select_comparable(session: Session, rows: Sequence[ArchivedRow], model: ModelRow) -> list[_Comparable]:
    comparable = []
    cleanings: dict[int, CleaningConfig] = {}
    for number in {forecast.version for forecast, _ in rows}:
        version = registry.get_version(session, model, number)
        cleanings[number] = parse_cleaning(version.config) if version is not None else CleaningConfig()
    for forecast, series in rows:
        cleaning = cleanings[forecast.version]
        if not is_readable(series, model.freq, cleaning) or forecast.forecast["levels"] != model.quantiles:
            continue
        stamps = _compute_stamps(forecast, series, model, model.horizon)
        if stamps is not None and _has_begun(forecast, series, model, cleaning):
            comparable.append(_Comparable(forecast, series, stamps, cleaning))
    return comparable


def _has_begun(forecast: ArchivedForecast, series: SeriesRow, model: ModelRow, cleaning: CleaningConfig) -> bool:
    """Say whether the first step of an archived forecast may have a value: of an aggregated series, if it is full."""
    if not is_aggregated(series, model.freq, cleaning) or series.last_ts is None:
        return True
    grid = Grid(parse_frequency(model.freq), series.timezone, forecast.origin)
    end = int(compute_edges(grid, 1, 2)[1])
    return series.last_ts + parse_frequency(series.freq).approximate_us >= end


def _load_actual(session: Session, comparable: Sequence[_Comparable], model: ModelRow) -> Floats:
    """Return the observed values (N, H) of the forecasts' steps, NaN where there is none."""
    spans: dict[int, tuple[int, int]] = {}
    for item in comparable:
        first = int(item.stamps[0])
        last = int(item.stamps[-1])
        low, high = spans.get(item.series.pk, (first, last))
        spans[item.series.pk] = (min(low, first), max(high, last))
    finer = {i.series.pk for i in comparable if is_aggregated(i.series, model.freq, i.cleaning)}
    own = {pk: span for pk, span in spans.items() if pk not in finer}
    points = bulk_read.load_points(session, own) if own else {}
    aggregated: dict[tuple[int, CleaningConfig], Points] = {}
    actual = np.full((len(comparable), model.horizon), np.nan)
    for number, (_, series, stamps, cleaning) in enumerate(comparable):
        key = (series.pk, cleaning)
        if series.pk in finer and key not in aggregated:
            aggregated[key] = load_aggregated_points(session, series, spans[series.pk], cleaning)
        observed = aggregated[key] if series.pk in finer else points[series.pk]
        index = np.searchsorted(observed.ts, stamps)
        inside = index < len(observed.ts)
        hit = np.flatnonzero(inside)[observed.ts[index[inside]] == stamps[inside]]
        actual[number, hit] = observed.y[index[hit]]
    return actual


def _compute_stamps(forecast: ArchivedForecast, series: SeriesRow, model: ModelRow, horizon: int) -> Stamps | None:
    """Return the stamps (H,) of a forecast, on the grid of its origin, whatever grid the series has now.

    None where the series' timezone has changed, so that the origin is no longer a date of the frequency.
    """
    try:
        grid = Grid(parse_frequency(model.freq), series.timezone, forecast.origin)
    except OffGridError:
        return None
    return grid.stamps(np.arange(1, horizon + 1, dtype=np.int64))


def _describe_forecast(row: ArchivedRow, model: ModelRow) -> dict[str, Any] | None:
    """Return an archived forecast as clients see it; None where its origin is no longer on the series' grid."""
    forecast, series = row
    levels = forecast.forecast["levels"]
    quantiles = np.array(forecast.forecast["quantiles"])  # (H, Q)
    stamps = _compute_stamps(forecast, series, model, len(quantiles))
    if stamps is None:
        return None
    return {
        "series_id": series.id,
        "version": forecast.version,
        "revision": forecast.revision,
        "made_at": format_stamp(forecast.made_at, "UTC"),
        "origin": format_stamp(forecast.origin, series.timezone),
        "ds": format_stamps(stamps, series.timezone),
        "yhat": quantiles[:, median_position(levels)].tolist(),
        "quantiles": {repr(level): quantiles[:, i].tolist() for i, level in enumerate(levels)},
    }


def _parse_moment(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    try:
        return int(parse_stamps([text], "UTC")[0])
    except TimestampError as e:
        raise invalid(f"query.{field}", ErrorCode(e.code), f"{field}: {e.detail}") from e
