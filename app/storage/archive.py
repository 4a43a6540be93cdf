"""Queries of archived forecasts."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.storage.clock import now_us
from app.storage.pages import Page, decode, encode
from app.storage.tables import ArchivedForecast, ModelRow, SeriesRow
from app.storage.upsert import insert_for

TOLD = ("model_pk", "series_pk", "origin", "version", "series_version")
CHUNK = 500
Told = tuple[ArchivedForecast, SeriesRow]


def add(session: Session, rows: Sequence[dict[str, Any]]) -> int:
    """Keep forecasts; one that was kept before, of the same series as it was then, is not kept again.

    Return how many are new.
    """
    new = 0
    for at in range(0, len(rows), CHUNK):
        statement = insert_for(session, ArchivedForecast).values(list(rows[at : at + CHUNK]))
        kept = statement.on_conflict_do_nothing(index_elements=TOLD).returning(ArchivedForecast.pk)
        new += len(session.execute(kept).scalars().all())
    return new


def page(
    session: Session, model: ModelRow, ids: Sequence[str], as_of: int | None, cursor: str | None, limit: int
) -> Page[Told]:
    """Return the newest forecast of each series, or of each of `ids`, as it stood at a moment; by series.

    Raises CursorError.
    """
    mine = [ArchivedForecast.model_pk == model.pk]
    if as_of is not None:
        mine.append(ArchivedForecast.made_at <= as_of)
    newest = (
        select(func.max(ArchivedForecast.pk).label("pk")).where(*mine).group_by(ArchivedForecast.series_pk).subquery()
    )
    query = (
        select(ArchivedForecast, SeriesRow)
        .join(newest, newest.c.pk == ArchivedForecast.pk)
        .join(SeriesRow, SeriesRow.pk == ArchivedForecast.series_pk)
        .order_by(SeriesRow.id)
        .limit(limit + 1)
    )
    if ids:
        query = query.where(SeriesRow.id.in_(ids))
    if cursor is not None:
        query = query.where(SeriesRow.id > decode(cursor, str)[0])
    rows = [(told, series) for told, series in session.execute(query)]
    return Page(rows[:limit], encode(rows[limit - 1][1].id) if len(rows) > limit else None)


def recent(
    session: Session, model: ModelRow, start: int | None, end: int | None, version: int | None, limit: int
) -> list[Told]:
    """Return at most `limit` forecasts with an origin in [start, end), of one version where it is given.

    The newest origins come first; of an origin and a series it is what was told first.
    """
    mine = [ArchivedForecast.model_pk == model.pk]
    mine += [ArchivedForecast.origin >= start] if start is not None else []
    mine += [ArchivedForecast.origin < end] if end is not None else []
    mine += [ArchivedForecast.version == version] if version is not None else []
    first = (
        select(func.min(ArchivedForecast.pk).label("pk"))
        .where(*mine)
        .group_by(ArchivedForecast.series_pk, ArchivedForecast.origin)
        .order_by(ArchivedForecast.origin.desc())
        .limit(limit)
        .subquery()
    )
    query = (
        select(ArchivedForecast, SeriesRow)
        .join(first, first.c.pk == ArchivedForecast.pk)
        .join(SeriesRow, SeriesRow.pk == ArchivedForecast.series_pk)
        .order_by(ArchivedForecast.origin.desc(), SeriesRow.id)
    )
    return [(told, series) for told, series in session.execute(query)]


def sweep(session: Session, days: float) -> int:
    """Delete what was told longer ago; return how much."""
    old = now_us() - int(days * 86_400_000_000)
    gone = session.execute(delete(ArchivedForecast).where(ArchivedForecast.made_at < old))
    count: int = getattr(gone, "rowcount", 0)
    return count
