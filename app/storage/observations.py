"""Queries of observations and covariate values, in columns (numpy arrays in, numpy arrays out)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from app.storage.tables import Covariate, CovariateValue, Observation, SeriesRow
from models.arrays import Floats, Ints

CHUNK = 10_000
"""bound parameters of one statement; both databases take over 30 000"""


@dataclass(frozen=True)
class Points:
    """Timestamps and values of one series, ascending: ts (N,) int64 microseconds UTC, y (N,) float64, NaN missing."""

    ts: Ints
    y: Floats


@dataclass(frozen=True)
class CovariatePoints:
    """Timestamps and values of one covariate of one series, in any order."""

    ts: Ints
    """(N,) microseconds UTC"""
    values: NDArray[Any]
    """(N,) float64 with NaN, or text with None, where missing"""


def _update_bounds(session: Session, row: SeriesRow) -> None:
    observed = select(Observation.ts).where(Observation.series_pk == row.pk, Observation.y.is_not(None)).limit(1)
    row.first_ts = session.execute(observed.order_by(Observation.ts)).scalar_one_or_none()
    row.last_ts = session.execute(observed.order_by(Observation.ts.desc())).scalar_one_or_none()
    session.flush()


def _in_span(table: Any, start: int | None, end: int | None) -> list[ColumnElement[bool]]:
    return [
        *([table.ts >= start] if start is not None else []),
        *([table.ts < end] if end is not None else []),
    ]


def remove(session: Session, row: SeriesRow, start: int | None, end: int | None) -> int:
    """Delete the observations and covariate values of [start, end) of a locked series.

    Returns the number of observations.
    """
    in_covariates = [CovariateValue.series_pk == row.pk, *_in_span(CovariateValue, start, end)]
    session.execute(delete(CovariateValue).where(*in_covariates))
    in_observations = [Observation.series_pk == row.pk, *_in_span(Observation, start, end)]
    count = session.execute(select(func.count()).select_from(Observation).where(*in_observations)).scalar_one()
    session.execute(delete(Observation).where(*in_observations))
    row.count -= count
    if row.count == 0:
        row.anchor = None  # an empty series may begin on another phase
    _update_bounds(session, row)
    return count


def list_page(session: Session, row: SeriesRow, start: int | None, end: int | None, limit: int) -> Points:
    """Return at most `limit` points of [start, end), missing values as NaN."""
    query = (
        select(Observation.ts, Observation.y)
        .where(Observation.series_pk == row.pk, *_in_span(Observation, start, end))
        .order_by(Observation.ts)
        .limit(limit)
    )
    return _build_points([(ts, y) for ts, y in session.execute(query)])


def _build_points(rows: list[tuple[int, float | None]]) -> Points:
    ts = np.fromiter((r[0] for r in rows), np.int64, len(rows))
    y = np.fromiter((np.nan if r[1] is None else r[1] for r in rows), np.float64, len(rows))
    return Points(ts, y)


def load_between(session: Session, spans: Mapping[int, tuple[int, int]]) -> dict[int, Points]:
    """Return the points of many series: {series_pk: (first, last) stamp} → {series_pk: Points}."""
    rows: dict[int, list[tuple[int, float | None]]] = {pk: [] for pk in spans}
    for condition in _in_spans(Observation, spans):
        query = select(Observation.series_pk, Observation.ts, Observation.y).where(condition)
        for pk, ts, y in session.execute(query.order_by(Observation.series_pk, Observation.ts)):
            rows[pk].append((ts, y))
    return {pk: _build_points(points) for pk, points in rows.items()}


def _in_spans(
    table: Any, spans: Mapping[int, tuple[int, int]], *also: ColumnElement[bool]
) -> Iterator[ColumnElement[bool]]:
    """Yield a condition for each statement; together they select each series' rows in its span where `also` holds.

    Series with the same span, such as those of one panel, share a part of a condition. Every part names the whole key,
    so that SQLite searches the key for each of them.
    """
    by_span: dict[tuple[int, int], list[int]] = {}
    for pk, span in spans.items():
        by_span.setdefault(span, []).append(pk)
    groups = [(span, pks[i : i + 500]) for span, pks in by_span.items() for i in range(0, len(pks), 500)]
    for i in range(0, len(groups), 100):
        parts = groups[i : i + 100]
        yield or_(*(and_(table.series_pk.in_(p), *also, table.ts.between(*span)) for span, p in parts))


def find_last_observed(session: Session, rows: Sequence[SeriesRow], moment: int) -> dict[int, int]:
    """Return {series_pk: stamp of the newest value at or before a moment}, without the series that begin later."""
    newest = (
        select(Observation.ts)
        .where(Observation.series_pk == SeriesRow.pk, Observation.y.is_not(None), Observation.ts <= moment)
        .order_by(Observation.ts.desc())
        .limit(1)
        .scalar_subquery()
    )
    stamps: dict[int, int] = {}
    for i in range(0, len(rows), CHUNK):
        query = select(SeriesRow.pk, newest).where(SeriesRow.pk.in_([row.pk for row in rows[i : i + CHUNK]]))
        stamps.update((pk, ts) for pk, ts in session.execute(query) if ts is not None)
    return stamps


def load_covariate_columns(session: Session, row: SeriesRow, ts: Ints) -> dict[str, list[float | str | None]]:
    """Return {name: values at each of `ts`} of the covariates that have any value there; `ts` ascends."""
    if not len(ts):
        return {}
    query = (
        select(Covariate.name, CovariateValue.ts, CovariateValue.value, CovariateValue.level)
        .join(Covariate, Covariate.pk == CovariateValue.covariate_pk)
        .where(CovariateValue.series_pk == row.pk, CovariateValue.ts.between(int(ts[0]), int(ts[-1])))
        .order_by(Covariate.name)
    )
    index = {int(t): i for i, t in enumerate(ts)}
    columns: dict[str, list[float | str | None]] = {}
    for name, stamp, value, level in session.execute(query):
        if stamp in index:
            columns.setdefault(name, [None] * len(ts))[index[stamp]] = value if level is None else level
    return columns


def load_covariate_points(
    session: Session, spans: Mapping[int, tuple[int, int]], covariates: Collection[Covariate]
) -> dict[int, dict[str, CovariatePoints]]:
    """Return the values of covariates of many series: {series_pk: (first, last) stamp} → {series_pk: {name: …}}."""
    by_pk = {c.pk: c for c in covariates}
    rows: dict[tuple[int, int], list[tuple[int, float | None, str | None]]] = {}
    table = CovariateValue
    query = select(table.series_pk, table.covariate_pk, table.ts, table.value, table.level)
    for condition in _in_spans(table, spans if by_pk else {}, table.covariate_pk.in_(list(by_pk))):
        for pk, covariate, ts, value, level in session.execute(query.where(condition)):
            rows.setdefault((pk, covariate), []).append((ts, value, level))
    result: dict[int, dict[str, CovariatePoints]] = {pk: {} for pk in spans}
    for (pk, covariate), points in rows.items():
        result[pk][by_pk[covariate].name] = _build_covariate_points(points, numeric=by_pk[covariate].kind == "numeric")
    return result


def _build_covariate_points(rows: list[tuple[int, float | None, str | None]], *, numeric: bool) -> CovariatePoints:
    ts = np.fromiter((r[0] for r in rows), np.int64, len(rows))
    if numeric:
        return CovariatePoints(ts, np.array([r[1] for r in rows], np.float64))  # None becomes NaN
    return CovariatePoints(ts, np.array([r[2] for r in rows], object))


def count_observed(session: Session, rows: Sequence[SeriesRow]) -> dict[int, int]:
    """Return {series_pk: number of values that are not missing}."""
    counts = {row.pk: 0 for row in rows}
    pks = list(counts)
    for i in range(0, len(pks), CHUNK):
        query = (
            select(Observation.series_pk, func.count(Observation.y))
            .where(Observation.series_pk.in_(pks[i : i + CHUNK]))
            .group_by(Observation.series_pk)
        )
        counts.update((pk, count) for pk, count in session.execute(query))
    return counts
