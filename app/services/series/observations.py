"""Observations of one series: upsert, read, delete."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, invalid
from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.paging import convert_cursor_errors
from app.services.series.checks import Upload, check_lengths, raise_problems, read_rows, write_points
from app.services.series.covariates import require_covariates, write_covariates
from app.services.series.service import require_series
from app.storage import observations, series
from app.storage.covariates import remove_between
from app.storage.engine import Database
from app.storage.pages import decode_cursor, encode_cursor
from app.storage.tables import SeriesRow
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import format_stamps, parse_stamps
from models.errors import TimestampError


class ObservationService:
    """The operations behind the observation routes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert(self, scope: Scope, series_id: str, upload: Upload, key: Idempotency | None) -> ServiceResponse:
        """Write rows, all or none; those of the same timestamps are replaced, in the columns that are sent.

        Raises NotFound, and Invalid, which names every bad row.
        """
        if upload.y is None and not upload.covariates:
            raise invalid("body.y", ErrorCode.invalid_input, "there is nothing to write; send y, covariates, or both")
        check_lengths(upload)
        return respond_once(
            self._database, scope, key, lambda s: ServiceResponse(200, _upsert(s, scope, series_id, upload))
        )

    def list(
        self, scope: Scope, series_id: str, start: str | None, end: str | None, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """Return the rows of [start, end) in columns. Raises NotFound, and Invalid for a bad time or cursor."""
        with self._database.read() as session:
            row = require_series(session, scope, series_id)
            first = _parse_bound(row, start, "start")
            last = _parse_bound(row, end, "end")
            if cursor is not None:
                with convert_cursor_errors():
                    after = int(decode_cursor(cursor, int)[0])
                first = after + 1 if first is None else max(first, after + 1)
            points = observations.list_page(session, row, first, last, limit + 1)
            ts = points.ts[:limit]
            y = points.y[:limit]
            return {
                "ds": format_stamps(ts, row.timezone),
                "y": [None if np.isnan(v) else v for v in y.tolist()],
                "covariates": observations.load_covariate_columns(session, row, ts),
                "next_cursor": encode_cursor(int(ts[-1])) if len(points.ts) > limit else None,
            }

    def delete(
        self, scope: Scope, series_id: str, start: str | None, end: str | None, names: Sequence[str] = ()
    ) -> None:
        """Delete the rows of [start, end), their covariates too; or, where covariates are named, their values alone.

        Raises NotFound for the series and the covariates, and Invalid for a bad time.
        """
        with self._database.write() as session:
            row = require_series(session, scope, series_id, lock=True)
            first = _parse_bound(row, start, "start")
            last = _parse_bound(row, end, "end")
            if names:
                covariates = require_covariates(session, scope, names)
                remove_between(session, row, covariates, first, last)
            else:
                observations.remove(session, row, first, last)
            series.bump_version(session, row)


def _upsert(session: Session, scope: Scope, series_id: str, upload: Upload) -> dict[str, Any]:
    row = require_series(session, scope, series_id, lock=True)
    stamps, problems = read_rows(row, upload.ds)
    raise_problems(problems)
    inserted, updated = write_points(session, row, stamps, upload.values, keep=upload.y is None)
    write_covariates(session, scope, row, stamps, upload.covariates)
    return {"inserted": inserted, "updated": updated, "version": row.version}


def _parse_bound(row: SeriesRow, text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        return int(parse_stamps([text], row.timezone, daily=parse_frequency(row.freq).is_daily)[0])
    except TimestampError as e:
        raise Invalid(
            ErrorCode(e.code), f"{name}: {e.detail}", errors=[FieldError(f"query.{name}", e.code, e.detail)]
        ) from e
