"""Queries of watches: what they scan, and how far they are."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.clock import now_us
from app.storage.dialects import insert_for
from app.storage.tables import AlertRow, ModelRow, SeriesRow, Watch, WatchedSeries

CHUNK = 500
"""rows of one statement"""


def get(session: Session, scope: Scope, model_pk: int, *, lock: bool = False) -> Watch | None:
    """Return the watch of a model."""
    query = select(Watch).where(Watch.project_id == scope.project_id, Watch.model_pk == model_pk)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def put(session: Session, scope: Scope, model_pk: int, **fields: Any) -> Watch:
    """Set or replace a model's watch; it is due at once."""
    row = session.merge(Watch(model_pk=model_pk, project_id=scope.project_id, leased_until=0, **fields))
    session.flush()
    return row


def remove(session: Session, scope: Scope, model_pk: int) -> bool:
    """Delete the watch of a model; its alarms stay. False where there is none."""
    deleted = session.execute(
        delete(Watch).where(Watch.project_id == scope.project_id, Watch.model_pk == model_pk).returning(Watch.model_pk)
    )
    return deleted.scalar_one_or_none() is not None


def list_all(session: Session) -> list[Watch]:
    """Return the watches of all projects, the one that was scanned the longest ago first."""
    return list(session.execute(select(Watch).order_by(func.coalesce(Watch.scanned_at, 0), Watch.model_pk)).scalars())


def lease(session: Session, model_pk: int, lease_us: int) -> bool:
    """Take the right to scan for so many microseconds; False where another worker has it."""
    updated = session.execute(
        update(Watch)
        .where(Watch.model_pk == model_pk, Watch.leased_until <= now_us())
        .values(leased_until=now_us() + lease_us)
        .returning(Watch.model_pk)
    )
    return updated.scalar_one_or_none() is not None


def renew(session: Session, model_pk: int, lease_us: int) -> None:
    """Extend the right to scan."""
    session.execute(update(Watch).where(Watch.model_pk == model_pk).values(leased_until=now_us() + lease_us))


def release(session: Session, model_pk: int, problem: str | None) -> None:
    """End a scan, with what kept it from judging anything."""
    session.execute(
        update(Watch).where(Watch.model_pk == model_pk).values(leased_until=0, scanned_at=now_us(), problem=problem)
    )


def begin_at(session: Session, model_pk: int, rows: Sequence[SeriesRow]) -> None:
    """Let a watch begin after the newest value of each series that it does not know yet."""
    for start in range(0, len(rows), CHUNK):
        values = [
            {
                "model_pk": model_pk,
                "series_pk": row.pk,
                "version": row.version,
                "scanned_ts": row.last_ts,
                "alarming": False,
            }
            for row in rows[start : start + CHUNK]
        ]
        statement = insert_for(session, WatchedSeries).values(values)
        session.execute(statement.on_conflict_do_nothing(index_elements=["model_pk", "series_pk"]))


def get_progress(session: Session, model_pk: int) -> dict[int, WatchedSeries]:
    """Return {series_pk: how far a watch has scanned it}."""
    query = select(WatchedSeries).where(WatchedSeries.model_pk == model_pk)
    return {row.series_pk: row for row in session.execute(query).scalars()}


def has_news(session: Session, model_pk: int) -> bool:
    """Say whether a series has changed since a watch scanned it."""
    query = (
        select(WatchedSeries.series_pk)
        .join(SeriesRow, SeriesRow.pk == WatchedSeries.series_pk)
        .where(WatchedSeries.model_pk == model_pk, WatchedSeries.version != SeriesRow.version)
    )
    return session.execute(query.limit(1)).scalar_one_or_none() is not None


def forget(session: Session, model_pk: int, series_pks: Collection[int]) -> None:
    """Let a watch know some series no more."""
    pks = sorted(series_pks)
    for start in range(0, len(pks), CHUNK):
        session.execute(
            delete(WatchedSeries).where(
                WatchedSeries.model_pk == model_pk, WatchedSeries.series_pk.in_(pks[start : start + CHUNK])
            )
        )


def note_progress(session: Session, model_pk: int, series_pk: int, **fields: Any) -> None:
    """Note how far a watch has scanned a series, and what it found last."""
    session.execute(
        update(WatchedSeries)
        .where(WatchedSeries.model_pk == model_pk, WatchedSeries.series_pk == series_pk)
        .values(**fields)
    )


def list_watched(session: Session, model: ModelRow) -> list[tuple[WatchedSeries, SeriesRow]]:
    """Return how far each series of a watch is scanned."""
    query = (
        select(WatchedSeries, SeriesRow)
        .join(SeriesRow, SeriesRow.pk == WatchedSeries.series_pk)
        .where(WatchedSeries.model_pk == model.pk)
        .order_by(SeriesRow.id)
    )
    return [(watched, row) for watched, row in session.execute(query)]


def find_lowest_score(session: Session, scope: Scope, model: str) -> float | None:
    """Return the lowest score that an alert of a model asks for."""
    query = select(AlertRow.condition).where(
        AlertRow.project_id == scope.project_id, AlertRow.subject == "anomaly", AlertRow.model == model
    )
    scores = [condition["score"] for condition in session.execute(query).scalars() if "score" in condition]
    return min(scores, default=None)
