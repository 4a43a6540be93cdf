"""Rows by their labels, in both dialects."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session


def labelled(
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
