"""What SQLite and PostgreSQL spell differently, or SQLAlchemy keeps apart although they spell it alike."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_for(session: Session, table: Any) -> Any:
    """Return an INSERT into `table` that offers `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return _INSERT[session.get_bind().dialect.name](table)


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
