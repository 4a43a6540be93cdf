"""Queries of observations and covariate values, in columns (numpy arrays in, numpy arrays out)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from app.storage import fed_steps
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
    """Delete the observations and covariate values of [start, end) of a locked series, and the samples that they were
    made of.

    Returns the number of observations.
    """
    fed_steps.empty_between(session, row.pk, start, end)
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


def load_stamps(session: Session, row: SeriesRow) -> Ints:
    """Return the stamps (N,) of a series' rows, of observations and of covariate values, ascending."""
    observed = select(Observation.ts).where(Observation.series_pk == row.pk)
    beside = select(CovariateValue.ts).where(CovariateValue.series_pk == row.pk).distinct()
    stamps = [np.fromiter(session.execute(query).scalars(), np.int64) for query in (observed, beside)]
    return np.union1d(*stamps)


def _build_points(rows: list[tuple[int, float | None]]) -> Points:
    ts = np.fromiter((r[0] for r in rows), np.int64, len(rows))
    y = np.fromiter((np.nan if r[1] is None else r[1] for r in rows), np.float64, len(rows))
    return Points(ts, y)


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
