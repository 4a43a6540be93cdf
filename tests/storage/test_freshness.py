"""Whether what was remembered is still what is committed, asked in one statement."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from app.scope import Scope
from app.storage import jobs, keys, registry, revisions, series
from app.storage.engine import Database
from app.storage.freshness import CommittedState, Freshness, FreshnessKeys
from app.storage.tables import SeriesRow, VersionRow
from tests.services.held import Call

FIELDS: dict[str, Any] = {"freq": "h", "timezone": "UTC", "labels": {}, "static": {}}
NOTHING = CommittedState()


@pytest.fixture
def freshness(database: Database) -> Iterator[Freshness]:
    freshness = Freshness(database)
    yield freshness
    freshness.close()


@pytest.fixture
def scope(database: Database) -> Scope:
    with database.read() as session:
        return keys.get_default_scope(session)


def make_series(database: Database, scope: Scope, *ids: str) -> list[SeriesRow]:
    with database.write() as session:
        return series.add(session, scope, [{"id": i, **FIELDS} for i in ids])


def make_version(database: Database, scope: Scope, *, promoted: bool) -> VersionRow:
    with database.write() as session:
        model = registry.get(session, scope, "m") or registry.add(session, scope, "m", "h", 1, [0.5])
        fields: dict[str, Any] = {"promoted": promoted, "reason": "", "config": {}, "metrics": {}, "warnings": []}
        job = f"m{model.last_version}"
        jobs.add(session, scope, id=job, kind="train", model_pk=model.pk, model="m", request={})
        fields |= {"loss_curve": {}, "data_span": {}, "job_id": job, "artifact": "x", "digest": "y"}
        return registry.publish(session, model, fields)


def test_what_is_asked_for_is_told(database: Database, freshness: Freshness, scope: Scope) -> None:
    one, other = make_series(database, scope, "a", "b")
    first = make_version(database, scope, promoted=True)
    second = make_version(database, scope, promoted=False)
    with database.write() as session:
        key = keys.create(session, scope.project_id, "k", "gk_", hashlib.sha256(b"k").digest(), [])
        model = registry.get(session, scope, "m")
        assert model is not None
    assert freshness.query(FreshnessKeys()) == NOTHING
    found = freshness.query(FreshnessKeys({key.pk, 99}, {model.pk, 99}, {second.pk, 99}, {one.pk, 99}))
    assert found.keys == {key.pk}
    assert found.models == {model.pk: (model.created_at, first.pk, first.created_at, 0)}
    assert found.versions == {second.pk: (second.created_at, 0)}
    assert found.series == {(one.pk, one.created_at, 1)}
    assert freshness.query(FreshnessKeys(series={other.pk})).series == {(other.pk, other.created_at, 1)}


def test_a_write_and_a_deletion_are_told(database: Database, freshness: Freshness, scope: Scope) -> None:
    (row,) = make_series(database, scope, "a")
    question = FreshnessKeys(series={row.pk})
    with database.write() as session:
        found = series.get(session, scope, "a", lock=True)
        assert found is not None
        series.bump_version(session, found)
        assert freshness.query(question).series == {(row.pk, row.created_at, 1)}, "not before it is committed"
    assert freshness.query(question).series == {(row.pk, row.created_at, 2)}
    with database.write() as session:
        series.remove(session, scope, "a")
    assert freshness.query(question) == NOTHING


def test_a_series_made_again_was_made_at_another_time(database: Database, freshness: Freshness, scope: Scope) -> None:
    (before,) = make_series(database, scope, "a")
    with database.write() as session:
        series.remove(session, scope, "a")
    (after,) = make_series(database, scope, "a")
    ((pk, made_at, _),) = freshness.query(FreshnessKeys(series={before.pk, after.pk})).series
    assert pk == after.pk
    if database.dialect == "sqlite":
        assert before.pk == after.pk, "otherwise this test shows nothing"
    assert made_at == after.created_at != before.created_at


def test_a_revoked_key_lives_no_more(database: Database, freshness: Freshness, scope: Scope) -> None:
    with database.write() as session:
        pks = [
            keys.create(session, scope.project_id, n, "gk_", hashlib.sha256(n.encode()).digest(), []).pk for n in "ab"
        ]
    with database.write() as session:
        keys.revoke(session, pks[:1])
    assert freshness.query(FreshnessKeys(keys=set(pks))).keys == {pks[1]}


def test_another_champion_is_told(database: Database, freshness: Freshness, scope: Scope) -> None:
    unpromoted = make_version(database, scope, promoted=False)
    pk = unpromoted.model_pk
    assert freshness.query(FreshnessKeys(models={pk})).models[pk][1:] == (None, None, None), "no version is live"
    first = make_version(database, scope, promoted=True)
    assert freshness.query(FreshnessKeys(models={pk})).models[pk][1:] == (first.pk, first.created_at, 0)
    second = make_version(database, scope, promoted=True)
    assert freshness.query(FreshnessKeys(models={pk})).models[pk][1:] == (second.pk, second.created_at, 0)
    with database.write() as session:
        model = registry.get(session, scope, "m", lock=True)
        assert model is not None
        model.champion = first.number
    assert freshness.query(FreshnessKeys(models={pk})).models[pk][1:] == (first.pk, first.created_at, 0)
    with database.write() as session:
        session.delete(session.get(VersionRow, second.pk))
    assert freshness.query(FreshnessKeys(versions={first.pk, second.pk})).versions == {first.pk: (first.created_at, 0)}


def test_another_revision_is_told(database: Database, freshness: Freshness, scope: Scope) -> None:
    version = make_version(database, scope, promoted=True)
    question = FreshnessKeys(models={version.model_pk}, versions={version.pk})
    fields: dict[str, Any] = {"promoted": True, "reason": "", "metrics": {}, "data_end": None}
    with database.write() as session:
        row = session.get_one(VersionRow, version.pk)
        first = revisions.add(session, row, {**fields, "artifact": "z", "digest": "z"})
        assert freshness.query(question).versions[version.pk][1] == 0, "not before it is committed"
    told = freshness.query(question)
    assert (told.models[version.model_pk][3], told.versions[version.pk][1]) == (1, 1)
    with database.write() as session:
        row = session.get_one(VersionRow, version.pk)
        empty = revisions.add(session, row, fields)
    pinned = FreshnessKeys(revisions={first.pk, empty.pk, 999})
    assert freshness.query(pinned).revisions == {first.pk}, "one without files cannot serve"
    with database.write() as session:
        session.delete(session.get_one(VersionRow, version.pk))
    assert freshness.query(pinned).revisions == set()


def test_ten_thousand_of_each_are_asked_for_at_once(database: Database, freshness: Freshness, scope: Scope) -> None:
    rows = make_series(database, scope, *(f"s{k}" for k in range(100)))
    question = FreshnessKeys(
        *(set(range(1, 10_001)) for _ in range(3)), {row.pk for row in rows} | set(range(1, 10_001))
    )
    statements: list[str] = []
    if database.dialect == "sqlite":
        (connection,) = checked_out(database, freshness)
        connection.set_trace_callback(statements.append)
    found = freshness.query(question)
    assert len(found.series) == 100
    assert len(statements) == (database.dialect == "sqlite"), "there is no trace on PostgreSQL"


def checked_out(database: Database, freshness: Freshness) -> list[Any]:
    """Return the drivers' connections that it opens anew."""
    found: list[Any] = []
    freshness.close()

    @event.listens_for(database.engine, "checkout")
    def checkout(connection: Any, *_: Any) -> None:
        found.append(connection)

    freshness.query(FreshnessKeys())
    event.remove(database.engine, "checkout", checkout)
    return found


