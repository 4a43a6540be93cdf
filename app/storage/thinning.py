"""A series thinned by the database: what a chart shows of stretches of equal time."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.storage.tables import Observation, SeriesRow
from models.arrays import Floats, Ints


@dataclass(frozen=True)
class Buckets:
    """What is left of the rows of each bucket, ascending; buckets without a row are left out."""

    ts: Ints
    """(N,) stamp of the last observed value, or of the last row where none is observed"""
    y: Floats
    """(N,) the last observed value, NaN without one"""
    low: Floats
    """(N,) the least value"""
    high: Floats
    """(N,) the greatest value"""
    count: int
    """rows of all buckets together"""


def has_more_rows(session: Session, row: SeriesRow, span: tuple[int, int], count: int) -> bool:
    """Say whether a span, first and last stamp included, has more rows than `count`."""
    query = select(Observation.ts).where(Observation.series_pk == row.pk, Observation.ts.between(*span))
    return session.execute(query.order_by(Observation.ts).offset(count).limit(1)).first() is not None


def thin(session: Session, row: SeriesRow, span: tuple[int, int], buckets: int) -> Buckets:
    """Divide the rows of a span, which has some, into at most so many buckets of equal time, and return what is left of
    each."""
    rows = select(Observation.ts).where(Observation.series_pk == row.pk, Observation.ts.between(*span)).limit(1)
    first = session.execute(rows.order_by(Observation.ts)).scalar_one()
    last = session.execute(rows.order_by(Observation.ts.desc())).scalar_one()
    width = -(-(last - first + 1) // buckets)
    number = (Observation.ts - first) // width
    observed = func.max(Observation.ts).filter(Observation.y.is_not(None))
    columns = (
        func.coalesce(observed, func.max(Observation.ts)).label("ts"),
        func.min(Observation.y).label("low"),
        func.max(Observation.y).label("high"),
        func.count().label("count"),
    )
    groups = (
        select(*columns)
        .where(Observation.series_pk == row.pk, Observation.ts.between(first, last))
        .group_by(number)
        .subquery()
    )
    # a look-up for each bucket: a planner that overrates their number would join all rows once more
    last_row = aliased(Observation)
    value = select(last_row.y).where(last_row.series_pk == row.pk, last_row.ts == groups.c.ts).scalar_subquery()
    query = select(groups.c.ts, value, groups.c.low, groups.c.high, groups.c["count"])
    ts, y, low, high, counts = zip(*session.execute(query.order_by(groups.c.ts)), strict=True)
    return Buckets(
        np.array(ts, np.int64),
        np.array(y, np.float64),  # None becomes NaN
        np.array(low, np.float64),
        np.array(high, np.float64),
        sum(counts),
    )
