"""Queries of alerts, of their states, and of the messages that they made.

Whoever writes evidence wakes the alerts that read it, in the same transaction: their `due_at` becomes the present.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.scope import Scope, storable
from app.storage.clock import now_us
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import AlertDelivery, AlertEvent, AlertRow, AlertState, JobRow

DAY_US = 86_400_000_000
CHUNK = 500
"""rows of one statement"""
OF_MODELS = ("forecast", "anomaly", "drift")
"""subjects that need a model"""
OF_FORECASTS = ("forecast", "drift")
"""subjects that a job of the kind `forecast` brings evidence of"""


def get(session: Session, scope: Scope, name: str, *, lock: bool = False) -> AlertRow | None:
    """Return one alert; `lock` keeps other writers of it out until the transaction ends."""
    if not storable(name):
        return None
    query = select(AlertRow).where(AlertRow.project_id == scope.project_id, AlertRow.name == name)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def list_page(session: Session, scope: Scope, cursor: str | None, limit: int) -> Page[AlertRow]:
    """Return alerts in the order of their names. Raises CursorError."""
    query = select(AlertRow).where(AlertRow.project_id == scope.project_id).order_by(AlertRow.name).limit(limit + 1)
    if cursor is not None:
        query = query.where(AlertRow.name > decode_cursor(cursor, str)[0])
    rows = list(session.execute(query).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].name) if len(rows) > limit else None)


def count(session: Session, scope: Scope) -> int:
    """Return how many alerts a project has."""
    query = select(func.count()).select_from(AlertRow).where(AlertRow.project_id == scope.project_id)
    return session.execute(query).scalar_one()


def add(session: Session, scope: Scope, **fields: Any) -> AlertRow:
    """Insert an alert that is due at once. Raises sqlalchemy.exc.IntegrityError where the name exists."""
    row = AlertRow(project_id=scope.project_id, due_at=now_us(), **fields)
    session.add(row)
    session.flush()
    return row


def remove(session: Session, scope: Scope, name: str) -> bool:
    """Delete an alert with its states, messages and deliveries; False where there is none."""
    deleted = session.execute(
        delete(AlertRow).where(AlertRow.project_id == scope.project_id, AlertRow.name == name).returning(AlertRow.pk)
    )
    return deleted.scalar_one_or_none() is not None


def wake(session: Session, scope: Scope, subjects: Collection[str], model: str) -> None:
    """Make the alerts of a model on some subjects due at once: there is new evidence."""
    session.execute(
        update(AlertRow)
        .where(AlertRow.project_id == scope.project_id, AlertRow.subject.in_(subjects), AlertRow.model == model)
        .values(due_at=now_us())
    )


def wake_for_job(session: Session, job_id: str) -> None:
    """Make the alerts due at once that the end of a job is evidence for."""
    same_model = AlertRow.model == JobRow.model
    on_jobs = (AlertRow.subject == "job") & or_(AlertRow.model.is_(None), same_model)
    on_forecasts = AlertRow.subject.in_(OF_FORECASTS) & same_model & (JobRow.kind == "forecast")
    job = exists().where(JobRow.id == job_id, JobRow.project_id == AlertRow.project_id, or_(on_jobs, on_forecasts))
    session.execute(update(AlertRow).where(job).values(due_at=now_us()).execution_options(synchronize_session=False))


def list_due(session: Session, limit: int) -> list[AlertRow]:
    """Return alerts of all projects that are due by the database's clock, the longest due first."""
    query = select(AlertRow).where(AlertRow.due_at <= now_us()).order_by(AlertRow.due_at).limit(limit)
    return list(session.execute(query).scalars())


def lock_unchanged(session: Session, read: AlertRow) -> AlertRow | None:
    """Lock an alert to write a result; None where its rule, or what it has seen, is not as it was read."""
    query = select(AlertRow).where(
        AlertRow.pk == read.pk,
        AlertRow.revision == read.revision,
        AlertRow.seen.is_not_distinct_from(read.seen),
    )
    return session.execute(query.with_for_update()).scalar_one_or_none()


def postpone(session: Session, row: AlertRow, seconds: float) -> None:
    """Make a due alert due again later, after an evaluation that failed."""
    session.execute(update(AlertRow).where(AlertRow.pk == row.pk).values(due_at=now_us() + int(seconds * 1_000_000)))


