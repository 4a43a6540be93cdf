"""Reading the values of many series into arrays: PostgreSQL sends arrays, SQLite's cursor fills them."""

from collections.abc import Collection, Mapping
from operator import itemgetter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy.orm import Session

from app.storage.binary import decode_array
from app.storage.dialects import use_driver
from app.storage.observations import CovariatePoints, Points
from app.storage.tables import Covariate
from models.arrays import Floats, Ints

Spans = Mapping[int, tuple[int, int]]
"""first and last stamp of what is wanted, by primary key of a series"""

_INT8_ARRAY, _FLOAT8_ARRAY = 1016, 1022
"""PostgreSQL's numbers of the types"""
_ROWS = 1000
"""rows of SQLite that are objects at a time"""
_AGGREGATE_POINTS = """SELECT s.pk, points.ts, points.y
FROM unnest(%(pk)s::bigint[], %(first)s::bigint[], %(last)s::bigint[]) AS s(pk, first, last), LATERAL (
    SELECT array_agg(ts) AS ts, array_agg(coalesce(y, 'NaN')) AS y
    FROM observations WHERE series_pk = s.pk AND ts BETWEEN s.first AND s.last
) points
WHERE points.ts IS NOT NULL"""
_AGGREGATE_NEWEST = """SELECT s.pk, points.ts, points.y
FROM unnest(%(pk)s::bigint[], %(last)s::bigint[]) AS s(pk, last), LATERAL (
    SELECT array_agg(ts) AS ts, array_agg(y) AS y FROM (
        SELECT ts, y FROM observations
        WHERE series_pk = s.pk AND ts <= s.last AND y IS NOT NULL ORDER BY ts DESC LIMIT %(count)s
    ) newest
) points
WHERE points.ts IS NOT NULL"""
_AGGREGATE_COVARIATES = """SELECT s.pk, c.pk, points.ts, points.value, points.level
FROM unnest(%(pk)s::bigint[], %(first)s::bigint[], %(last)s::bigint[]) AS s(pk, first, last),
unnest(%(covariates)s::bigint[], %(is_numeric)s::boolean[]) AS c(pk, is_numeric), LATERAL (
    SELECT array_agg(ts) AS ts, array_agg(coalesce(value, 'NaN')) FILTER (WHERE c.is_numeric) AS value,
        array_agg(level) FILTER (WHERE NOT c.is_numeric) AS level
    FROM covariate_values WHERE series_pk = s.pk AND covariate_pk = c.pk AND ts BETWEEN s.first AND s.last
) points
WHERE points.ts IS NOT NULL"""
# no number is infinite but, on the way, the missing ones: NULL does not go into an array of numbers
_SELECT_POINTS = """SELECT ts, ifnull(y, 9e999) FROM observations
WHERE series_pk = ? AND ts BETWEEN ? AND ? ORDER BY ts"""
_SELECT_NEWEST = """SELECT ts, y FROM observations
WHERE series_pk = ? AND ts <= ? AND y IS NOT NULL ORDER BY ts DESC LIMIT ?"""
_SELECT_NUMBERS = """SELECT ts, ifnull(value, 9e999) FROM covariate_values
WHERE series_pk = ? AND covariate_pk = ? AND ts BETWEEN ? AND ?"""
_SELECT_TEXTS = """SELECT ts, level FROM covariate_values
WHERE series_pk = ? AND covariate_pk = ? AND ts BETWEEN ? AND ?"""


def load_points(session: Session, spans: Spans) -> dict[int, Points]:
    """Return the points of many series: {series_pk: (first, last) stamp} → {series_pk: Points}."""
    with use_driver(session) as driver:
        if session.get_bind().dialect.name == "sqlite":
            return {pk: Points(*_fill(driver.execute(_SELECT_POINTS, (pk, *span)))) for pk, span in spans.items()}
        points = {pk: Points(np.empty(0, np.int64), np.empty(0)) for pk in spans}
        for pk, ts, y in _stream(driver, _AGGREGATE_POINTS, _bind(spans)):
            points[pk] = _order(ts, y)
        return points


def _order(ts: Ints, y: Floats) -> Points:
    """Return points in ascending order, which PostgreSQL's heap mostly has already and would sort in any case."""
    if np.all(ts[1:] > ts[:-1]):
        return Points(ts, y)
    order = np.argsort(ts)
    return Points(ts[order], y[order])


