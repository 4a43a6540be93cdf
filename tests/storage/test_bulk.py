"""Bulk writes leave what row after row would leave, whichever way they take."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.storage import bulk, bulk_postgresql, covariates, keys, series
from app.storage.bulk import BulkPoints, BulkValues
from app.storage.engine import Database
from app.storage.tables import CovariateValue, Observation, SeriesRow
from tests.storage.test_observations import FIELDS

Write = tuple[bool, dict[tuple[int, int], float | None]]
"""whether missing values leave stored ones, and values by series and stamp"""
WRITES = st.lists(
    st.tuples(
        st.booleans(),
        st.dictionaries(
            st.tuples(st.integers(0, 2), st.integers(0, 12)),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            max_size=20,
        ),
    ),
    max_size=5,
)


def make_series(session: Session, count: int) -> list[SeriesRow]:
    scope = keys.get_default_scope(session)
    session.execute(text("DELETE FROM series"))
    return series.add(session, scope, [{"id": f"{i:05}", **FIELDS} for i in range(count)])


def to_arrays(rows: Sequence[SeriesRow], values: dict[tuple[int, int], Any]) -> tuple[Any, Any, list[Any]]:
    ordered = sorted(values)
    return (
        np.array([rows[at].pk for at, _ in ordered], np.int64),
        np.array([ts for _, ts in ordered], np.int64),
        [values[key] for key in ordered],
    )


@pytest.mark.parametrize("few", [0, 500])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES)
def test_points_are_those_of_row_after_row(
    database: Database, few: int, monkeypatch: pytest.MonkeyPatch, writes: list[Write]
) -> None:
    monkeypatch.setattr(bulk_postgresql, "FEW", few)
    stored: dict[tuple[int, int], float | None] = {}
    versions = [1, 1, 1]
    with database.write() as session:
        rows = make_series(session, 3)
        for keep, values in writes:
            pk, ts, y = to_arrays(rows, values)
            found = bulk.upsert_points(session, rows, BulkPoints(pk, ts, np.array(y, np.float64)), keep=keep)
            assert found == (len(values.keys() - stored.keys()), len(values.keys() & stored.keys()))
            for key, value in values.items():
                stored[key] = stored.get(key) if keep and value is None else value
            versions = [version + any(at == i for at, _ in values) for i, version in enumerate(versions)]
    with database.write() as session:
        query = select(Observation.series_pk, Observation.ts, Observation.y)
        assert {(pk, ts): y for pk, ts, y in session.execute(query)} == {
            (rows[at].pk, ts): y for (at, ts), y in stored.items()
        }
        for at, row in enumerate(session.execute(select(SeriesRow).order_by(SeriesRow.id)).scalars()):
            observed = [ts for (i, ts), y in stored.items() if i == at and y is not None]
            assert row.count == sum(i == at for i, _ in stored)
            assert (row.first_ts, row.last_ts) == (min(observed, default=None), max(observed, default=None))
            assert row.version == versions[at]
            assert (rows[at].count, rows[at].last_ts, rows[at].version) == (row.count, row.last_ts, row.version)


@pytest.mark.parametrize("few", [0, 500])
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES)
def test_covariates_are_those_of_row_after_row(
    database: Database, few: int, kind: str, monkeypatch: pytest.MonkeyPatch, writes: list[Write]
) -> None:
    monkeypatch.setattr(bulk_postgresql, "FEW", few)
    stored: dict[tuple[int, int], Any] = {}
    is_text = kind == "categorical"
    with database.write() as session:
        session.execute(text("DELETE FROM covariates"))
        rows = make_series(session, 3)
        scope = keys.get_default_scope(session)
        other = covariates.add_covariate(session, scope, "other", "numeric")
        covariate = covariates.add_covariate(session, scope, "c", kind)
        full = BulkValues(np.full(13, rows[0].pk), np.arange(13), np.ones(13))
        bulk.upsert_values(session, other, full)
        for keep, numbers in writes:
            values = {key: f"ü{n}" if is_text and n is not None else n for key, n in numbers.items()}
            pk, ts, column = to_arrays(rows, values)
            array = np.array(column, object if is_text else np.float64)
            bulk.upsert_values(session, covariate, BulkValues(pk, ts, array), keep=keep)
            stored |= {key: value for key, value in values.items() if value is not None}
            for key in [key for key, value in values.items() if value is None and not keep]:
                stored.pop(key, None)
    with database.read() as session:
        table = CovariateValue
        query = select(table.series_pk, table.ts, table.level if is_text else table.value)
        found = session.execute(query.where(table.covariate_pk == covariate.pk))
        assert {(pk, ts): value for pk, ts, value in found} == {(rows[at].pk, ts): v for (at, ts), v in stored.items()}
        assert len(session.execute(query.where(table.covariate_pk == other.pk)).all()) == 13


def test_a_large_write_and_what_overlaps_it(database: Database) -> None:
    """More rows than one statement takes: new series, new stamps of known ones, and stamps that are there."""
    days = np.arange(300)
    with database.write() as session:
        rows = make_series(session, 200)
        pk = np.repeat([row.pk for row in rows], 300)
        y = np.where(np.arange(60_000) % 7 == 0, np.nan, np.arange(60_000.0))
        known = pk <= rows[149].pk
        first = BulkPoints(pk[known], np.tile(days, 150), y[known])
        assert bulk.upsert_points(session, rows[:150], first) == (45_000, 0)
        shift = np.where(pk <= rows[99].pk, 300, 150)  # the first hundred go on, fifty overlap, fifty are new
        second = BulkPoints(pk, np.tile(days, 200) + shift, y)
        assert bulk.upsert_points(session, rows, second) == (52_500, 7500)
        assert bulk.upsert_points(session, rows, second) == (0, 60_000)
        assert [rows[at].count for at in (0, 99, 100, 149, 150)] == [600, 600, 450, 450, 300]
        assert {row.version for row in rows[:150]} == {4}
        assert {row.version for row in rows[150:]} == {3}
        count = session.execute(text("SELECT count(*), count(y) FROM observations")).one()
        assert count[0] == 97_500
        assert count[0] == sum(row.count for row in rows)


def test_few_points_far_apart_in_a_long_series(database: Database) -> None:
    with database.write() as session:
        (row,) = make_series(session, 1)
        bulk.upsert_points(session, [row], BulkPoints(np.full(5000, row.pk), np.arange(0, 10_000, 2), np.ones(5000)))
        points = BulkPoints(np.full(4, row.pk), np.array([0, 1, 5000, 20_000]), np.zeros(4))
        assert bulk.upsert_points(session, [row], points) == (2, 2)
        assert row.count == 5002


def test_extremes(database: Database) -> None:
    stamps = np.array([-(2**62), 0, 2**62])
    y = np.array([np.finfo(np.float64).max, -0.0, 5e-324])
    with database.write() as session:
        (row,) = make_series(session, 1)
        assert bulk.upsert_points(session, [row], BulkPoints(np.full(3, row.pk), stamps, y)) == (3, 0)
        nothing = np.empty(0, np.int64)
        assert bulk.upsert_points(session, [row], BulkPoints(nothing, nothing, np.empty(0))) == (0, 0)
        assert (row.first_ts, row.last_ts, row.version) == (-(2**62), 2**62, 2)
        found = session.execute(select(Observation.ts, Observation.y).order_by(Observation.ts))
        assert [(ts, value) for ts, value in found] == list(zip(stamps.tolist(), y.tolist(), strict=True))


def test_an_anchor_is_stored_with_the_points_and_touch_alone_counts_up(database: Database) -> None:
    with database.write() as session:
        rows = make_series(session, 3)
        rows[0].anchor = 5
        bulk.upsert_points(session, rows, BulkPoints(np.array([rows[0].pk]), np.array([5]), np.array([1.0])))
        bulk.touch(session, rows[:2])
        assert not session.dirty or not any(session.is_modified(row) for row in rows)
    with database.read() as session:
        found = session.execute(select(SeriesRow.anchor, SeriesRow.version).order_by(SeriesRow.id))
        assert [(anchor, version) for anchor, version in found] == [(5, 3), (None, 2), (None, 1)]


def test_writers_of_the_same_series_take_turns(database: Database) -> None:
    with database.write() as session:
        scope = keys.get_default_scope(session)
        make_series(session, 20)
    failures: list[Exception] = []

    def work(number: int) -> None:
        order = [f"{i:05}" for i in range(20)][:: 1 if number % 2 else -1]
        try:
            for turn in range(5):
                with database.write() as session:
                    rows = list(series.get_many(session, scope, order, lock=True).values())
                    pk = np.repeat([row.pk for row in rows], 2)
                    ts = np.tile([number * 10 + turn, 1000 + turn], 20)
                    bulk.upsert_points(session, rows, BulkPoints(pk, ts, np.full(40, float(number))))
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        rows = session.execute(select(SeriesRow)).scalars().all()
        assert {(row.count, row.version, row.last_ts) for row in rows} == {(25, 21, 1004)}


@pytest.mark.one_database("postgresql")
def test_rows_are_looked_up_by_their_keys(database: Database) -> None:
    """However many rows are given, the table is never scanned as a whole."""
    with database.write() as session:
        rows = make_series(session, 100)
        covariate = covariates.add_covariate(session, keys.get_default_scope(session), "c", "numeric")
        pk = np.repeat([row.pk for row in rows], 600)
        ts = np.tile(np.arange(600), 100)
        bulk.upsert_points(session, rows, BulkPoints(pk, ts, np.ones(60_000)))
        bulk.upsert_values(session, covariate, BulkValues(pk, ts, np.ones(60_000)))
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE observations, covariate_values"))
    with database.write() as session:
        bulk.upsert_points(session, rows, BulkPoints(pk, ts, np.ones(60_000)))
        bulk.upsert_values(session, covariate, BulkValues(pk, ts, np.ones(60_000)))
        bulk.upsert_values(session, covariate, BulkValues(pk, ts, np.full(60_000, np.nan)))
        scans = dict(session.execute(text("SELECT relname, seq_scan FROM pg_stat_xact_user_tables")).all())
        assert (scans["observations"], scans["covariate_values"]) == (0, 0)


@pytest.mark.one_database("postgresql")
@pytest.mark.parametrize("few", [0, 500])
def test_a_lost_server_is_an_outage(database: Database, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_postgresql, "FEW", few)
    with database.write() as session:
        (row,) = make_series(session, 1)

    def write() -> None:
        with database.write() as session, database.write() as other:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            bulk.upsert_points(session, [row], BulkPoints(np.array([row.pk]), np.array([5]), np.array([1.0])))

    with pytest.raises(OperationalError):
        write()
