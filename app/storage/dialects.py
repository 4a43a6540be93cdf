"""What SQLite and PostgreSQL spell differently, or SQLAlchemy keeps apart although they spell it alike."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Select, TableValuedAlias, Text, bindparam, exists, func, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.storage.engine import convert_error

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_for(session: Session, table: Any) -> Any:
    """Return an INSERT into `table` that offers `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return _INSERT[session.get_bind().dialect.name](table)


@contextmanager
def use_driver(session: Session) -> Iterator[Any]:
    """Yield the driver's connection of a transaction, for what SQLAlchemy has no way to say; its errors are raised as
    SQLAlchemy's."""
    connection = session.connection()
    dialect = connection.dialect
    assert dialect.dbapi is not None, "the engine has a driver"
    try:
        yield connection.connection.driver_connection
    except dialect.dbapi.Error as e:
        raise convert_error(e) or DBAPIError.instance("", None, e, dialect.dbapi.Error, dialect=dialect) from e


def is_any_of(session: Session, column: InstrumentedAttribute[Any], values: Sequence[int] | Sequence[str]) -> Any:
    """Return whether a column has one of many values, which go to the database as one parameter."""
    if session.get_bind().dialect.name == "postgresql":
        return column == func.any(bindparam(None, list(values), postgresql.ARRAY(column.type), unique=True))
    element = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(element.c.value))


def contains_text(session: Session, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Return whether a column holds a text, in small or capital letters of any script; `%` and `_` are themselves."""
    if session.get_bind().dialect.name == "postgresql":  # a column that is ordered by code point knows no small letters
        column = type_coerce(column, Text()).collate("default")
    return column.icontains(text, autoescape=True)


def holds_text(
    session: Session, column: InstrumentedAttribute[dict[str, Any]], field: str, text: str
) -> ColumnElement[bool]:
    """Return whether a text is in the list that a document has under a field."""
    if session.get_bind().dialect.name == "postgresql":
        found: ColumnElement[bool] = column.cast(JSONB).contains({field: [text]})
        return found
    element = func.json_each(column, f"$.{field}").table_valued("value")
    return exists().select_from(element).where(element.c.value == text)


def expand_labels(session: Session, column: InstrumentedAttribute[dict[str, Any]]) -> TableValuedAlias:
    """Return the labels of a row as a table with the columns `key` and `value`."""
    if session.get_bind().dialect.name == "postgresql":
        return func.jsonb_each_text(column).table_valued("key", "value")
    return func.json_each(column).table_valued("key", "value")


def filter_by_labels(
    session: Session,
    query: Select[Any],
    column: InstrumentedAttribute[dict[str, Any]],
    labels: Sequence[tuple[str, str]],
) -> Select[Any]:
    """Return a query of those rows whose labels in `column` hold every pair."""
    return query.where(*has_labels(session, column, labels))


def has_labels(
    session: Session, column: InstrumentedAttribute[dict[str, Any]], labels: Sequence[tuple[str, str]]
) -> list[ColumnElement[bool]]:
    """Return for each pair whether the labels in `column` hold it, whatever characters a key has."""
    if labels and session.get_bind().dialect.name == "postgresql":
        return [column.cast(JSONB).contains({key: value}) for key, value in labels]
    conditions: list[ColumnElement[bool]] = []
    for key, value in labels:
        pair = func.json_each(column).table_valued("key", "value")
        conditions.append(exists().select_from(pair).where(pair.c.key == key, pair.c.value == value))
    return conditions
