"""INSERT … ON CONFLICT, which both dialects spell alike and SQLAlchemy keeps in each."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_for(session: Session, table: Any) -> Any:
    """Return an INSERT into `table` that knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return _INSERT[session.get_bind().dialect.name](table)
