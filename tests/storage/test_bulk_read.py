"""Bulk reads give what a statement over the same rows gives."""

import threading
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.storage import bulk, bulk_read, covariates, keys
from app.storage.bulk import BulkPoints, BulkValues
from app.storage.engine import Database
from app.storage.tables import Covariate, SeriesRow
from tests.storage.test_bulk import make_series

STEPS = 2500
"""rows of a series, more than are objects at a time on SQLite"""


def fill(database: Database) -> tuple[list[SeriesRow], list[Covariate]]:
    """Make a series with every third value missing, a sparse one, and one without rows; two covariates."""
    ts = np.arange(STEPS)
    with database.write() as session:
        rows = make_series(session, 3)
        scope = keys.get_default_scope(session)
        kinds = {"temp": "numeric", "day": "categorical"}
        known = [covariates.add_covariate(session, scope, name, kind) for name, kind in kinds.items()]
        pk = np.full(STEPS, rows[0].pk)
        bulk.upsert_points(session, rows, BulkPoints(pk, ts, np.where(ts % 3 == 0, np.nan, ts / 7)))
        bulk.upsert_points(session, rows, BulkPoints(pk[:2] * 0 + rows[1].pk, np.array([-5, 2**60]), np.zeros(2)))
        bulk.upsert_values(session, known[0], BulkValues(pk, ts, ts / 3))
        bulk.upsert_values(session, known[1], BulkValues(pk, ts, np.array([f"dü{t % 7}" for t in ts], object)))
        # older releases kept rows of missing values
        session.execute(text("UPDATE covariate_values SET value = NULL, level = NULL WHERE ts = 1"))
    return rows, known


def test_points_of_any_span(database: Database) -> None:
    rows, _ = fill(database)
    spans = {rows[0].pk: (1, STEPS), rows[1].pk: (-(2**62), 2**62), rows[2].pk: (0, 5)}
    with database.read() as session:
        points = bulk_read.load_points(session, spans)
        assert bulk_read.load_points(session, {}) == {}
    ts = np.arange(1, STEPS)
    assert points[rows[0].pk].ts.tolist() == ts.tolist()
    assert np.array_equal(points[rows[0].pk].y, np.where(ts % 3 == 0, np.nan, ts / 7), equal_nan=True)
    assert points[rows[1].pk].ts.tolist() == [-5, 2**60]
    assert (len(points[rows[2].pk].ts), points[rows[2].pk].y.dtype) == (0, np.float64)
    assert all(p.ts.dtype == np.int64 and p.y.flags.writeable for p in points.values())


def test_covariates_of_any_span(database: Database) -> None:
    rows, known = fill(database)
    spans = {rows[0].pk: (1, 2000), rows[1].pk: (0, 9)}
    with database.read() as session:
        found = bulk_read.load_covariate_points(session, spans, known)
        assert bulk_read.load_covariate_points(session, spans, []) == {rows[0].pk: {}, rows[1].pk: {}}
    assert found[rows[1].pk] == {}
    temp, day = (found[rows[0].pk][name] for name in ("temp", "day"))
    assert sorted(temp.ts.tolist()) == list(range(1, 2001))
    assert np.array_equal(temp.values, np.where(temp.ts == 1, np.nan, temp.ts / 3), equal_nan=True)
    wanted: list[Any] = [None if t == 1 else f"dü{t % 7}" for t in day.ts.tolist()]
    assert day.values.tolist() == wanted
    assert (temp.values.dtype, day.values.dtype) == (np.float64, object)


def test_a_read_is_one_snapshot_while_others_write(database: Database) -> None:
    rows, _ = fill(database)
    spans = {rows[0].pk: (0, STEPS)}

    def write() -> None:
        with database.write() as session:
            row = session.get(SeriesRow, rows[0].pk, with_for_update=True)
            assert row is not None
            bulk.upsert_points(session, [row], BulkPoints(np.array([row.pk]), np.array([STEPS]), np.ones(1)))

    with database.read() as session:
        assert len(bulk_read.load_points(session, spans)[rows[0].pk].ts) == STEPS
        writer = threading.Thread(target=write)
        writer.start()
        writer.join()
        assert len(bulk_read.load_points(session, spans)[rows[0].pk].ts) == STEPS
    with database.read() as session:
        assert len(bulk_read.load_points(session, spans)[rows[0].pk].ts) == STEPS + 1


@pytest.mark.one_database("postgresql")
def test_a_lost_server_is_an_outage(database: Database) -> None:
    def read() -> None:
        with database.read() as session, database.write() as other:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            bulk_read.load_points(session, {1: (0, 1)})

    with pytest.raises(OperationalError):
        read()
