"""Queries of series."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.dialects import contains_text, expand_labels, filter_by_labels, has_labels
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import SeriesRow

CHUNK = 10_000  # bound parameters in one statement; both databases take over 30 000


def is_own(session: Session, scope: Scope) -> ColumnElement[bool]:
    """Return whether a series is one that a scope is about."""
    return and_(SeriesRow.project_id == scope.project_id, *has_labels(session, SeriesRow.labels, scope.labels))


def is_taken(session: Session, scope: Scope, series_id: str) -> bool:
    """Say whether a series of the project has this id, be the scope about it or not."""
    query = select(SeriesRow.pk).where(SeriesRow.project_id == scope.project_id, SeriesRow.id == series_id)
    return session.execute(query).scalar_one_or_none() is not None


def get(session: Session, scope: Scope, series_id: str, *, lock: bool = False) -> SeriesRow | None:
    """Return one series; `lock` keeps other writers of it out until the transaction ends."""
    query = select(SeriesRow).where(is_own(session, scope), SeriesRow.id == series_id)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def get_many(session: Session, scope: Scope, ids: Iterable[str], *, lock: bool = False) -> dict[str, SeriesRow]:
    """Return those of `ids` that exist. Rows are locked in the order of their keys, so writers cannot deadlock."""
    ordered = sorted(set(ids))
    rows_by_id: dict[str, SeriesRow] = {}
    for i in range(0, len(ordered), CHUNK):
        query = (
            select(SeriesRow)
            .where(is_own(session, scope), SeriesRow.id.in_(ordered[i : i + CHUNK]))
            .order_by(SeriesRow.id)
        )
        rows = session.execute(query.with_for_update() if lock else query).scalars()
        rows_by_id.update((row.id, row) for row in rows)
    return rows_by_id


def select_ids(session: Session, scope: Scope, labels: Sequence[tuple[str, str]]) -> list[str]:
    """Return the ids of all series that have every one of `labels`, in order."""
    query = select(SeriesRow.id).where(is_own(session, scope)).order_by(SeriesRow.id)
    return list(session.execute(filter_by_labels(session, query, SeriesRow.labels, labels)).scalars())


def list_labels(
    session: Session,
    scope: Scope,
    ids: Collection[str] | None,
    labels: Sequence[tuple[str, str]],
    values: Sequence[str],
    limit: int,
) -> list[tuple[str, dict[str, str]]]:
    """Return (id, labels) of series in the order of their ids.

    Args:
        ids: of which; None: of all
        labels: they have every one of these
        values: they have labels of each of these values, whatever the keys
        limit: rows at most
    """
    ordered = None if ids is None else sorted(ids)
    found: list[tuple[str, dict[str, str]]] = []
    for start in range(0, 1 if ordered is None else len(ordered), CHUNK):
        query = select(SeriesRow.id, SeriesRow.labels).where(is_own(session, scope))
        query = filter_by_labels(session, query, SeriesRow.labels, labels)
        for value in values:
            pair = expand_labels(session, SeriesRow.labels)
            query = query.where(exists().select_from(pair).where(pair.c.value == value))
        if ordered is not None:
            query = query.where(SeriesRow.id.in_(ordered[start : start + CHUNK]))
        rows = session.execute(query.order_by(SeriesRow.id).limit(limit - len(found)))
        found += [(series_id, own) for series_id, own in rows]
    return found


def list_page(
    session: Session,
    scope: Scope,
    prefix: str,
    labels: Sequence[tuple[str, str]],
    text: str,
    cursor: str | None,
    limit: int,
) -> Page[SeriesRow]:
    """Return series in the order of their ids, which mention `text` somewhere. Raises CursorError."""
    query = filter_series(session, scope, select(SeriesRow), prefix, labels).order_by(SeriesRow.id).limit(limit + 1)
    if text:
        query = query.where(_mentions(session, text))
    if cursor is not None:
        query = query.where(SeriesRow.id > decode_cursor(cursor, str)[0])
    rows = list(session.execute(query).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].id) if len(rows) > limit else None)


def filter_series(
    session: Session, scope: Scope, query: Select[Any], prefix: str, labels: Sequence[tuple[str, str]]
) -> Select[Any]:
    """Return a query of the series whose ids begin with `prefix`, and which have every one of `labels`."""
    query = query.where(is_own(session, scope))
    if prefix:
        query = query.where(SeriesRow.id >= prefix, func.substr(SeriesRow.id, 1, len(prefix)) == prefix)
    return filter_by_labels(session, query, SeriesRow.labels, labels)


def _mentions(session: Session, text: str) -> ColumnElement[bool]:
    pair = expand_labels(session, SeriesRow.labels)
    label = exists().select_from(pair).where(contains_text(session, pair.c.key + ":" + pair.c.value, text))
    columns = (SeriesRow.id, SeriesRow.description)
    return or_(*(contains_text(session, column.expression, text) for column in columns), label)


def insert_many(session: Session, scope: Scope, rows: Sequence[dict[str, Any]]) -> None:
    """Insert series, all at once. Raises sqlalchemy.exc.IntegrityError where one exists."""
    session.execute(insert(SeriesRow), [{"project_id": scope.project_id, **row} for row in rows])


def add(session: Session, scope: Scope, rows: Sequence[dict[str, Any]]) -> list[SeriesRow]:
    """Insert series. Raises sqlalchemy.exc.IntegrityError where one exists."""
    added = [SeriesRow(project_id=scope.project_id, **row) for row in rows]
    session.add_all(added)
    session.flush()
    return added


def bump_version(session: Session, row: SeriesRow) -> int:
    """Increment the version of a series that has changed, and return it."""
    version = session.execute(
        update(SeriesRow)
        .where(SeriesRow.pk == row.pk)
        .values(version=SeriesRow.version + 1)
        .returning(SeriesRow.version)
    ).scalar_one()
    session.refresh(row, ["version"])
    return version


def remove(session: Session, scope: Scope, series_id: str) -> bool:
    """Delete a series with its observations, covariate values and forecasts; False where there is none."""
    deleted = session.execute(
        delete(SeriesRow).where(is_own(session, scope), SeriesRow.id == series_id).returning(SeriesRow.pk)
    )
    return deleted.scalar_one_or_none() is not None


def find_present(session: Session, pks: Sequence[int]) -> set[int]:
    """Return which of these series exist."""
    present = set[int]()
    for start in range(0, len(pks), 500):
        present.update(
            session.execute(select(SeriesRow.pk).where(SeriesRow.pk.in_(pks[start : start + 500]))).scalars()
        )
    return present
