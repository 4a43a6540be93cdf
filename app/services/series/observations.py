"""Observations: upsert, of one series or many, read and delete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, invalid
from app.scope import Scope
from app.services.audit import record
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.paging import convert_cursor_errors
from app.services.quotas import hold_quota
from app.services.series.checks import Upload, check_lengths, raise_problems, read_rows, write_points
from app.services.series.covariates import CovariateUpload, check_name, require_covariates, write_covariates
from app.services.series.ids import MAX_ID
from app.services.series.service import find_many_series, require_series
from app.services.series.spans import parse_bound
from app.storage import observations, series
from app.storage.covariates import remove_between
from app.storage.engine import Database
from app.storage.fed_steps import OpenStep, list_open
from app.storage.observations import Points
from app.storage.pages import decode_cursor, encode_cursor
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.calendar.timestamps import format_stamp, format_stamps

LISTED = 1000
"""wrong entries of many series that a refusal lists"""


@dataclass(frozen=True)
class _SeriesUpload:
    """Checked rows of a locked series."""

    row: SeriesRow
    stamps: Ints
    """(N,) microseconds UTC"""
    values: Upload
    where: str
    """their path in the request"""


class ObservationService:
    """The operations behind the observation routes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert(self, scope: Scope, series_id: str, upload: Upload, key: Idempotency | None) -> ServiceResponse:
        """Write rows, all or none; those of the same timestamps are replaced, in the columns that are sent.

        Raises NotFound, and Invalid, which names every bad row.
        """
        _check_columns(upload, "body")
        return respond_once(
            self._database, scope, key, lambda s: ServiceResponse(200, _upsert(s, scope, series_id, upload))
        )

    def upsert_many(self, scope: Scope, uploads: Mapping[str, Upload], key: Idempotency | None) -> ServiceResponse:
        """Write rows of many series, all or none, as `upsert` does those of one.

        Raises Invalid, which names every series that does not exist and every bad row of the others.
        """
        for series_id, upload in uploads.items():
            _check_columns(upload, f"body.series.{series_id[:MAX_ID]}")
        return respond_once(self._database, scope, key, lambda s: ServiceResponse(200, _upsert_many(s, scope, uploads)))

    def list(
        self, scope: Scope, series_id: str, start: str | None, end: str | None, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """Return the rows of [start, end) in columns, last the step that samples are filling, which is named too.

        Raises NotFound, and Invalid for a bad time or cursor.
        """
        with self._database.read() as session:
            row = require_series(session, scope, series_id)
            first = parse_bound(row.freq, row.timezone, start, "start")
            last = parse_bound(row.freq, row.timezone, end, "end")
            if cursor is not None:
                with convert_cursor_errors():
                    after = int(decode_cursor(cursor, int)[0])
                first = after + 1 if first is None else max(first, after + 1)
            points = observations.list_page(session, row, first, last, limit + 1)
            filling = _find_filling(session, row, points, first, last)
            if filling is not None:
                y = np.nan if filling.y is None else filling.y
                points = Points(np.append(points.ts, filling.ts), np.append(points.y, y))
            ts = points.ts[:limit]
            is_shown = filling is not None and len(points.ts) <= limit
            return {
                "ds": format_stamps(ts, row.timezone),
                "y": [None if np.isnan(v) else v for v in points.y[:limit].tolist()],
                "covariates": observations.load_covariate_columns(session, row, ts),
                "next_cursor": encode_cursor(int(ts[-1])) if len(points.ts) > limit else None,
                "provisional": format_stamp(filling.ts, row.timezone) if filling is not None and is_shown else None,
            }

    def delete(
        self, scope: Scope, series_id: str, start: str | None, end: str | None, names: Sequence[str] = ()
    ) -> None:
        """Delete the rows of [start, end), their covariates too; or, where covariates are named, their values alone.

        Raises NotFound for the series and the covariates, and Invalid for a bad time.
        """
        with self._database.write() as session:
            row = require_series(session, scope, series_id, lock=True)
            first = parse_bound(row.freq, row.timezone, start, "start")
            last = parse_bound(row.freq, row.timezone, end, "end")
            if names:
                covariates = require_covariates(session, scope, names)
                remove_between(session, row, covariates, first, last)
            else:
                observations.remove(session, row, first, last)
            series.bump_version(session, row)
            span = {"start": start, "end": end, "covariates": list(names)}
            record(session, scope, "observations.delete", row.id, before=span)


def _find_filling(
    session: Session, row: SeriesRow, points: Points, first: int | None, last: int | None
) -> OpenStep | None:
    """Return the step that samples are filling, where it lies in [first, last) and right behind the points."""
    for step in list_open(session, [row.pk]):
        is_inside = (first is None or step.ts >= first) and (last is None or step.ts < last)
        if step.y is not None and is_inside and (not len(points.ts) or step.ts > points.ts[-1]):
            return step
    return None


def _check_columns(upload: Upload, where: str) -> None:
    """Raise Invalid where an upload at `where` writes nothing, or has columns of other lengths or unusable names."""
    if upload.y is None and not upload.covariates:
        detail = "there is nothing to write; send y, covariates, or both"
        raise invalid(f"{where}.y", ErrorCode.invalid_input, detail)
    for name in upload.covariates:
        check_name(name, f"{where}.covariates.{name}")
    check_lengths(upload, where)


def _upsert(session: Session, scope: Scope, series_id: str, upload: Upload) -> dict[str, Any]:
    row = require_series(session, scope, series_id, lock=True)
    stamps, problems = read_rows(row, upload.ds)
    raise_problems(problems)
    return _write(session, scope, [_SeriesUpload(row, stamps, upload, "body")])[0]


def _upsert_many(session: Session, scope: Scope, uploads: Mapping[str, Upload]) -> dict[str, Any]:
    rows = find_many_series(session, scope, uploads, lock=True)
    errors: list[FieldError] = []
    checked: list[_SeriesUpload] = []
    for series_id, upload in uploads.items():
        where = f"body.series.{series_id[:MAX_ID]}"
        row = rows.get(series_id)
        if row is None:
            detail = f"there is no series {series_id[:MAX_ID]!r}; GET /series lists them, POST /series makes one"
            errors.append(FieldError(where, ErrorCode.series_not_found, detail))
            continue
        stamps, problems = read_rows(row, upload.ds)
        errors += [FieldError(f"{where}.ds.{p.row}", p.code, p.detail) for p in problems]
        checked.append(_SeriesUpload(row, stamps, upload, where))
    if errors:
        more = f"; {len(errors) - 1} more entries are wrong" if len(errors) > 1 else ""
        detail = f"{errors[0].field}: {errors[0].detail}{more}; nothing was written"
        raise Invalid(ErrorCode(errors[0].code), detail, errors=errors[:LISTED])
    return {"series": dict(zip(uploads, _write(session, scope, checked), strict=True))}


def _write(session: Session, scope: Scope, uploads: Sequence[_SeriesUpload]) -> list[dict[str, Any]]:
    """Write checked rows of locked series, and return what that did to each of them."""
    counts = [upload.row.count for upload in uploads]
    for keep in (True, False):
        mine = [upload for upload in uploads if (upload.values.y is None) == keep]
        if mine:
            pk = np.concatenate([np.full(len(upload.stamps), upload.row.pk) for upload in mine])
            ts = np.concatenate([upload.stamps for upload in mine])
            y = np.concatenate([upload.values.values for upload in mine])
            write_points(session, [upload.row for upload in mine], pk, ts, y, keep=keep)
    columns = [CovariateUpload(u.row, u.stamps, u.values.covariates, u.where) for u in uploads]
    write_covariates(session, scope, columns)
    inserted = [upload.row.count - count for upload, count in zip(uploads, counts, strict=True)]
    hold_quota(session, scope, observations=sum(inserted))
    return [
        {"inserted": new, "updated": len(upload.stamps) - new, "version": upload.row.version}
        for upload, new in zip(uploads, inserted, strict=True)
    ]
