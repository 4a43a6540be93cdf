"""Queries of deliveries of alerts. Whoever moves the due time of one on has the right to send it until then."""

from dataclasses import dataclass

from sqlalchemy import case, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from app.storage.clock import now_us
from app.storage.tables import AlertDelivery, AlertEvent, AlertRow

MOST_OF_RECEIVER = 4
"""deliveries of one alert to one receiver that are claimed at once, so that others have their turn"""


@dataclass(frozen=True)
class Claim:
    """A delivery that nobody else may send until `until`, by the database's clock."""

    delivery: AlertDelivery
    event: AlertEvent
    alert: AlertRow
    until: int


def has_due(session: Session) -> bool:
    """Say whether a delivery is due by the database's clock."""
    query = select(AlertDelivery.pk).where(AlertDelivery.due_at <= now_us())
    return session.execute(query.limit(1)).scalar_one_or_none() is not None


def claim(session: Session, limit: int, lease_us: int) -> list[Claim]:
    """Claim due deliveries of all projects, the longest due first.

    Messages of one alert about one series reach a receiver in their order: a later one waits for an earlier one.
    """
    earlier = aliased(AlertDelivery)
    waits = exists().where(
        earlier.alert_pk == AlertDelivery.alert_pk,
        earlier.key == AlertDelivery.key,
        earlier.url == AlertDelivery.url,
        earlier.pk < AlertDelivery.pk,
        earlier.due_at.is_not(None),
        earlier.delivered_at.is_(None),
    )
    rank = func.row_number().over(
        partition_by=(AlertDelivery.alert_pk, AlertDelivery.url), order_by=(AlertDelivery.due_at, AlertDelivery.pk)
    )
    due = select(AlertDelivery.pk, AlertDelivery.due_at, rank.label("rank")).where(
        AlertDelivery.due_at <= now_us(), ~waits
    )
    ranked = due.subquery()
    chosen = select(ranked.c.pk).where(ranked.c.rank <= MOST_OF_RECEIVER).order_by(ranked.c.due_at).limit(limit)
    pks = list(session.execute(chosen).scalars())
    new = case((AlertDelivery.delivered_at.is_(None), 1), else_=0)
    claimed = session.execute(
        update(AlertDelivery)
        .where(AlertDelivery.pk.in_(pks), AlertDelivery.due_at <= now_us())
        .values(due_at=now_us() + lease_us, attempts=AlertDelivery.attempts + new)
        .returning(AlertDelivery.pk, AlertDelivery.due_at)
    )
    until = {pk: moment for pk, moment in claimed if moment is not None}
    query = (
        select(AlertDelivery, AlertEvent, AlertRow)
        .join(AlertEvent, AlertEvent.pk == AlertDelivery.event_pk)
        .join(AlertRow, AlertRow.pk == AlertDelivery.alert_pk)
        .where(AlertDelivery.pk.in_(until))
        .order_by(AlertDelivery.pk)
    )
    rows = session.execute(query.execution_options(populate_existing=True))
    return [Claim(delivery, event, alert, until[delivery.pk]) for delivery, event, alert in rows]


def note_success(session: Session, claimed: Claim, again_us: int | None) -> None:
    """Note that a claimed delivery has succeeded; it is repeated after so many microseconds while nothing followed it.

    Nothing is changed where the claim is lost.
    """
    followed = exists().where(
        AlertEvent.alert_pk == claimed.alert.pk,
        AlertEvent.key == claimed.event.key,
        AlertEvent.pk > claimed.event.pk,
        AlertEvent.state != "test",
    )
    repeated = again_us is not None and not session.execute(select(followed)).scalar_one()
    due_at = now_us() + again_us if repeated and again_us is not None else None
    delivered_at = claimed.delivery.delivered_at or now_us()
    _write(session, claimed, {"due_at": due_at, "delivered_at": delivered_at, "error": None})


def note_failure(session: Session, claimed: Claim, error: str, pause_us: int | None) -> None:
    """Note why a claimed delivery has failed, and that it is tried again after so many microseconds, or given up."""
    _write(session, claimed, {"due_at": now_us() + pause_us if pause_us is not None else None, "error": error})


def _write(session: Session, claimed: Claim, values: dict[str, object]) -> None:
    mine = (AlertDelivery.pk == claimed.delivery.pk, AlertDelivery.due_at == claimed.until)
    session.execute(update(AlertDelivery).where(*mine).values(values).execution_options(synchronize_session=False))
