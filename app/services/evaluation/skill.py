"""Archived forecasts: reading them as of a past time, and how they have come true."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, invalid
from app.scope import Scope
from app.services.paging import readable_cursor
from app.services.registry.lookup import found
from app.services.series.ids import is_series_id
from app.storage import archive, observations, registry
from app.storage.archive import Told as Row
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import ModelRow, VersionRow
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import Stamps, format_stamp, format_stamps, parse_stamps
from models.errors import OffGridError, TimestampError
from models.evaluation.skill import ForecastOutcomes, detect_drift

MOST_FORECASTS, MOST_ORIGINS = 20_000, 200
"""that skill is measured on: so many origins at most, the newest, and as many series of each as there is room for"""
DRIFT_FORECASTS, DRIFT_ORIGINS = 10_000, 25
MOST_VALUES = 2_000_000
PERIODS = 20
"""runs of origins that rolling skill is told of"""


class SkillService:
    """What GET /models/{name}/archive and /models/{name}/skill mean."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def archive(
        self, scope: Scope, name: str, ids: Sequence[str], as_of: str | None, cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return the newest archived forecast of each series, as it stood at a moment.

        Raises NotFound, and Invalid for a bad time or cursor.
        """
        moment = _moment(as_of, "as_of")
        with self._database.read() as session, readable_cursor():
            model = found(session, scope, name)
            known = [i for i in ids if is_series_id(i)]
            if ids and not known:
                return Page([], None)
            rows = archive.page(session, model, known, moment, cursor, limit)
            views = [_view(row, model) for row in rows.items]
            return Page([view for view in views if view is not None], rows.next_cursor)

    def skill(self, scope: Scope, name: str, start: str | None, end: str | None, version: int | None) -> dict[str, Any]:
        """Return how forecasts with an origin in [start, end) have come true. Raises NotFound, and Invalid."""
        first, last = _moment(start, "start"), _moment(end, "end")
        with self._database.read() as session:
            model = found(session, scope, name)
            most = min(MOST_FORECASTS, _most(model))
            rows = archive.come_true(session, model, (first, last), version, most, MOST_ORIGINS)
            told = told_of(session, rows, model)
            champion = registry.version(session, model, model.champion) if model.champion is not None else None
            drifts = drift_of(session, model, champion) if champion is not None else None
        return {
            "model": model.name,
            "forecasts": len(told.origins),
            "overall": told.measure(),
            "by_step": told.by_step(),
            "rolling": [
                {**one, **{key: format_stamp(one[key], "UTC") for key in ("first_origin", "last_origin")}}
                for one in told.rolling(PERIODS)
            ],
            "drift": drifts,
        }


def _most(model: ModelRow) -> int:
    """Return how many forecasts of a model are read at once: their numbers must fit into memory."""
    return max(1, MOST_VALUES // (model.horizon * (len(model.quantiles) + 1)))


def drift_of(session: Session, model: ModelRow, version: VersionRow) -> dict[str, Any]:
    """Return whether a version does worse on what it has forecast live than on its gate."""
    span = (None, None)
    most = min(DRIFT_FORECASTS, _most(model))
    rows = archive.come_true(session, model, span, version.number, most, DRIFT_ORIGINS)
    signal = detect_drift(told_of(session, rows, model), version.metrics.get("gate"))
    return {"version": version.number, "status": signal.status, "detail": signal.detail, **signal.measures}


def told_of(session: Session, rows: Sequence[Row], model: ModelRow) -> ForecastOutcomes:
    """Return archived forecasts beside what was observed since."""
    levels, horizon = tuple(model.quantiles), model.horizon
    placed = [
        (row, ahead)
        for row in rows
        if row[1].freq == model.freq
        and row[0].forecast["levels"] == list(levels)
        and (ahead := _ahead(row, model, horizon)) is not None
    ]
    rows, stamps = [row for row, _ in placed], [ahead for _, ahead in placed]
    spans: dict[int, tuple[int, int]] = {}
    for (_, one), ahead in zip(rows, stamps, strict=True):
        low, high = spans.get(one.pk, (int(ahead[0]), int(ahead[-1])))
        spans[one.pk] = (min(low, int(ahead[0])), max(high, int(ahead[-1])))
    points = observations.between(session, spans) if spans else {}
    actual = np.full((len(rows), horizon), np.nan)
    for number, ((_, one), ahead) in enumerate(zip(rows, stamps, strict=True)):
        known = points[one.pk]
        place = np.searchsorted(known.ts, ahead)
        inside = place < len(known.ts)
        hit = np.flatnonzero(inside)[known.ts[place[inside]] == ahead[inside]]
        actual[number, hit] = known.y[place[hit]]
    return ForecastOutcomes(
        origins=np.array([told.origin for told, _ in rows], np.int64),
        quantiles=np.array([told.forecast["quantiles"] for told, _ in rows], np.float64).reshape(
            len(rows), horizon, len(levels)
        ),
        season_naive=np.array([told.forecast["season_naive"] for told, _ in rows], np.float64).reshape(
            len(rows), horizon
        ),
        actual=actual,
        scale=np.array([np.nan if told.scale is None else told.scale for told, _ in rows], np.float64),
        levels=levels,
    )


def _ahead(row: Row, model: ModelRow, horizon: int) -> Stamps | None:
    """Return the stamps (H,) that a forecast is of, on the grid of its origin, whatever grid the series has by now.

    None where its timezone was changed so that the origin is no date of the frequency any more.
    """
    told, one = row
    try:
        grid = Grid(parse_frequency(model.freq), one.timezone, told.origin)
    except OffGridError:
        return None
    return grid.stamps(np.arange(1, horizon + 1, dtype=np.int64))


def _view(row: Row, model: ModelRow) -> dict[str, Any] | None:
    told, one = row
    levels, quantiles = told.forecast["levels"], np.array(told.forecast["quantiles"])
    stamps = _ahead(row, model, len(quantiles))
    if stamps is None:
        return None
    return {
        "series_id": one.id,
        "version": told.version,
        "made_at": format_stamp(told.made_at, "UTC"),
        "origin": format_stamp(told.origin, one.timezone),
        "ds": format_stamps(stamps, one.timezone),
        "yhat": quantiles[:, levels.index(0.5)].tolist(),
        "quantiles": {repr(level): quantiles[:, i].tolist() for i, level in enumerate(levels)},
    }


def _moment(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    try:
        return int(parse_stamps([text], "UTC")[0])
    except TimestampError as e:
        raise invalid(f"query.{field}", ErrorCode(e.code), f"{field}: {e.detail}") from e
