"""Bulk writing on SQLite: prepared statements of many rows. The driver stores NaN as NULL."""

import json
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.storage.bulk_cells import BOOKKEEPING, Bookkept, Cells, find_spans
from app.storage.dialects import use_driver
from models.arrays import Ints

_MANY = 51_200
"""rows of one call of the driver"""
_TOGETHER = 8
"""rows of one statement, a divisor of _MANY: half as fast again as one each; 64 would be faster still, but other
threads get the interpreter only between statements, and forecasts wait"""
_DENSE = 4
"""rows read for each that may be there, up to which a range is read instead of one row after the other"""
_COUNT_IN_SPANS = """SELECT s.pk, (
    SELECT count(*) FROM (SELECT 1 FROM observations o WHERE o.series_pk = s.pk AND o.ts BETWEEN s.first AND s.last
    LIMIT :most)
) FROM (
    SELECT json_extract(value, '$[0]') AS pk, json_extract(value, '$[1]') AS first, json_extract(value, '$[2]') AS last
    FROM json_each(:spans)
) s"""
_SELECT_SPAN = "SELECT ts FROM observations WHERE series_pk = ? AND ts BETWEEN ? AND ?"
_SELECT_ONE = "SELECT 1 FROM observations WHERE series_pk = ? AND ts = ?"


def write(session: Session, cells: Cells, *, keep: bool) -> dict[int, int]:
    """Upsert cells; return {series_pk: how many of its stamps had a row already}, which nobody asks of covariates."""
    with use_driver(session) as driver:
        existing = _count_existing(driver, cells) if cells.covariate_pk is None else {}
        many = len(cells.pk) - len(cells.pk) % _TOGETHER
        _insert(driver, cells.select(slice(0, many)), _TOGETHER, keep=keep)
        _insert(driver, cells.select(slice(many, None)), 1, keep=keep)
    return existing


def _insert(driver: Any, cells: Cells, together: int, *, keep: bool) -> None:
    """Upsert cells by statements of so many rows, which divide their number."""
    width = len(cells.arrays)
    marks = ", ".join([f"({', '.join('?' * width)})"] * together)
    statement = f"""INSERT INTO {cells.table} ({cells.columns}) VALUES {marks}
{cells.replacement(keep=keep)}"""  # noqa: S608 - names of this package alone
    step = together * width
    for at in range(0, len(cells.pk), _MANY):
        part = cells.select(slice(at, at + _MANY))
        values: list[Any] = [None] * (len(part.pk) * width)
        for column, array in enumerate(part.arrays):
            values[column::width] = array.tolist()
        driver.executemany(statement, (values[start : start + step] for start in range(0, len(values), step)))


def _count_existing(driver: Any, cells: Cells) -> dict[int, int]:
    """Return {series_pk: how many of its stamps have a row}, without series that have none."""
    series, first, last = find_spans(cells.pk, cells.ts)
    starts = np.searchsorted(cells.pk, series)
    ends = np.append(starts[1:], len(cells.pk))
    most = _DENSE * int((ends - starts).max())
    spans = json.dumps(np.stack([series, first, last], axis=1).tolist())
    existing: dict[int, int] = {}
    for pk, count in driver.execute(_COUNT_IN_SPANS, {"spans": spans, "most": most}):
        at = int(np.searchsorted(series, pk))
        stamps = cells.ts[starts[at] : ends[at]]
        if count and len(stamps) > 1:
            count = _count_stamps(driver, pk, stamps, is_dense=count < most)
        if count:
            existing[pk] = count
    return existing


def _count_stamps(driver: Any, pk: int, stamps: Ints, *, is_dense: bool) -> int:
    """Return how many of a series' ascending stamps (N,) have a row; `is_dense` reads all rows between them."""
    if not is_dense:
        return sum(driver.execute(_SELECT_ONE, (pk, ts)).fetchone() is not None for ts in stamps.tolist())
    between = driver.execute(_SELECT_SPAN, (pk, int(stamps[0]), int(stamps[-1])))
    stored = np.fromiter((ts for (ts,) in between), np.int64)
    return int(np.isin(stamps, stored, assume_unique=True).sum())


def remove(session: Session, cells: Cells) -> None:
    """Delete the rows of a covariate's cells, whatever their values."""
    statement = "DELETE FROM covariate_values WHERE series_pk = ? AND ts = ? AND covariate_pk = ?"
    with use_driver(session) as driver:
        driver.executemany(statement, zip(cells.pk.tolist(), cells.ts.tolist(), repeat(cells.covariate_pk)))


def update_series(session: Session, rows: Sequence[Bookkept]) -> None:
    """Store what a write changes of series: their rows, bounds, anchors and versions."""
    assigned = ", ".join(f"{name} = ?" for name in BOOKKEEPING)
    statement = f"UPDATE series SET {assigned} WHERE pk = ?"  # noqa: S608 - names of this package alone
    with use_driver(session) as driver:
        driver.executemany(statement, ([getattr(row, name) for name in (*BOOKKEEPING, "pk")] for row in rows))
