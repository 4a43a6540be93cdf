"""Whether cached rows are still what is committed: one statement for any number of requests.

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
"""a series' state: primary key, created at, version"""

KEYS, MODELS, VERSIONS, SERIES = "keys", "models", "versions", "series"


@dataclass
class FreshnessKeys:
    """Primary keys of the rows whose committed state is wanted."""

    keys: set[int] = field(default_factory=set)
    models: set[int] = field(default_factory=set)
    versions: set[int] = field(default_factory=set)
    series: set[int] = field(default_factory=set)


@dataclass
class CommittedState:
    """The rows as they are committed, without those that are gone. A row's creation time goes with its key, since
    SQLite gives the key of the newest row again after it is deleted."""

    keys: set[int] = field(default_factory=set)
    """primary keys of API keys that are not revoked"""
    models: dict[int, tuple[int, int | None, int | None]] = field(default_factory=dict)
    """created at, primary key of the champion, its created at; by primary key"""
    versions: dict[int, int] = field(default_factory=dict)
    """created at, by primary key"""
    series: set[Identity] = field(default_factory=set)


class Freshness:
    """Queries the database on its own connection. Threads take turns.

    The statement is compiled once and given to the driver: the way through the toolkit costs several times as much as
    the statement itself. SQLAlchemy does not document two of the attributes that this needs: the compiled statement's
    `positiontup`, the order of its parameters, and the connection's `driver_connection` with a driver's `execute`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._dialect = database.engine.dialect
        compiled = _build_statement(database.dialect).compile(dialect=self._dialect)
        self._sql = str(compiled)
        self._positions: list[str] | None = compiled.positiontup
        """names of the parameters in the driver's order; None where the driver takes them by name"""
        self._constants = compiled.params
        driver = self._dialect.dbapi
        assert driver is not None, "the engine has a driver"
        self._driver_error = driver.Error
        self._outage_errors = (driver.OperationalError, driver.InterfaceError)

    def query(self, keys: FreshnessKeys) -> CommittedState:
        """Return what is committed now. Raises OUTAGE where the database is away, DBAPIError for any other fault."""
        parameters = self._bind(keys)
        with self._lock:
            was_connected = self._connection is not None
            try:
                rows = self._execute(parameters)
            except DBAPIError:
                self._disconnect()
                if not was_connected:
                    raise
                # the server may have been restarted, or have forgotten what was prepared
                rows = self._execute(parameters)
        return _read_state(rows)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()

    def _bind(self, keys: FreshnessKeys) -> Any:
        """Return the statement's parameters as the driver takes them."""
        encode = _to_json if self._database.dialect == "sqlite" else list
        lists = {KEYS: keys.keys, MODELS: keys.models, VERSIONS: keys.versions, SERIES: keys.series}
        parameters = self._constants | {name: encode(values) for name, values in lists.items()}
        return parameters if self._positions is None else [parameters[name] for name in self._positions]

    def _execute(self, parameters: Any) -> list[Any]:
        if self._connection is None:
            self._connection = self._database.connect_for_reads()
        driver: Any = self._connection.connection.driver_connection
        try:
            return list(driver.execute(self._sql, parameters))
        except self._driver_error as e:
            is_outage = isinstance(e, self._outage_errors) or self._dialect.is_disconnect(e, driver, None)
            raise (OperationalError if is_outage else DBAPIError)(self._sql, None, e) from e

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _build_statement(dialect: str) -> Any:
    """Return the statement, whose columns are kind, primary key, created at, and two numbers that depend on the
    kind: of a model its champion's key and creation time, of a series its version."""
    nothing = literal(None, BigInteger)
    champion = and_(VersionRow.model_pk == ModelRow.pk, VersionRow.number == ModelRow.champion)
    parts: list[Any] = [
        select(literal(KEYS, Text), ApiKey.pk, nothing, nothing, nothing).where(
            _is_in(ApiKey.pk, KEYS, dialect), ApiKey.revoked_at.is_(null())
        ),
        select(literal(MODELS, Text), ModelRow.pk, ModelRow.created_at, VersionRow.pk, VersionRow.created_at)
        .outerjoin(VersionRow, champion)
        .where(_is_in(ModelRow.pk, MODELS, dialect)),
        select(literal(VERSIONS, Text), VersionRow.pk, VersionRow.created_at, nothing, nothing).where(
            _is_in(VersionRow.pk, VERSIONS, dialect)
        ),
        select(literal(SERIES, Text), SeriesRow.pk, SeriesRow.created_at, SeriesRow.version, nothing).where(
            _is_in(SeriesRow.pk, SERIES, dialect)
        ),
    ]
    return union_all(*parts)


def _is_in(column: InstrumentedAttribute[int], name: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a column is in a list, which is one parameter whatever its length."""
    if dialect == "sqlite":
        return column.in_(select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value))
    return column == any_(bindparam(name, type_=ARRAY(BigInteger)))


def _to_json(values: Collection[int]) -> str:
    return str(list(values))


def _read_state(rows: list[Any]) -> CommittedState:
    state = CommittedState()
    for kind, pk, created_at, first, second in rows:
        if kind == SERIES:
            state.series.add((pk, created_at, first))
        elif kind == MODELS:
            state.models[pk] = (created_at, first, second)
        elif kind == VERSIONS:
            state.versions[pk] = created_at
        else:
            state.keys.add(pk)
    return state
