"""Whether what a process remembers is still what is committed: one statement for any number of requests.

One statement sees one state of the database, so that it answers for keys, champions and series together.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

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
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import InstrumentedAttribute

from app.storage.engine import Database
from app.storage.tables import ApiKey, ModelRow, SeriesRow, VersionRow

Identity = tuple[int, int, int]
"""of a series as it is: primary key, made at, version"""

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
    series: set[Identity] = field(default_factory=set)


class Freshness:
    """Asks the database on a connection of its own. Threads take turns.

    The statement is compiled once and given to the driver: the way through the toolkit costs several times as much as
    the statement itself.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._lock = database, threading.Lock()
        self._connection: Connection | None = None
        self._dialect = dialect = database.engine.dialect
        compiled = _statement(database.dialect).compile(dialect=dialect)
        self._sql, self._names, self._fixed = str(compiled), compiled.positiontup, compiled.params
        assert dialect.dbapi is not None, "the engine has a driver"
        self._error = dialect.dbapi.Error
        self._away = (dialect.dbapi.OperationalError, dialect.dbapi.InterfaceError)

    def ask(self, asked: Asked) -> Found:
        """Return what is committed now. Raises OUTAGE where the database is away, DBAPIError for any other fault."""
        given = self._given(asked)
        with self._lock:
            old = self._connection is not None
            try:
                rows = self._rows(given)
            except DBAPIError:
                self._drop()
                if not old:
                    raise
                rows = self._rows(given)  # the server may have been restarted, or have forgotten what was prepared
        return _found(rows)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _given(self, asked: Asked) -> Any:
        """Return the statement's parameters as the driver takes them."""
        to = _text if self._database.dialect == "sqlite" else list
        lists = {KEYS: asked.keys, MODELS: asked.models, VERSIONS: asked.versions, SERIES: asked.series}
        given = self._fixed | {name: to(values) for name, values in lists.items()}
        return given if self._names is None else [given[name] for name in self._names]

    def _rows(self, given: Any) -> list[Any]:
        if self._connection is None:
            self._connection = self._database.connect_for_reads()
        driver: Any = self._connection.connection.driver_connection
        try:
            return list(driver.execute(self._sql, given))
        except self._error as e:
            away = isinstance(e, self._away) or self._dialect.is_disconnect(e, driver, None)
            raise (OperationalError if away else DBAPIError)(self._sql, None, e) from e

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


def _text(values: Collection[int]) -> str:
    return str(list(values))


def _found(rows: list[Any]) -> Found:
    found = Found()
    for kind, pk, made_at, one, two in rows:
        if kind == SERIES:
            found.series.add((pk, made_at, one))
        elif kind == MODELS:
            found.models[pk] = (made_at, one, two)
        elif kind == VERSIONS:
            found.versions[pk] = made_at
        else:
            found.keys.add(pk)
    return found
