"""Writing the values of many series at once; of one series too. Callers hold the locks of the series.

Rows are not objects of the ORM here: on PostgreSQL a value costs no Python object at all, on SQLite a place in a tuple.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from app.storage import bulk_postgresql, bulk_sqlite
from app.storage.bulk_cells import BOOKKEEPING, NEVER, Bookkept, Cells, find_spans
from app.storage.tables import Covariate, Observation, SeriesRow
from models.arrays import Floats, Ints, find_missing

CHUNK = 10_000
"""bound parameters of one statement; both databases take over 30 000"""


@dataclass(frozen=True)
class BulkPoints:
    """Points of many series, ascending by series and time, one a time."""

    pk: Ints
    """(N,) primary keys of series"""
    ts: Ints
    """(N,) microseconds UTC"""
    y: Floats
    """(N,) NaN where missing"""


@dataclass(frozen=True)
class BulkValues:
    """A covariate's values of many series, ascending by series and time, one a time."""

    pk: Ints
    """(N,) primary keys of series"""
    ts: Ints
    """(N,) microseconds UTC"""
    values: NDArray[Any]
    """(N,) float64 with NaN, or text with None, where missing"""


def upsert_points(
    session: Session, rows: Sequence[Bookkept], points: BulkPoints, *, keep: bool = False
) -> tuple[int, int]:
    """Write points of locked series; return how many rows were inserted and how many were there already.

    A missing value takes the place of a stored one, unless `keep` leaves that. Of the series that have points, `count`,
    `first_ts` and `last_ts` follow, `anchor` is stored as it stands in the row, and the version goes up by one.
    """
    if not len(points.pk):
        return 0, 0
    existing = _writer(session).write(session, Cells(points.pk, points.ts, points.y, "y"), keep=keep)
    by_pk = {row.pk: row for row in rows}
    touched = [by_pk[pk] for pk in np.unique(points.pk).tolist()]
    _count(touched, points, existing)
    at_bounds = _move_bounds(touched, points)
    if at_bounds and not keep:
        _find_bounds(session, at_bounds)
    touch(session, touched)
    updated = sum(existing.values())
    return len(points.pk) - updated, updated


def upsert_values(session: Session, covariate: Covariate, values: BulkValues, *, keep: bool = False) -> None:
    """Write a covariate's values of locked series, whose versions are left to `upsert_points` or `touch`.

    Where a value is missing the stored one is removed, or stays with `keep`.
    """
    column = "value" if covariate.kind == "numeric" else "level"
    cells = Cells(values.pk, values.ts, values.values, column, covariate.pk)
    is_missing = find_missing(values.values)
    if not is_missing.all():
        _writer(session).write(session, cells.select(~is_missing), keep=keep)
    if is_missing.any() and not keep:
        _writer(session).remove(session, cells.select(is_missing))


def touch(session: Session, rows: Sequence[Bookkept]) -> None:
    """Increment the versions of locked series, and store their counts, bounds and anchors as they stand in the rows."""
    for row in rows:
        row.version += 1
    _writer(session).update_series(session, rows)
    for row in rows:
        if isinstance(row, SeriesRow):  # the session is to store none of it again
            for name in BOOKKEEPING:
                set_committed_value(row, name, getattr(row, name))


def _writer(session: Session) -> Any:
    return bulk_sqlite if session.get_bind().dialect.name == "sqlite" else bulk_postgresql


def _count(rows: Sequence[Bookkept], points: BulkPoints, existing: Mapping[int, int]) -> None:
    """Add the rows that are new to each series' count; `rows` ascend by key."""
    _, counts = np.unique(points.pk, return_counts=True)
    for row, count in zip(rows, counts.tolist(), strict=True):
        row.count += count - existing.get(row.pk, 0)


def _move_bounds(rows: Sequence[Bookkept], points: BulkPoints) -> list[Bookkept]:
    """Widen the bounds of series by their points; return the series whose old bounds are among the missing ones."""
    series, place = np.unique(points.pk, return_inverse=True)
    is_missing = np.isnan(points.y)
    place_missing = place[is_missing]
    ts_missing = points.ts[is_missing]
    at_bound = np.zeros(len(ts_missing), np.bool_)
    for name in ("first_ts", "last_ts"):
        bounds = np.array([NEVER if getattr(row, name) is None else getattr(row, name) for row in rows], np.int64)
        at_bound |= bounds[place_missing] == ts_missing
    observed, first, last = find_spans(points.pk[~is_missing], points.ts[~is_missing])
    places = np.searchsorted(series, observed)
    for at, low, high in zip(places.tolist(), first.tolist(), last.tolist(), strict=True):
        row = rows[at]
        row.first_ts = low if row.first_ts is None else min(low, row.first_ts)
        row.last_ts = high if row.last_ts is None else max(high, row.last_ts)
    return [rows[at] for at in np.unique(place_missing[at_bound]).tolist()]


def _find_bounds(session: Session, rows: Sequence[Bookkept]) -> None:
    """Look for the first and the last observed stamp of series."""
    observed = select(Observation.ts).where(Observation.series_pk == SeriesRow.pk, Observation.y.is_not(None)).limit(1)
    first = observed.order_by(Observation.ts).scalar_subquery()
    last = observed.order_by(Observation.ts.desc()).scalar_subquery()
    by_pk = {row.pk: row for row in rows}
    pks = list(by_pk)
    for i in range(0, len(pks), CHUNK):
        query = select(SeriesRow.pk, first, last).where(SeriesRow.pk.in_(pks[i : i + CHUNK]))
        for pk, low, high in session.connection().execute(query):  # nothing is flushed before touch
            by_pk[pk].first_ts = low
            by_pk[pk].last_ts = high
