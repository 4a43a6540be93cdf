"""Counts of requests: a caller's in a minute, a project's in a month."""

from datetime import UTC, datetime

from sqlalchemy import update

from app.scope import Right, Scope
from app.services.access.request_counts import RequestCounter
from app.storage import keys
from app.storage.engine import Database
from app.storage.tables import Project


def scope_of(database: Database, key: int) -> Scope:
    with database.read() as session:
        project = keys.get_default_scope(session).project_id
    return Scope(project, frozenset(Right), "key k", key)


def test_months_are_added_up_over_processes_and_minutes_are_not(database: Database) -> None:
    ann, ben = scope_of(database, 1), scope_of(database, 2)
    first, second = RequestCounter(database), RequestCounter(database)
    for _ in range(3):
        first.add(ann)
    first.add(ben)
    second.add(ann)
    assert (first.count_minute(ann), first.count_minute(ben), second.count_minute(ann)) in [(3, 1, 1), (0, 0, 0)]
    assert (first.count_month(ann), second.count_month(ann)) == (4, 1)
    first.close()
    assert second.count_month(ben) == 5
    second.close()
    assert RequestCounter(database).count_month(ann) == 5


def test_a_new_month_begins_at_nothing(database: Database) -> None:
    ann = scope_of(database, 1)
    now = datetime.now(UTC)
    with database.write() as session:
        session.execute(update(Project).values(requests=7, requests_month=100 * now.year - 88 + now.month))
    counter = RequestCounter(database)
    assert counter.count_month(ann) == 0
    counter.add(ann)
    counter.close()
    assert RequestCounter(database).count_month(ann) == 1
