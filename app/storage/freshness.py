"""Whether what a process remembers is still what is committed: one statement for any number of requests.

One statement sees one state of the database, so that it answers for keys, champions and series together.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    any_,
    bindparam,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from app.storage.engine import OUTAGE, Database
from app.storage.tables import ApiKey, ModelRow, SeriesRow, VersionRow

KEYS, MODELS, VERSIONS, SERIES = "keys", "models", "versions", "series"


@dataclass
class Asked:
    """Primary keys of the rows that are asked for."""

    keys: set[int] = field(default_factory=set)
    models: set[int] = field(default_factory=set)
    versions: set[int] = field(default_factory=set)
    series: set[int] = field(default_factory=set)


@dataclass
class Found:
    """What the rows are now; those that are gone are left out. With a row's key goes when it was made, since SQLite
    gives the key of the newest row again after it is deleted."""

    keys: set[int] = field(default_factory=set)
    """that live"""
    models: dict[int, tuple[int, int | None, int | None]] = field(default_factory=dict)
    """made at, primary key of the champion, made at"""
    versions: dict[int, int] = field(default_factory=dict)
    """made at"""
    series: dict[int, tuple[int, int]] = field(default_factory=dict)
    """made at, version"""


class Freshness:
    """Asks the database on a connection of its own. Threads take turns."""

    def __init__(self, database: Database) -> None:
        self._database, self._lock = database, threading.Lock()
        self._connection: Connection | None = None
        self._statement = _statement(database.dialect)

    def ask(self, asked: Asked) -> Found:
        """Return what is committed now. Raises OUTAGE where the database is away."""
        given = {
            name: _list(values, self._database.dialect)
            for name, values in (
                (KEYS, asked.keys),
                (MODELS, asked.models),
                (VERSIONS, asked.versions),
                (SERIES, asked.series),
            )
        }
        with self._lock:
            old = self._connection is not None
            try:
                rows = self._rows(given)
            except OUTAGE:
                self._drop()
                if not old:
                    raise
                rows = self._rows(given)  # the server may have been restarted since the connection was made
        return _found(rows)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _rows(self, given: dict[str, Any]) -> list[Any]:
        if self._connection is None:
            self._connection = self._database.lasting()
        try:
            return list(self._connection.execute(self._statement, given))
        finally:
            self._connection.rollback()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _statement(dialect: str) -> Any:
    """Return the statement: kind, primary key, made at, and two numbers of the kind."""
    nothing = literal(None, BigInteger)
    champion = and_(VersionRow.model_pk == ModelRow.pk, VersionRow.number == ModelRow.champion)
    parts: list[Any] = [
        select(literal(KEYS, Text), ApiKey.pk, nothing, nothing, nothing).where(
            _among(ApiKey.pk, KEYS, dialect), ApiKey.revoked_at.is_(null())
        ),
        select(literal(MODELS, Text), ModelRow.pk, ModelRow.created_at, VersionRow.pk, VersionRow.created_at)
        .outerjoin(VersionRow, champion)
        .where(_among(ModelRow.pk, MODELS, dialect)),
        select(literal(VERSIONS, Text), VersionRow.pk, VersionRow.created_at, nothing, nothing).where(
            _among(VersionRow.pk, VERSIONS, dialect)
        ),
        select(literal(SERIES, Text), SeriesRow.pk, SeriesRow.created_at, SeriesRow.version, nothing).where(
            _among(SeriesRow.pk, SERIES, dialect)
        ),
    ]
    return union_all(*parts)


def _among(column: InstrumentedAttribute[int], name: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a column is in a list, which is one parameter whatever its length."""
    if dialect == "sqlite":
        return column.in_(select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value))
    return column == any_(bindparam(name, type_=ARRAY(BigInteger)))


def _list(values: Collection[int], dialect: str) -> Any:
    return orjson.dumps(list(values)).decode() if dialect == "sqlite" else list(values)


def _found(rows: list[Any]) -> Found:
    found = Found()
    for kind, pk, made_at, one, two in rows:
        if kind == SERIES:
            found.series[pk] = (made_at, one)
        elif kind == MODELS:
            found.models[pk] = (made_at, one, two)
        elif kind == VERSIONS:
            found.versions[pk] = made_at
        else:
            found.keys.add(pk)
    return found
