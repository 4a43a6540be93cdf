"""Series: their ids, their metadata, and what a client sees of them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, FieldError, Invalid, NotFound
from app.scope import Scope
from app.services.idempotency import Answer, Idempotency, answer_once
from app.storage import series
from app.storage.engine import Database
from app.storage.pages import CursorError, Page
from app.storage.tables import SeriesRow
from models.calendar.grid import FrequencyError, parse_frequency
from models.calendar.timestamps import TimezoneError, format_stamp, zone

MAX_ID = 200
_ROUTE_WORDS = re.compile(r"(^|/)(import|export)$|(^|/)(observations|health)$|(^|/)\.{1,2}(/|$)")


@dataclass(frozen=True)
class SeriesFields:
    """What a client says of a series, besides its id."""

    freq: str
    timezone: str
    unit: str | None
    description: str | None
    labels: dict[str, str]
    static: dict[str, Any]


def is_series_id(text: str) -> bool:
    """Say whether a series may have this id: 1 to 200 printable characters, and no route of the API."""
    return 1 <= len(text) <= MAX_ID and text.isprintable() and not _ROUTE_WORDS.search(text)


def view(row: SeriesRow) -> dict[str, Any]:
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


def check_id(series_id: str) -> None:
    """Raise Invalid where no series may have this id."""
    if not is_series_id(series_id):
        raise Invalid(
            ErrorCode.invalid_series_id,
            f"a series id has 1 to {MAX_ID} printable characters and does not end in a word of the API "
            "(import, export, observations, health)",
            errors=[FieldError("id", ErrorCode.invalid_series_id, f"{series_id[:60]!r} cannot be an id")],
        )


def checked_frequency(alias: str) -> str:
    """Return the canonical alias. Raises Invalid."""
    try:
        return parse_frequency(alias).alias
    except FrequencyError as e:
        error = FieldError("freq", ErrorCode.invalid_frequency, str(e))
        raise Invalid(ErrorCode.invalid_frequency, str(e), errors=[error]) from e


def checked_timezone(name: str, field: str = "timezone") -> str:
    """Return the timezone's name. Raises Invalid, which names the field of the request."""
    try:
        zone(name)
    except TimezoneError as e:
        error = FieldError(field, ErrorCode.invalid_timezone, str(e))
        raise Invalid(ErrorCode.invalid_timezone, str(e), errors=[error]) from e
    return name


def found(session: Session, scope: Scope, series_id: str, *, lock: bool = False) -> SeriesRow:
    """Return a series that must exist. Raises NotFound."""
    row = series.get(session, scope, series_id, lock=lock) if is_series_id(series_id) else None
    if row is None:
        raise NotFound(
            ErrorCode.series_not_found,
            f"there is no series {series_id[:MAX_ID]!r}; GET /series lists them, POST /series makes one",
        )
    return row


class SeriesService:
    """What the series routes mean."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, scope: Scope, series_id: str, fields: SeriesFields, key: Idempotency | None) -> Answer:
        """Make a series. Raises Conflict where it exists, Invalid for a bad id, frequency or timezone."""
        check_id(series_id)
        values = _values(fields)

        def make(session: Session) -> Answer:
            if series.get(session, scope, series_id) is not None:
                raise _exists(series_id)
            (row,) = series.add(session, scope, [{"id": series_id, **values}])
            return Answer(201, view(row))

        return answer_once(self._database, scope, key, make)

    def put(self, scope: Scope, series_id: str, fields: SeriesFields) -> tuple[bool, dict[str, Any]]:
        """Make a series or replace its metadata; return whether it is new. Raises as `create`, and Conflict where
        the frequency or timezone of a series with observations would change."""
        check_id(series_id)
        values = _values(fields)

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            row = series.get(session, scope, series_id, lock=True)
            if row is None:
                (row,) = series.add(session, scope, [{"id": series_id, **values}])
                return True, view(row)
            if row.count and (row.freq, row.timezone) != (values["freq"], values["timezone"]):
                raise Conflict(
                    ErrorCode.series_exists,
                    f"the series has observations of frequency {row.freq!r} in {row.timezone}; delete them before "
                    "changing frequency or timezone",
                )
            for name, value in values.items():
                setattr(row, name, value)
            series.touch(session, row)
            return False, view(row)

        return self._database.retried(make)

    def get(self, scope: Scope, series_id: str) -> dict[str, Any]:
        """Return one series. Raises NotFound."""
        with self._database.read() as session:
            return view(found(session, scope, series_id))

    def page(
        self, scope: Scope, prefix: str, labels: Sequence[tuple[str, str]], cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return series by id. Raises Invalid for a cursor of another making."""
        with self._database.read() as session, readable_cursor():
            rows = series.page(session, scope, prefix, labels, cursor, limit)
            return Page([view(row) for row in rows.items], rows.next_cursor)

    def delete(self, scope: Scope, series_id: str) -> None:
        """Delete a series with its observations. Raises NotFound."""
        with self._database.write() as session:
            found(session, scope, series_id, lock=True)
            series.remove(session, scope, series_id)


@contextmanager
def readable_cursor() -> Iterator[None]:
    """Within it, a cursor that cannot be read is the client's error."""
    try:
        yield
    except CursorError as e:
        raise Invalid(
            ErrorCode.invalid_cursor,
            "this cursor was not given out by this call; leave it away to begin at the first page",
            errors=[FieldError("query.cursor", ErrorCode.invalid_cursor, "unknown cursor")],
        ) from e


def _values(fields: SeriesFields) -> dict[str, Any]:
    return {
        "freq": checked_frequency(fields.freq),
        "timezone": checked_timezone(fields.timezone),
        "unit": fields.unit,
        "description": fields.description,
        "labels": fields.labels,
        "static": fields.static,
    }


def _exists(series_id: str) -> Conflict:
    return Conflict(
        ErrorCode.series_exists, f"the series {series_id!r} exists; PUT /series/{{id}} changes its metadata"
    )