def test_threads_take_turns(database: Database, freshness: Freshness, scope: Scope) -> None:
    rows = make_series(database, scope, *(f"s{k}" for k in range(8)))
    calls = [Call(lambda row=row: [freshness.query(FreshnessKeys(series={row.pk})) for _ in range(20)]) for row in rows]  # type: ignore[misc]
    for row, call in zip(rows, calls, strict=True):
        assert all(found.series == {(row.pk, row.created_at, 1)} for found in call.result())


def test_it_holds_one_connection(database: Database, freshness: Freshness, scope: Scope) -> None:
    made: list[int] = []
    (row,) = make_series(database, scope, "a")
    freshness.query(FreshnessKeys(series={row.pk}))
    event.listen(database.engine, "checkout", lambda *_: made.append(1))
    for _ in range(10):
        freshness.query(FreshnessKeys(series={row.pk}))
    assert made == []
    freshness.close()
    assert freshness.query(FreshnessKeys(series={row.pk})).series == {(row.pk, row.created_at, 1)}, (
        "and opens another one"
    )


def test_the_statement_is_what_the_driver_takes(database: Database, freshness: Freshness) -> None:
    """SQLAlchemy keeps `positiontup`, and what a compiled statement's text looks like, to itself. They are read since
    the documented way to the driver costs several times as much as the statement; an upgrade that changes them has to
    fail here, and not as forecasts of the wrong series."""
    for statement in freshness._statements.values():
        names = ["keys", "models", "versions", "series", *(["revisions"] if "revisions" in statement.constants else [])]
        assert statement.constants.keys() >= set(names)
        if database.dialect == "sqlite":
            assert statement.positions is not None
            assert [name for name in statement.positions if name in names] == names
            assert len(statement.positions) == statement.sql.count("?")
        else:
            assert statement.positions is None, "the driver takes parameters by name"
            assert all(f"%({name})s" in statement.sql for name in statement.constants)
    assert "revisions" in freshness._statements[True].constants.keys() - freshness._statements[False].constants.keys()
    (driver,) = checked_out(database, freshness)
    for keys_asked in (FreshnessKeys({1}, {2}, {3}, {4}), FreshnessKeys({1}, {2}, {3}, {4}, {5})):
        statement = freshness._statements[bool(keys_asked.revisions)]
        assert list(driver.execute(statement.sql, freshness._bind(keys_asked, statement))) == []


