"""Queries of archived forecasts."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, func, literal, select, tuple_
from sqlalchemy.orm import Session

from app.storage.clock import now_us
from app.storage.dialects import insert_for
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import ArchivedForecast, ModelRow, SeriesRow

UNIQUE_KEY = ("model_pk", "series_pk", "origin", "version", "revision", "series_version")
"""columns that make an archived forecast unique"""
CHUNK = 500
"""rows of one statement"""
SHUFFLE_FACTOR = 7919
"""prime; `series_pk` times it, modulo SHUFFLE_MODULUS, orders series as if by chance, always in the same way"""
SHUFFLE_MODULUS = 10_007
"""prime"""
ArchivedRow = tuple[ArchivedForecast, SeriesRow]


class Maker(NamedTuple):
    """What made archived forecasts; None is any."""

    version: int | None = None
    revision: int | None = None


class ArchivedOrigin(NamedTuple):
    """The newest forecast of a series from an origin, without what it forecast."""

    pk: int
    series_pk: int
    origin: int
    made_at: int


def add(session: Session, rows: Sequence[dict[str, Any]]) -> int:
    """Store forecasts, except those that are stored for the same state of their series; return how many are new."""
    new = 0
    for start in range(0, len(rows), CHUNK):
        statement = insert_for(session, ArchivedForecast).values(list(rows[start : start + CHUNK]))
        insert = statement.on_conflict_do_nothing(index_elements=UNIQUE_KEY).returning(ArchivedForecast.pk)
        new += len(session.execute(insert).scalars().all())
    return new


def list_page(
    session: Session, model: ModelRow, ids: Sequence[str], as_of: int | None, cursor: str | None, limit: int
) -> Page[ArchivedRow]:
    """Return the newest forecast of each series, or of each of `ids`, as of a moment, in the order of series' ids.

    Raises CursorError.
    """
    conditions = [ArchivedForecast.model_pk == model.pk]
    if as_of is not None:
        conditions.append(ArchivedForecast.made_at <= as_of)
    newest = (
        select(func.max(ArchivedForecast.pk).label("pk"))
        .where(*conditions)
        .group_by(ArchivedForecast.series_pk)
        .subquery()
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
        query = query.where(SeriesRow.id > decode_cursor(cursor, str)[0])
    rows = [(forecast, series) for forecast, series in session.execute(query)]
    return Page(rows[:limit], encode_cursor(rows[limit - 1][1].id) if len(rows) > limit else None)


def list_every(
    session: Session,
    model: ModelRow,
    ids: Sequence[str],
    as_of: int | None,
    span: tuple[int | None, int | None],
    cursor: str | None,
    limit: int,
) -> Page[ArchivedRow]:
    """Return all forecasts, or those of `ids`, with an origin in [first, last), as of a moment.

    The newest origins come first. Raises CursorError.
    """
    first, last = span
    query = (
        select(ArchivedForecast, SeriesRow)
        .join(SeriesRow, SeriesRow.pk == ArchivedForecast.series_pk)
        .where(ArchivedForecast.model_pk == model.pk)
        .order_by(ArchivedForecast.origin.desc(), ArchivedForecast.pk.desc())
        .limit(limit + 1)
    )
    if ids:
        query = query.where(SeriesRow.id.in_(ids))
    if as_of is not None:
        query = query.where(ArchivedForecast.made_at <= as_of)
    if first is not None:
        query = query.where(ArchivedForecast.origin >= first)
    if last is not None:
        query = query.where(ArchivedForecast.origin < last)
    if cursor is not None:
        before = tuple_(*map(literal, decode_cursor(cursor, int, int)))
        query = query.where(tuple_(ArchivedForecast.origin, ArchivedForecast.pk) < before)
    rows = [(forecast, series) for forecast, series in session.execute(query)]
    if len(rows) <= limit:
        return Page(rows, None)
    newest = rows[limit - 1][0]
    return Page(rows[:limit], encode_cursor(newest.origin, newest.pk))


def list_observed(
    session: Session,
    model: ModelRow,
    span: tuple[int | None, int | None],
    made_by: Maker,
    most: int,
    most_origins: int,
) -> list[ArchivedRow]:
    """Return forecasts whose series has a value after their origin, with the series, the newest origins first.

    Where there are several forecasts of one series and origin, the first of them is returned.

    Args:
        session: a read transaction
        model: whose forecasts
        span: [start, end) of the origins
        made_by: the version and the revision that made them
        most: limit of forecasts; of each origin it allows the same number of series, the same ones every time
        most_origins: limit of origins
    """
    table = ArchivedForecast
    join = (SeriesRow, SeriesRow.pk == table.series_pk)
    conditions = _match_observed(model, span, made_by)
    newest = select(table.origin).join(*join).where(*conditions).distinct().order_by(table.origin.desc())
    origins = list(session.execute(newest.limit(most_origins)).scalars())
    if not origins:
        return []
    shuffled = (table.series_pk * SHUFFLE_FACTOR) % SHUFFLE_MODULUS
    rank = func.row_number().over(partition_by=table.origin, order_by=(shuffled, table.series_pk))
    chosen = (
        select(func.min(table.pk).label("pk"), rank.label("rank"))
        .join(*join)
        .where(*conditions, table.origin >= origins[-1])
        .group_by(table.series_pk, table.origin)
        .subquery()
    )
    query = (
        select(table, SeriesRow)
        .join(chosen, chosen.c.pk == table.pk)
        .join(*join)
        .where(chosen.c.rank <= max(1, most // len(origins)))
        .order_by(table.origin.desc(), SeriesRow.id)
    )
    return [(forecast, row) for forecast, row in session.execute(query)]


def get_newest(session: Session, model: ModelRow) -> int:
    """Return the key of the forecast that was archived last; 0 without one."""
    query = select(func.max(ArchivedForecast.pk)).where(ArchivedForecast.model_pk == model.pk)
    return session.execute(query).scalar_one() or 0


def list_newest_keys(session: Session, model: ModelRow, after: int, series_pks: Sequence[int] | None) -> list[int]:
    """Return the key of the newest forecast of each series, or of each of some, where it comes after a key."""
    query = (
        select(func.max(ArchivedForecast.pk))
        .where(ArchivedForecast.model_pk == model.pk, ArchivedForecast.pk > after)
        .group_by(ArchivedForecast.series_pk)
        .order_by(ArchivedForecast.series_pk)
    )
    if series_pks is None:
        return list(session.execute(query).scalars())
    keys: list[int] = []
    for start in range(0, len(series_pks), CHUNK):
        part = query.where(ArchivedForecast.series_pk.in_(series_pks[start : start + CHUNK]))
        keys += session.execute(part).scalars()
    return keys


def get_many(session: Session, pks: Sequence[int]) -> list[ArchivedRow]:
    """Return some forecasts with their series."""
    query = (
        select(ArchivedForecast, SeriesRow)
        .join(SeriesRow, SeriesRow.pk == ArchivedForecast.series_pk)
        .where(ArchivedForecast.pk.in_(pks))
        .order_by(SeriesRow.id)
    )
    return [(forecast, series) for forecast, series in session.execute(query)]


def _match_observed(model: ModelRow, span: tuple[int | None, int | None], made_by: Maker) -> list[ColumnElement[bool]]:
    start, end = span
    conditions: list[ColumnElement[bool]] = [
        ArchivedForecast.model_pk == model.pk,
        SeriesRow.last_ts > ArchivedForecast.origin,
    ]
    if start is not None:
        conditions.append(ArchivedForecast.origin >= start)
    if end is not None:
        conditions.append(ArchivedForecast.origin < end)
    if made_by.version is not None:
        conditions.append(ArchivedForecast.version == made_by.version)
    if made_by.revision is not None:
        conditions.append(ArchivedForecast.revision == made_by.revision)
    return conditions


def list_origins(
    session: Session,
    model: ModelRow,
    series_pks: Sequence[int],
    span: tuple[int, int],
    newest: int | None,
    limit: int,
) -> list[ArchivedOrigin]:
    """Return the newest forecast from each origin in [first, last] of each series, ordered by series and origin.

    Args:
        newest: only so many origins of each series, the last ones; None: all of them
        limit: rows at most
    """
    table = ArchivedForecast
    rows: list[ArchivedOrigin] = []
    for start in range(0, len(series_pks), CHUNK):
        latest = func.row_number().over(partition_by=(table.series_pk, table.origin), order_by=table.pk.desc())
        rank = func.dense_rank().over(partition_by=table.series_pk, order_by=table.origin.desc())
        ranked = (
            select(table.pk, table.series_pk, table.origin, table.made_at, latest.label("latest"), rank.label("rank"))
            .where(table.model_pk == model.pk, table.origin.between(*span))
            .where(table.series_pk.in_(series_pks[start : start + CHUNK]))
            .subquery()
        )
        query = (
            select(ranked.c.pk, ranked.c.series_pk, ranked.c.origin, ranked.c.made_at)
            .where(ranked.c.latest == 1)
            .order_by(ranked.c.series_pk, ranked.c.origin)
            .limit(limit - len(rows))
        )
        if newest is not None:
            query = query.where(ranked.c.rank <= newest)
        rows += [ArchivedOrigin(*row) for row in session.execute(query)]
    return rows


def load_documents(session: Session, pks: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return {pk: `levels` and `quantiles`, as a forecast was archived}."""
    wanted = list(pks)
    documents: dict[int, dict[str, Any]] = {}
    for start in range(0, len(wanted), CHUNK):
        query = select(ArchivedForecast.pk, ArchivedForecast.forecast)
        rows = session.execute(query.where(ArchivedForecast.pk.in_(wanted[start : start + CHUNK])))
        documents.update((pk, document) for pk, document in rows)
    return documents


def delete_old(session: Session, days: float, most: int) -> int:
    """Delete at most `most` forecasts that are older than so many days; return how many."""
    old = now_us() - int(days * 86_400_000_000)
    pks = list(session.execute(select(ArchivedForecast.pk).where(ArchivedForecast.made_at < old).limit(most)).scalars())
    for start in range(0, len(pks), CHUNK):
        session.execute(delete(ArchivedForecast).where(ArchivedForecast.pk.in_(pks[start : start + CHUNK])))
    return len(pks)
