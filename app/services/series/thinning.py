"""Observations thinned for charts: minimum, maximum and last value of each bucket of time."""

from typing import Any

import numpy as np
import orjson
from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.series.service import require_series
from app.services.series.spans import Span, parse_span
from app.serving.lru import LruCache
from app.storage import observations, thinning
from app.storage.engine import Database
from app.storage.tables import SeriesRow
from models.arrays import Floats
from models.calendar.timestamps import format_stamps

CACHE_BYTES = 64_000_000
"""bytes of answers that a process keeps"""


class ThinningService:
    """The operation behind GET /series/{id}/observations?points=."""

    def __init__(self, database: Database, cache: LruCache[bytes]) -> None:
        self._database = database
        self._cache = cache

    def read(self, scope: Scope, series_id: str, start: str | None, end: str | None, points: int) -> bytes:
        """Return the rows of [start, end) as JSON: at most so many entries, or the rows where they are as few.

        An answer is kept until the series changes. Raises NotFound, and Invalid for a bad time.
        """
        with self._database.read() as session:
            row = require_series(session, scope, series_id)
            span = parse_span(row.freq, row.timezone, start, end)
            # a deleted series' key may be given again, and a change of metadata counts as one of the series
            key = (scope.project_id, row.pk, row.created_at, row.version, span, points)
            content = self._cache.get(key)
            if content is None:
                content = orjson.dumps(_read(session, row, span, points))
                self._cache.put(key, content, len(content))
        return content


def _read(session: Session, row: SeriesRow, span: Span, points: int) -> dict[str, Any]:
    if not thinning.has_more_rows(session, row, span, points):
        return _read_whole(session, row, span, points)
    buckets = thinning.thin(session, row, span, points)
    return {
        "ds": format_stamps(buckets.ts, row.timezone),
        "y": _convert_to_json(buckets.y),
        "low": _convert_to_json(buckets.low),
        "high": _convert_to_json(buckets.high),
        "thinned": True,
        "count": buckets.count,
    }


def _read_whole(session: Session, row: SeriesRow, span: Span, limit: int) -> dict[str, Any]:
    """Return the plain columns of a span that has `limit` rows at most."""
    points = observations.list_page(session, row, span.first, span.last + 1, limit)
    return {
        "ds": format_stamps(points.ts, row.timezone),
        "y": _convert_to_json(points.y),
        "covariates": observations.load_covariate_columns(session, row, points.ts),
        "next_cursor": None,
        "thinned": False,
        "count": len(points.ts),
    }


def _convert_to_json(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
