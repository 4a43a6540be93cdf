"""What SQLite and PostgreSQL spell differently, or SQLAlchemy keeps apart although they spell it alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, exists, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute, Session

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
        raise DBAPIError.instance("", None, e, dialect.dbapi.Error, dialect=dialect) from e


def filter_by_labels(
    session: Session,
    query: Select[Any],
    column: InstrumentedAttribute[dict[str, Any]],
    labels: Sequence[tuple[str, str]],
) -> Select[Any]:
    """Return a query of those rows whose labels in `column` hold every pair, whatever characters a key has."""
    if labels and session.get_bind().dialect.name == "postgresql":
        return query.where(*(column.cast(JSONB).contains({key: value}) for key, value in labels))
    for key, value in labels:
        pair = func.json_each(column).table_valued("key", "value")
        query = query.where(exists().select_from(pair).where(pair.c.key == key, pair.c.value == value))
    return query