def list_states(session: Session, row: AlertRow) -> dict[str, AlertState]:
    """Return {key: state} of an alert, where its condition holds or it is firing."""
    query = select(AlertState).where(AlertState.alert_pk == row.pk)
    return {state.key: state for state in session.execute(query).scalars()}


def count_firing(session: Session, rows: Sequence[AlertRow]) -> dict[int, tuple[int, int | None]]:
    """Return {alert_pk: number of states that are firing, since when the first is} of the alerts that are."""
    query = (
        select(AlertState.alert_pk, func.count(), func.min(AlertState.since))
        .where(AlertState.alert_pk.in_([row.pk for row in rows]), AlertState.firing)
        .group_by(AlertState.alert_pk)
    )
    return {pk: (number, since) for pk, number, since in session.execute(query)}


def find_last_change(session: Session, rows: Sequence[AlertRow]) -> dict[int, int]:
    """Return {alert_pk: time of its newest message that was no test} of the alerts that have one."""
    query = (
        select(AlertEvent.alert_pk, func.max(AlertEvent.at).label("at"))
        .where(AlertEvent.alert_pk.in_([row.pk for row in rows]), AlertEvent.state != "test")
        .group_by(AlertEvent.alert_pk)
    )
    return {row.alert_pk: row.at for row in session.execute(query)}


def add_event(session: Session, row: AlertRow, **fields: Any) -> AlertEvent:
    """Insert a message of an alert, with a delivery that is due at once to each of its receivers.

    A message that says that something is resolved ends the repetition of the one that said that it fires.
    """
    event = AlertEvent(id=uuid.uuid4().hex, project_id=row.project_id, alert_pk=row.pk, **fields)
    session.add(event)
    session.flush()
    if event.state == "resolved":
        session.execute(
            update(AlertDelivery)
            .where(
                AlertDelivery.alert_pk == row.pk,
                AlertDelivery.key == event.key,
                AlertDelivery.delivered_at.is_not(None),
            )
            .values(due_at=None)
        )
    for target in row.targets:
        session.add(
            AlertDelivery(
                project_id=row.project_id,
                alert_pk=row.pk,
                event_pk=event.pk,
                key=event.key,
                kind=target["kind"],
                url=target["url"],
                due_at=now_us(),
            )
        )
    session.flush()
    return event


def list_events(session: Session, row: AlertRow, cursor: str | None, limit: int) -> Page[AlertEvent]:
    """Return the messages of an alert, newest first. Raises CursorError."""
    query = select(AlertEvent).where(AlertEvent.alert_pk == row.pk).order_by(AlertEvent.pk.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(AlertEvent.pk < decode_cursor(cursor, int)[0])
    rows = list(session.execute(query).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].pk) if len(rows) > limit else None)


def list_deliveries(session: Session, events: Sequence[AlertEvent]) -> dict[int, list[AlertDelivery]]:
    """Return {event_pk: its deliveries, in the order of the receivers}."""
    query = (
        select(AlertDelivery)
        .where(AlertDelivery.event_pk.in_([event.pk for event in events]))
        .order_by(AlertDelivery.pk)
    )
    deliveries: dict[int, list[AlertDelivery]] = {event.pk: [] for event in events}
    for delivery in session.execute(query).scalars():
        deliveries[delivery.event_pk].append(delivery)
    return deliveries


def delete_old_events(session: Session, days: float, most: int) -> int:
    """Delete at most `most` messages that are older than so many days and need no delivery; return how many."""
    undelivered = exists().where(AlertDelivery.event_pk == AlertEvent.pk, AlertDelivery.due_at.is_not(None))
    old: ColumnElement[bool] = AlertEvent.at < now_us() - int(days * DAY_US)
    pks = list(session.execute(select(AlertEvent.pk).where(old, ~undelivered).limit(most)).scalars())
    for start in range(0, len(pks), CHUNK):
        session.execute(delete(AlertEvent).where(AlertEvent.pk.in_(pks[start : start + CHUNK])))
    return len(pks)


def write_states(
    session: Session, row: AlertRow, states: Mapping[str, Mapping[str, Any]], ended: Collection[str]
) -> None:
    """Set the states {key: fields} of an alert, and delete those that have ended."""
    for key, fields in states.items():
        session.merge(AlertState(alert_pk=row.pk, key=key, **fields))
    keys = list(ended)
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        session.execute(delete(AlertState).where(AlertState.alert_pk == row.pk, AlertState.key.in_(part)))
    session.flush()
