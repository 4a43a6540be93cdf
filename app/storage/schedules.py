"""Queries of schedules. Whoever moves a due time on must queue the job in the same transaction."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.storage.clock import now_us
from app.storage.tables import ModelRow, Schedule

SchedulePart = Literal["train", "forecast", "refresh"]


def get(session: Session, model_pk: int) -> Schedule | None:
    """Return a model's schedule."""
    return session.get(Schedule, model_pk)


def get_many(session: Session, models: Sequence[ModelRow]) -> dict[int, Schedule]:
    """Return {model_pk: schedule} of the models that have one."""
    query = select(Schedule).where(Schedule.model_pk.in_([m.pk for m in models]))
    return {row.model_pk: row for row in session.execute(query).scalars()}


def put(session: Session, model_pk: int, **fields: Any) -> Schedule:
    """Set or replace a model's schedule."""
    row = session.merge(Schedule(model_pk=model_pk, **fields))
    session.flush()
    return row


def remove(session: Session, model_pk: int) -> None:
    """Delete a model's schedule, if it has one."""
    row = get(session, model_pk)
    if row is not None:
        session.delete(row)


def list_due(session: Session) -> list[tuple[Schedule, ModelRow]]:
    """Return the schedules that have a due part by the database's clock, with their models."""
    query = (
        select(Schedule, ModelRow)
        .join(ModelRow, ModelRow.pk == Schedule.model_pk)
        .where(or_(Schedule.train_at <= now_us(), Schedule.forecast_at <= now_us(), Schedule.refresh_at <= now_us()))
    )
    return [(schedule, model) for schedule, model in session.execute(query)]


def reschedule(session: Session, model_pk: int, part: SchedulePart, old: int, new: int) -> bool:
    """Move a due time on; False where another worker has done so, or the schedule has changed."""
    column = getattr(Schedule, f"{part}_at")
    updated = session.execute(
        update(Schedule)
        .where(Schedule.model_pk == model_pk, column == old)
        .values({f"{part}_at": new})
        .returning(Schedule.model_pk)
    )
    return updated.scalar_one_or_none() is not None