@pytest.mark.one_database("postgresql")
def test_a_server_that_forgets_what_was_prepared_is_asked_again(
    database: Database, freshness: Freshness, scope: Scope
) -> None:
    (row,) = make_series(database, scope, "a")
    (connection,) = checked_out(database, freshness)
    question = FreshnessKeys(series={row.pk})
    for _ in range(10):  # the driver prepares what it is asked often
        freshness.query(question)
    prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared[0] >= 1, "otherwise this test shows nothing"
    connection.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
    assert freshness.query(question).series == {(row.pk, row.created_at, 1)}


def test_a_fault_that_is_no_outage_is_told_as_one_of_the_database(
    database: Database, freshness: Freshness, scope: Scope
) -> None:
    make_series(database, scope, "a")
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE series RENAME TO elsewhere"))
    with pytest.raises(DBAPIError, match="series"):
        freshness.query(FreshnessKeys(series={1}))
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO series"))
    assert len(freshness.query(FreshnessKeys(series={1})).series) == 1


@pytest.mark.one_database("postgresql")
def test_a_connection_that_was_killed_is_replaced(database: Database, freshness: Freshness, scope: Scope) -> None:
    (row,) = make_series(database, scope, "a")
    for _ in range(2):
        assert freshness.query(FreshnessKeys(series={row.pk})).series == {(row.pk, row.created_at, 1)}
        with database.read() as session:
            others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
            killed = session.execute(text(f"{others} AND pid <> pg_backend_pid()")).scalar_one()
        assert killed >= 1
    assert freshness.query(FreshnessKeys(series={row.pk})).series == {(row.pk, row.created_at, 1)}
