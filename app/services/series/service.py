"""Series: creating, listing and describing them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, Forbidden, NotFound
from app.scope import Scope
from app.services.audit import record
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.paging import convert_cursor_errors
from app.services.quotas import hold_quota
from app.services.series.grid_change import change_grid
from app.services.series.ids import MAX_ID, check_frequency, check_id, check_timezone, is_series_id
from app.storage import labels, series
from app.storage.bulk_read import load_newest_points
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import SeriesRow
from models.calendar.timestamps import format_stamp, format_stamps


@dataclass(frozen=True)
class SeriesFields:
    """Metadata of a series that a client sets, without the id."""

    freq: str
    timezone: str
    unit: str | None
    description: str | None
    labels: dict[str, str]
    static: dict[str, Any]


@dataclass(frozen=True)
class SeriesSearch:
    """Which series a list has: those that fulfil all of it."""

    prefix: str = ""
    """of the id"""
    labels: Sequence[tuple[str, str]] = ()
    text: str = ""
    """somewhere in id, description, or a label as `key:value`, in small or capital letters"""


def describe_series(row: SeriesRow) -> dict[str, Any]:
    """Return a series as clients see it."""
    return {
        "id": row.id,
        "freq": row.freq,
        "timezone": row.timezone,
        "unit": row.unit,
        "description": row.description,
        "labels": row.labels,
        "static": row.static,
        "version": row.version,
        "first_ds": format_stamp(row.first_ts, row.timezone),
        "last_ds": format_stamp(row.last_ts, row.timezone),
        "count": row.count,
    }


def find_series(session: Session, scope: Scope, series_id: str, *, lock: bool = False) -> SeriesRow | None:
    """Return a series by its id, without the blanks around it where it was made without them; None where it is not."""
    for text in dict.fromkeys((series_id, series_id.strip())):
        row = series.get(session, scope, text, lock=lock) if is_series_id(text) else None
        if row is not None:
            return row
    return None


def find_many_series(session: Session, scope: Scope, ids: Iterable[str], *, lock: bool = False) -> dict[str, SeriesRow]:
    """Return those of `ids` that exist, as `find_series` finds each of them; locked in the order of their ids."""
    spellings = {i: [text for text in (i, i.strip()) if is_series_id(text)] for i in ids}
    rows = series.get_many(session, scope, (text for texts in spellings.values() for text in texts), lock=lock)
    return {i: next(rows[t] for t in texts if t in rows) for i, texts in spellings.items() if rows.keys() & texts}


def require_series(session: Session, scope: Scope, series_id: str, *, lock: bool = False) -> SeriesRow:
    """Return a series that must exist. Raises NotFound."""
    row = find_series(session, scope, series_id, lock=lock)
    if row is None:
        raise NotFound(
            ErrorCode.series_not_found,
            f"there is no series {series_id[:MAX_ID]!r}; GET /series lists them, POST /series makes one",
        )
    return row


class SeriesService:
    """The operations behind the series routes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, scope: Scope, series_id: str, fields: SeriesFields, key: Idempotency | None) -> ServiceResponse:
        """Create a series. Raises Conflict where it exists, Invalid for a bad id, frequency or timezone."""
        series_id = check_id(series_id)
        values = _check_fields(fields)

        def make(session: Session) -> ServiceResponse:
            _check_new(session, scope, series_id, fields.labels)
            (row,) = series.add(session, scope, [{"id": series_id, **values}])
            hold_quota(session, scope, series=1)
            record(session, scope, "series.create", row.id, after=(view := describe_series(row)))
            return ServiceResponse(201, view)

        return respond_once(self._database, scope, key, make)

    def put(self, scope: Scope, series_id: str, fields: SeriesFields) -> tuple[bool, dict[str, Any]]:
        """Create a series or replace its metadata; return whether it is new, and its description.

        Raises as `create`, and Conflict where stored rows are no steps of the frequency in the timezone.
        """
        new_id = check_id(series_id)
        values = _check_fields(fields)

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            row = find_series(session, scope, series_id, lock=True)
            if row is None:
                _check_new(session, scope, new_id, fields.labels)
                (row,) = series.add(session, scope, [{"id": new_id, **values}])
                hold_quota(session, scope, series=1)
                record(session, scope, "series.create", row.id, after=(view := describe_series(row)))
                return True, view
            _check_labels(scope, fields.labels)
            before = describe_series(row)
            change_grid(session, row, values["freq"], values["timezone"])
            for name, value in values.items():
                setattr(row, name, value)
            series.bump_version(session, row)
            record(session, scope, "series.change", row.id, before=before, after=(view := describe_series(row)))
            return False, view

        return self._database.write_with_retry(make)

    def get(self, scope: Scope, series_id: str) -> dict[str, Any]:
        """Return one series. Raises NotFound."""
        with self._database.read() as session:
            return describe_series(require_series(session, scope, series_id))

    def list(
        self, scope: Scope, wanted: SeriesSearch, recent: int | None, cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return a page of series in the order of their ids, each with its `recent` newest values where a number of
        them is asked for. Raises Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            rows = series.list_page(session, scope, wanted.prefix, wanted.labels, wanted.text, cursor, limit)
            items = [describe_series(row) for row in rows.items]
            if recent is not None:
                newest = _load_newest(session, rows.items, recent)
                items = [item | {"recent": values} for item, values in zip(items, newest, strict=True)]
            return Page(items, rows.next_cursor)

    def list_labels(self, scope: Scope, text: str, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of the labels that series have, in the order of key and value. Raises Invalid as `list`."""
        with self._database.read() as session, convert_cursor_errors():
            page = labels.list_page(session, scope, text, cursor, limit)
            items = [{"key": key, "value": value, "series": count} for key, value, count in page.items]
            return Page(items, page.next_cursor)

    def delete(self, scope: Scope, series_id: str) -> None:
        """Delete a series with its observations. Raises NotFound."""
        with self._database.write() as session:
            row = require_series(session, scope, series_id, lock=True)
            record(session, scope, "series.delete", row.id, before=describe_series(row))
            series.remove(session, scope, row.id)


def _load_newest(session: Session, rows: Sequence[SeriesRow], count: int) -> list[dict[str, Any]]:
    """Return the newest values of each series in columns, all read at once."""
    last = {row.pk: row.last_ts for row in rows if row.last_ts is not None}
    points = load_newest_points(session, last, count)
    columns = [(row.timezone, points.get(row.pk)) for row in rows]
    return [
        {"ds": format_stamps(found.ts, timezone), "y": found.y.tolist()} if found is not None else {"ds": [], "y": []}
        for timezone, found in columns
    ]


def _check_new(session: Session, scope: Scope, series_id: str, labels: dict[str, str]) -> None:
    """Raise Conflict where a series exists, and Forbidden where the caller would not see it."""
    _check_labels(scope, labels)
    if series.is_taken(session, scope, series_id):
        raise _series_exists(series_id)


def _check_labels(scope: Scope, labels: dict[str, str]) -> None:
    """Raise Forbidden where the caller would not see a series with these labels."""
    if not scope.sees(labels):
        wanted = ", ".join(f"{key}:{value}" for key, value in scope.labels)
        detail = f"this key is about series with the labels {wanted}; send them with the series"
        raise Forbidden(ErrorCode.forbidden, detail)


def _check_fields(fields: SeriesFields) -> dict[str, Any]:
    return {
        "freq": check_frequency(fields.freq),
        "timezone": check_timezone(fields.timezone),
        "unit": fields.unit,
        "description": fields.description,
        "labels": fields.labels,
        "static": fields.static,
    }


def _series_exists(series_id: str) -> Conflict:
    return Conflict(
        ErrorCode.series_exists, f"the series {series_id!r} exists; PUT /series/{{id}} changes its metadata"
    )
