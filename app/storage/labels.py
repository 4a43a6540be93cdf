"""Queries of the labels of series."""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select, true
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.dialects import contains_text, expand_labels
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.series import is_own
from app.storage.tables import SeriesRow

LabelCount = tuple[str, str, int]
"""key and value of a label, and how many series have it"""


def list_page(session: Session, scope: Scope, text: str, cursor: str | None, limit: int) -> Page[LabelCount]:
    """Return labels in the order of key and value; `text` is somewhere in `key:value`. Raises CursorError."""
    pair = expand_labels(session, SeriesRow.labels)
    key, value = _order(session, pair.c.key), _order(session, pair.c.value)
    columns: list[ColumnElement[Any]] = [key, value, func.count()]
    query = (
        select(*columns)
        .select_from(SeriesRow)
        .join(pair, true())
        .where(is_own(session, scope))
        .group_by(key, value)
        .order_by(key, value)
        .limit(limit + 1)
    )
    if text:
        query = query.where(contains_text(session, pair.c.key + ":" + pair.c.value, text))
    if cursor is not None:
        query = _begin_after(query, key, value, cursor)
    labels = [(str(k), str(v), int(n)) for k, v, n in session.execute(query)]
    return Page(labels[:limit], encode_cursor(*labels[limit - 1][:2]) if len(labels) > limit else None)


def _order(session: Session, column: ColumnElement[str]) -> ColumnElement[str]:
    """Return a column that is ordered by code point, as SQLite orders every text."""
    return column.collate("C") if session.get_bind().dialect.name == "postgresql" else cast(column, String)


def _begin_after(query: Select[Any], key: ColumnElement[str], value: ColumnElement[str], cursor: str) -> Select[Any]:
    last_key, last_value = map(str, decode_cursor(cursor, str, str))
    return query.where(or_(key > last_key, and_(key == last_key, value > last_value)))
