"""Observations of many series as batches of one long table: `unique_id, ds, y` and a column a covariate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy.orm import Session

from app.formats.table import TableFormat
from app.formats.writers import TEXTS, choose_stamp_type, choose_table_writer
from app.services.series.spans import Span
from app.storage import observations
from app.storage.bulk_read import load_covariate_points, load_points
from app.storage.observations import CovariatePoints, Points
from app.storage.tables import Covariate, SeriesRow
from models.calendar.timestamps import format_stamps

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 50_000
"""rows in memory at a time: of each batch, row group or record batch"""


@dataclass(frozen=True)
class SeriesRows:
    """Some rows of one series, with the values of the table's covariates."""

    row: SeriesRow
    points: Points
    covariates: Mapping[str, CovariatePoints]


class ObservationTable:
    """Writes observations as one table."""

    def __init__(self, format: TableFormat, covariates: Sequence[Covariate]) -> None:
        import pyarrow as pa  # costs a tenth of a second, and most processes never need it

        self.covariates = covariates
        """columns beside the target"""
        self._has_texts = format in TEXTS
        kinds = [pa.float64() if covariate.kind == "numeric" else pa.string() for covariate in covariates]
        columns = [
            pa.field("unique_id", pa.string()),
            pa.field("ds", choose_stamp_type(format)),
            pa.field("y", pa.float64()),
            *(pa.field(covariate.name, kind) for covariate, kind in zip(covariates, kinds, strict=True)),
        ]
        self._schema = pa.schema(columns)
        self._writer = choose_table_writer(format, self._schema)

    def begin(self) -> bytes:
        """Return what comes before the rows."""
        return self._writer.begin()

    def write(self, parts: Sequence[SeriesRows]) -> bytes:
        """Return the rows of some series."""
        return self._writer.write(self._build_batch(parts))

    def end(self) -> bytes:
        """Return what comes after the rows."""
        return self._writer.end()

    def _build_batch(self, parts: Sequence[SeriesRows]) -> "pa.RecordBatch":
        import pyarrow as pa

        lengths = [len(part.points.ts) for part in parts]
        owners = pa.array(np.repeat(np.arange(len(parts)), lengths))
        values: list[Any] = [
            self._list_times(parts),
            _concatenate([part.points.y for part in parts]),
            *(_align(parts, covariate) for covariate in self.covariates),
        ]
        ids = pa.array([part.row.id for part in parts], pa.string()).take(owners)
        kinds = self._schema.types[1:]
        arrays = [pa.array(column, kind, from_pandas=True) for column, kind in zip(values, kinds, strict=True)]
        return pa.RecordBatch.from_arrays([ids, *arrays], schema=self._schema)

    def _list_times(self, parts: Sequence[SeriesRows]) -> Any:
        """Return the time of each row: a text with the series' offset, or a stamp."""
        if not self._has_texts:
            return _concatenate([part.points.ts for part in parts], np.int64).view("M8[us]")
        texts: list[str] = []
        for timezone, neighbours in groupby(parts, lambda part: part.row.timezone):
            texts += format_stamps(_concatenate([part.points.ts for part in neighbours], np.int64), timezone)
        return texts


def read_series(
    session: Session, rows: Sequence[SeriesRow], find_span: Callable[[SeriesRow], Span], covariates: Sequence[Covariate]
) -> Iterator[list[SeriesRows]]:
    """Yield the rows of series in their spans, in the order of series and time, BATCH_ROWS at most at a time."""
    batch: dict[int, SeriesRow] = {}
    count = 0
    for row in rows:
        if batch and count + row.count > BATCH_ROWS:
            yield _load(session, batch, find_span, covariates)
            batch = {}
            count = 0
        if row.count > BATCH_ROWS:
            yield from _read_long_series(session, row, find_span(row), covariates)
        else:
            batch[row.pk] = row
            count += row.count
    if batch:
        yield _load(session, batch, find_span, covariates)


def read_rows_of(
    session: Session, row: SeriesRow, span: Span, covariates: Sequence[Covariate], limit: int
) -> SeriesRows:
    """Return the first rows of a series in a span, `limit` of them at most."""
    points = observations.list_page(session, row, span.first, span.last + 1, limit)
    if not len(points.ts):
        return SeriesRows(row, points, {})
    ends = {row.pk: (int(points.ts[0]), int(points.ts[-1]))}
    return SeriesRows(row, points, load_covariate_points(session, ends, covariates)[row.pk])


def _read_long_series(
    session: Session, row: SeriesRow, span: Span, covariates: Sequence[Covariate]
) -> Iterator[list[SeriesRows]]:
    while True:
        part = read_rows_of(session, row, span, covariates, BATCH_ROWS)
        yield [part]
        if len(part.points.ts) < BATCH_ROWS:
            return
        span = Span(int(part.points.ts[-1]) + 1, span.last)


def _load(
    session: Session,
    rows: Mapping[int, SeriesRow],
    find_span: Callable[[SeriesRow], Span],
    covariates: Sequence[Covariate],
) -> list[SeriesRows]:
    spans: dict[int, tuple[int, int]] = {pk: find_span(row) for pk, row in rows.items()}
    points = load_points(session, spans)
    values = load_covariate_points(session, spans, covariates)
    return [SeriesRows(row, points[pk], values[pk]) for pk, row in rows.items()]


def _concatenate(parts: Sequence[Any], dtype: Any = np.float64) -> Any:
    return np.concatenate([np.zeros(0, dtype), *parts])


def _align(parts: Sequence[SeriesRows], covariate: Covariate) -> Any:
    """Return the covariate's value at each row, NaN or None where it is missing."""
    is_numeric = covariate.kind == "numeric"
    columns = []
    for part in parts:
        ts = part.points.ts
        column = np.full(len(ts), np.nan) if is_numeric else np.full(len(ts), None, object)
        known = part.covariates.get(covariate.name)
        if known is not None and len(ts):
            at = np.minimum(np.searchsorted(ts, known.ts), len(ts) - 1)
            is_row = ts[at] == known.ts
            column[at[is_row]] = known.values[is_row]
        columns.append(column)
    return _concatenate(columns, np.float64 if is_numeric else object)
