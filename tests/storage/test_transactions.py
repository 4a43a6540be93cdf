"""Reads see one snapshot, writes wait for each other, and a failure leaves nothing."""

import threading

import pytest
from sqlalchemy import func, select

from app.storage import keys, leases, series
from app.storage.engine import Database
from app.storage.tables import SeriesRow, WorkerLease

FIELDS = {"freq": "h", "timezone": "UTC", "labels": {}, "static": {}}


def test_a_read_is_one_snapshot(database: Database) -> None:
    with database.read() as reader:
        scope = keys.get_default_scope(reader)
        assert series.get(reader, scope, "a") is None
        with database.write() as writer:
            series.add(writer, scope, [{"id": "a", **FIELDS}])
        assert series.get(reader, scope, "a") is None
    with database.read() as reader:
        assert series.get(reader, scope, "a") is not None


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            series.add(session, keys.get_default_scope(session), [{"id": "a", **FIELDS}])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(SeriesRow)).scalar_one() == 0


def test_many_writers_lose_nothing(database: Database) -> None:
    """Eight threads count one series' version up; read-modify-write without a lock would lose some."""
    with database.write() as session:
        scope = keys.get_default_scope(session)
        series.add(session, scope, [{"id": "a", **FIELDS}])
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(10):
                with database.write() as session:
                    row = series.get(session, scope, "a", lock=True)
                    assert row is not None
                    row.count += 1
                    series.bump_version(session, row)
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        row = series.get(session, scope, "a")
        assert row is not None
        assert (row.version, row.count) == (81, 80)


def test_leases_expire_by_the_databases_clock(database: Database) -> None:
    with database.write() as session:
        leases.renew(session, "alive", "host", ["cpu"], 60)
        leases.renew(session, "silent", "host", ["gpu"], -1)
        leases.renew(session, "forgotten", "host", ["cpu"], -7200)
    with database.write() as session:
        leases.renew(session, "alive", "host", ["cpu"], 60)
    with database.read() as session:
        assert leases.list_living(session) == {"alive"}
        assert leases.list_served_queues(session) == {"cpu"}
        assert set(session.execute(select(WorkerLease.executor_id)).scalars()) == {"alive", "silent"}


def test_labels_select_in_both_dialects(database: Database) -> None:
    with database.write() as session:
        scope = keys.get_default_scope(session)
        labelled = {"a": {"k": "1", "q\"uo'te.": "x"}, "b": {"k": "1"}, "c": {"k": "2"}}
        series.add(session, scope, [{**FIELDS, "id": i, "labels": found} for i, found in labelled.items()])
    with database.read() as session:
        assert series.select_ids(session, scope, [("k", "1")]) == ["a", "b"]
        assert series.select_ids(session, scope, [("k", "1"), ("q\"uo'te.", "x")]) == ["a"]
        assert series.select_ids(session, scope, [("k", "1"), ("k", "2")]) == []
        assert series.select_ids(session, scope, []) == ["a", "b", "c"]