def load_newest_points(session: Session, last: Mapping[int, int], count: int) -> dict[int, Points]:
    """Return the newest `count` points that have a value of many series: {series_pk: stamp of its last value}."""
    with use_driver(session) as driver:
        if session.get_bind().dialect.name == "sqlite":
            newest = {pk: _fill(driver.execute(_SELECT_NEWEST, (pk, ts, count))) for pk, ts in last.items()}
            return {pk: Points(ts[::-1], y[::-1]) for pk, (ts, y) in newest.items()}
        points = {pk: Points(np.empty(0, np.int64), np.empty(0)) for pk in last}
        wanted = {"pk": list(last), "last": list(last.values()), "count": count}
        for pk, ts, y in _stream(driver, _AGGREGATE_NEWEST, wanted):
            points[pk] = Points(ts[::-1], y[::-1])
        return points


def _fill(cursor: Any) -> tuple[Ints, Floats]:
    """Return stamps (N,) and numbers (N,) of a cursor's rows, few of which are objects at a time."""
    stamps = []
    numbers = []
    while rows := cursor.fetchmany(_ROWS):
        stamps.append(np.fromiter(map(itemgetter(0), rows), np.int64, len(rows)))
        numbers.append(np.fromiter(map(itemgetter(1), rows), np.float64, len(rows)))
    if not stamps:
        return np.empty(0, np.int64), np.empty(0)
    y = np.concatenate(numbers)
    y[np.isinf(y)] = np.nan
    return np.concatenate(stamps), y


def load_covariate_points(
    session: Session, spans: Spans, covariates: Collection[Covariate]
) -> dict[int, dict[str, CovariatePoints]]:
    """Return the values of covariates of many series: {series_pk: (first, last) stamp} → {series_pk: {name: …}}."""
    found: dict[int, dict[str, CovariatePoints]] = {pk: {} for pk in spans}
    if not covariates or not spans:
        return found
    with use_driver(session) as driver:
        if session.get_bind().dialect.name == "sqlite":
            for pk, span in spans.items():
                for covariate in covariates:
                    points = _select_covariate(driver, pk, covariate, span)
                    if len(points.ts):
                        found[pk][covariate.name] = points
            return found
        names = {c.pk: c.name for c in covariates}
        wanted = {"covariates": list(names), "is_numeric": [c.kind == "numeric" for c in covariates]}
        for pk, covariate_pk, ts, numbers, texts in _stream(driver, _AGGREGATE_COVARIATES, _bind(spans) | wanted):
            values = np.array(texts, object) if numbers is None else numbers
            found[pk][names[covariate_pk]] = CovariatePoints(ts, values)
        return found


def _select_covariate(driver: Any, pk: int, covariate: Covariate, span: tuple[int, int]) -> CovariatePoints:
    parameters = (pk, covariate.pk, *span)
    if covariate.kind == "numeric":
        return CovariatePoints(*_fill(driver.execute(_SELECT_NUMBERS, parameters)))
    rows = driver.execute(_SELECT_TEXTS, parameters).fetchall()
    ts = np.fromiter((ts for ts, _ in rows), np.int64, len(rows))
    return CovariatePoints(ts, np.array([level for _, level in rows], object))


def _bind(spans: Spans) -> dict[str, Any]:
    return {
        "pk": list(spans),
        "first": [first for first, _ in spans.values()],
        "last": [last for _, last in spans.values()],
    }


def _stream(driver: Any, statement: str, parameters: dict[str, Any]) -> Any:
    """Yield a statement's rows one by one, arrays of numbers as numpy's: memory holds one of them beside the result."""
    with driver.cursor(binary=True) as cursor:
        cursor.adapters.register_loader(_INT8_ARRAY, _Int8ArrayLoader)
        cursor.adapters.register_loader(_FLOAT8_ARRAY, _Float8ArrayLoader)
        yield from cursor.stream(statement, parameters)


class _Int8ArrayLoader(Loader):
    format = Format.BINARY
    kind: ClassVar[np.dtype[Any]] = np.dtype(np.int64)

    def load(self, data: Any) -> NDArray[Any]:
        return decode_array(data, self.kind)


class _Float8ArrayLoader(_Int8ArrayLoader):
    kind = np.dtype(np.float64)
