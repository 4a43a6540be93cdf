"""What benchmarks.data compares with: the database's own ways to take and to give rows, without a service."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from app.storage import keys
from app.storage.bulk_read import load_points
from app.storage.engine import Database
from app.storage.tables import Observation, SeriesRow
from benchmarks.data_table import SalesTable

SERIES_AT_ONCE = 2000
"""series of one reading statement: fetchall of them all would hold gigabytes of tuples"""
ROWS_AT_ONCE = 50_000
_COPY = "COPY observations (series_pk, ts, y) FROM STDIN (FORMAT BINARY)"
_INSERT = "INSERT INTO observations (series_pk, ts, y) VALUES (?, ?, ?)"
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_ROW = np.dtype([("n", ">i2"), ("a", ">i4"), ("pk", ">i8"), ("b", ">i4"), ("ts", ">i8"), ("c", ">i4"), ("y", ">f8")])
"""three columns of eight bytes in PostgreSQL's binary format"""


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open a migrated database for a while."""
    address = make_url(url)
    database = Database(address)
    try:
        yield database
    finally:
        database.dispose()


def write_raw(url: str, table: SalesTable) -> float:
    """Write the rows into an empty database in one transaction, the quickest way it has; return the seconds."""
    with opened(url) as database:
        pks = _add_series(database, table.ids)
        sqlite = database.dialect == "sqlite"
        began = time.perf_counter()
        with database.write() as session:
            driver: Any = session.connection().connection.driver_connection
            if sqlite:
                _execute_many(driver, table, pks)
            else:
                _copy(driver, table, pks)
        return time.perf_counter() - began


def _add_series(database: Database, ids: Sequence[str]) -> Any:
    """Make the series; return their keys in order."""
    with database.write() as session:
        project = keys.get_default_scope(session).project_id
        fields: dict[str, Any] = {"project_id": project, "freq": "D", "timezone": "UTC", "labels": {}, "static": {}}
        rows = [SeriesRow(id=one, **fields) for one in ids]
        session.add_all(rows)
        session.flush()
        return np.array([row.pk for row in rows], np.int64)


def _copy(driver: Any, table: SalesTable, pks: Any) -> None:
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(_HEADER)
        for at in range(0, table.rows, ROWS_AT_ONCE):
            part = slice(at, at + ROWS_AT_ONCE)
            rows = np.empty(len(table.ts[part]), _ROW)
            rows["n"] = 3
            rows["a"] = rows["b"] = rows["c"] = 8
            rows["pk"] = pks[table.series[part]]
            rows["ts"] = table.ts[part]
            rows["y"] = table.y[part]
            copy.write(rows.tobytes())
        copy.write(_END)


def _execute_many(driver: Any, table: SalesTable, pks: Any) -> None:
    for at in range(0, table.rows, ROWS_AT_ONCE):
        part = slice(at, at + ROWS_AT_ONCE)
        columns = (pks[table.series[part]], table.ts[part], table.y[part])
        driver.executemany(_INSERT, list(zip(*(column.tolist() for column in columns), strict=True)))


def read_both_ways(url: str, table: SalesTable) -> tuple[float, float]:
    """Return the seconds of reading the table as training arrays, and of `fetchall` of the same query."""
    span = int(table.ts.min()), int(table.ts.max())
    arrays = tuples = 0.0
    with opened(url) as database:
        pks = _find_keys(database, table.ids)
        for at in range(0, len(pks), SERIES_AT_ONCE):
            part = pks[at : at + SERIES_AT_ONCE]
            expected = int(((table.series >= at) & (table.series < at + SERIES_AT_ONCE)).sum())
            # each in turn first, since the first to read warms the cache of the other
            for kind in ("arrays", "tuples") if at // SERIES_AT_ONCE % 2 else ("tuples", "arrays"):
                if kind == "arrays":
                    arrays += _read_arrays(database, part, span, expected)
                else:
                    tuples += _fetch_all(database, part, span, expected)
    return arrays, tuples


def _find_keys(database: Database, ids: Sequence[str]) -> list[int]:
    """Return the keys of series in the order of the ids."""
    with database.read() as session:
        found = {row.id: row.pk for row in session.execute(select(SeriesRow.id, SeriesRow.pk))}
    return [found[one] for one in ids]


def _read_arrays(database: Database, pks: Sequence[int], span: tuple[int, int], expected: int) -> float:
    began = time.perf_counter()
    with database.read() as session:
        points = load_points(session, dict.fromkeys(pks, span))
    seconds = time.perf_counter() - began
    if sum(len(one.ts) for one in points.values()) != expected:
        raise AssertionError("the arrays do not hold the rows of the table")
    return seconds


def _fetch_all(database: Database, pks: Sequence[int], span: tuple[int, int], expected: int) -> float:
    """Return the seconds of the driver's `fetchall`, without SQLAlchemy."""
    mark = "?" if database.dialect == "sqlite" else "%s"
    # keys and dates are our own integers, and there are too many to bind
    chosen = ",".join(map(str, pks))
    query = f"SELECT series_pk, ts, y FROM observations WHERE series_pk IN ({chosen}) AND ts BETWEEN {mark} AND {mark}"
    with database.read() as session:
        driver: Any = session.connection().connection.driver_connection
        began = time.perf_counter()
        cursor = driver.cursor()
        cursor.execute(f"{query} ORDER BY series_pk, ts", span)
        rows = cursor.fetchall()
        seconds = time.perf_counter() - began
        cursor.close()
    if len(rows) != expected:
        raise AssertionError("fetchall does not give the rows of the table")
    return seconds


def summarize(url: str) -> dict[str, tuple[int, int, int, float]]:
    """Return {id: (rows, first stamp, last stamp, sum of y)} of what is stored."""
    totals = (func.count(), func.min(Observation.ts), func.max(Observation.ts), func.sum(Observation.y))
    query = select(SeriesRow.id, *totals).join(Observation, Observation.series_pk == SeriesRow.pk)
    with opened(url) as database, database.read() as session:
        rows = session.execute(query.group_by(SeriesRow.id))
        return {one: (count, first, last, total or 0.0) for one, count, first, last, total in rows}


def count_written(url: str) -> int:
    """Return how many series hold rows, as others see it."""
    with opened(url) as database, database.read() as session:
        return session.execute(select(func.count()).where(SeriesRow.count > 0)).scalar_one()
