"""Observations as files: of one series, whole or by pages, and of many series in one long table.

What is read is written to a spool, in memory while it is small and on disk beyond that, and sent after its transaction
has ended: a slow client holds no snapshot of the database open.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, NotFound
from app.formats.table import TableFormat
from app.scope import Scope
from app.services.paging import convert_cursor_errors
from app.services.series.service import find_many_series, require_series
from app.services.series.spans import EVERY_TIME, Span, parse_span
from app.services.series.tables import ObservationTable, SeriesRows, read_rows_of, read_series
from app.storage import exports
from app.storage.engine import Database
from app.storage.exports import SeriesFilter
from app.storage.observations import Points
from app.storage.pages import decode_cursor, encode_cursor
from app.storage.tables import SeriesRow

PAGE_SERIES = 500
PAGE_ROWS = 200_000
"""series and rows that an export reads in one snapshot; a series with more rows is read in a snapshot of its own"""
IN_MEMORY = 4_000_000
"""bytes of a snapshot's rows that are kept in memory; more go to disk until they are sent"""
BLOCK = 256 * 1024
"""bytes that are sent at a time"""


@dataclass(frozen=True)
class ExportRequest:
    """Which rows of which series: those that are named, or all with the prefix and the labels."""

    series: Sequence[str] = ()
    prefix: str = ""
    labels: Sequence[tuple[str, str]] = ()
    start: str | None = None
    """first time, read in the timezone of each series where it has no offset"""
    end: str | None = None
    """time before which the rows end"""


@dataclass(frozen=True)
class TablePage:
    """Some rows of one series as a file, and the cursor of the next ones; None at the end."""

    content: bytes
    next_cursor: str | None


class ExportService:
    """The operations behind GET /series/export, and GET /series/{id}/observations as a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self, scope: Scope, series_id: str, start: str | None, end: str | None, format: TableFormat
    ) -> Iterator[bytes]:
        """Return the rows of [start, end) as blocks of a file, all from one snapshot.

        Raises NotFound, and Invalid for a bad time, before the first block.
        """
        return _begin(self._read(scope, series_id, start, end, format))

    def read_page(
        self,
        scope: Scope,
        series_id: str,
        start: str | None,
        end: str | None,
        cursor: str | None,
        limit: int,
        format: TableFormat,
    ) -> TablePage:
        """Return the next rows of [start, end). Raises NotFound, and Invalid for a bad time or cursor."""
        with self._database.read() as session:
            row = require_series(session, scope, series_id)
            span = parse_span(row.freq, row.timezone, start, end)
            covariates = exports.list_covariates(session, scope, SeriesFilter((row.id,)), span)
            if cursor is not None:
                with convert_cursor_errors():
                    after = int(decode_cursor(cursor, int)[0])
                span = Span(max(span.first, after + 1), span.last)
            part = read_rows_of(session, row, span, covariates, limit + 1)
        ts = part.points.ts[:limit]
        rows = SeriesRows(row, Points(ts, part.points.y[:limit]), part.covariates)
        table = ObservationTable(format, covariates)
        next_cursor = encode_cursor(int(ts[-1])) if len(part.points.ts) > limit else None
        return TablePage(table.begin() + table.write([rows]) + table.end(), next_cursor)

    def export(self, scope: Scope, request: ExportRequest, format: TableFormat) -> Iterator[bytes]:
        """Return the rows of many series, in the order of their ids, as blocks of a file.

        Each page of series is read in a snapshot of its own. Raises NotFound for a series that is named and does not
        exist, and Invalid for a bad time, before the first block.
        """
        if request.series and (request.prefix or request.labels):
            detail = "series names what is exported, and prefix and label select it; send one or the other"
            raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("query.series", "invalid", detail)])
        return _begin(self._export(scope, request, format))

    def _read(
        self, scope: Scope, series_id: str, start: str | None, end: str | None, format: TableFormat
    ) -> Iterator[bytes]:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            with self._database.read() as session:
                row = require_series(session, scope, series_id)
                span = parse_span(row.freq, row.timezone, start, end)
                covariates = exports.list_covariates(session, scope, SeriesFilter((row.id,)), span)
                table = ObservationTable(format, covariates)
                spool.write(table.begin())
                for parts in read_series(session, [row], lambda _: span, covariates):
                    spool.write(table.write(parts))
            spool.write(table.end())
            yield from _drain(spool)

    def _export(self, scope: Scope, request: ExportRequest, format: TableFormat) -> Iterator[bytes]:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            with self._database.read() as session:
                wanted = _resolve(session, scope, request)
                spans = _Spans(request)
                for freq, timezone in exports.list_calendars(session, scope, wanted):
                    spans.parse(freq, timezone)
                covariates = exports.list_covariates(session, scope, wanted, EVERY_TIME)
            table = ObservationTable(format, covariates)
            spool.write(table.begin())
            after: str | None = None
            while True:
                with self._database.read() as session:
                    rows = _cut_page(exports.list_after(session, scope, wanted, after, PAGE_SERIES))
                    for parts in read_series(session, rows, spans.find, covariates):
                        spool.write(table.write(parts))
                if not rows:
                    break
                after = rows[-1].id
                yield from _drain(spool)
            spool.write(table.end())
            yield from _drain(spool)


class _Spans:
    """The span of an export, by frequency and timezone of a series: a time without an offset is read in each."""

    def __init__(self, request: ExportRequest) -> None:
        self._request = request
        self._spans: dict[tuple[str, str], Span] = {}

    def parse(self, freq: str, timezone: str) -> Span:
        """Return the span in a timezone. Raises Invalid."""
        key = (freq, timezone)
        if key not in self._spans:
            self._spans[key] = parse_span(freq, timezone, self._request.start, self._request.end)
        return self._spans[key]

    def find(self, row: SeriesRow) -> Span:
        """Return the span of a series. Raises Invalid where its timezone was not there before the first block."""
        return self.parse(row.freq, row.timezone)


def _drain(spool: IO[bytes]) -> Iterator[bytes]:
    """Yield what was written to a spool, and empty it."""
    spool.seek(0)
    while block := spool.read(BLOCK):
        yield block
    spool.seek(0)
    spool.truncate()


def _begin(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Return blocks of which the first is made: what is wrong with the request is raised here."""
    first = next(blocks, b"")
    return _resume(first, blocks)


def _resume(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks


def _resolve(session: Session, scope: Scope, request: ExportRequest) -> SeriesFilter:
    """Return which series are exported. Raises NotFound, which names those that do not exist."""
    if not request.series:
        return SeriesFilter(None, request.prefix, request.labels)
    wanted = list(dict.fromkeys(request.series))
    rows = find_many_series(session, scope, wanted)
    missing = [series_id for series_id in wanted if series_id not in rows]
    if missing:
        code = ErrorCode.series_not_found
        errors = [FieldError("query.series", code, f"there is no series {i[:200]!r}") for i in missing[:100]]
        detail = f"{len(missing)} of the series do not exist, for example {missing[0][:200]!r}; GET /series lists them"
        raise NotFound(code, detail, errors=errors)
    return SeriesFilter(tuple(rows[series_id].id for series_id in wanted))


def _cut_page(rows: list[SeriesRow]) -> list[SeriesRow]:
    """Return the first of some series, as many as have PAGE_ROWS rows together; one at least."""
    count = 0
    for number, row in enumerate(rows):
        count += row.count
        if number and count > PAGE_ROWS:
            return rows[:number]
    return rows
