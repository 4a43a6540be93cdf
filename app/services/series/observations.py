"""Observations of one series: upsert, read, delete."""

from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid
from app.scope import Scope
from app.services.idempotency import Answer, Idempotency, answer_once
from app.services.paging import readable_cursor
from app.services.series.checks import Upload, check_lengths, read_rows, refuse, write_covariates, write_points
from app.services.series.service import found
from app.storage import observations, series
from app.storage.engine import Database
from app.storage.pages import decode, encode
from app.storage.tables import SeriesRow
from models.calendar.timestamps import format_stamps, parse_stamps
from models.errors import TimestampError


class ObservationService:
    """What the observation routes mean."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert(self, scope: Scope, series_id: str, upload: Upload, key: Idempotency | None) -> Answer:
        """Write rows; those that are there already are replaced. All or nothing.

        Raises NotFound, and Invalid, which names every bad row.
        """
        check_lengths(upload)
        return answer_once(self._database, scope, key, lambda s: Answer(200, _upsert(s, scope, series_id, upload)))

    def page(
        self, scope: Scope, series_id: str, start: str | None, end: str | None, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """Return the rows of [start, end) in columns. Raises NotFound, and Invalid for a bad time or cursor."""
        with self._database.read() as session:
            row = found(session, scope, series_id)
            first, last = _bound(row, start, "start"), _bound(row, end, "end")
            if cursor is not None:
                with readable_cursor():
                    after = int(decode(cursor, int)[0])
                first = after + 1 if first is None else max(first, after + 1)
            points = observations.page(session, row, first, last, limit + 1)
            ts, y = points.ts[:limit], points.y[:limit]
            return {
                "ds": format_stamps(ts, row.timezone),
                "y": [None if np.isnan(v) else v for v in y.tolist()],
                "covariates": observations.covariate_columns(session, row, ts),
                "next_cursor": encode(int(ts[-1])) if len(points.ts) > limit else None,
            }

    def delete(self, scope: Scope, series_id: str, start: str | None, end: str | None) -> None:
        """Delete the rows of [start, end), their covariates too. Raises NotFound, and Invalid for a bad time."""
        with self._database.write() as session:
            row = found(session, scope, series_id, lock=True)
            observations.remove(session, row, _bound(row, start, "start"), _bound(row, end, "end"))
            series.touch(session, row)


def _upsert(session: Session, scope: Scope, series_id: str, upload: Upload) -> dict[str, Any]:
    row = found(session, scope, series_id, lock=True)
    stamps, problems = read_rows(row, upload.ds)
    refuse(problems)
    inserted, updated = write_points(session, row, stamps, upload.values)
    write_covariates(session, scope, row, stamps, upload.covariates)
    version = series.touch(session, row) if len(stamps) else row.version
    return {"inserted": inserted, "updated": updated, "version": version}


def _bound(row: SeriesRow, text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        return int(parse_stamps([text], row.timezone)[0])
    except TimestampError as e:
        raise Invalid(
            ErrorCode(e.code), f"{name}: {e.detail}", errors=[FieldError(f"query.{name}", e.code, e.detail)]
        ) from e
