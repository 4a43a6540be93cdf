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
    Dialect,
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
from app.storage.keys import is_valid
from app.storage.tables import ApiKey, ModelRow, RevisionRow, SeriesRow, VersionRow

Identity = tuple[int, int, int]
"""a series' state: primary key, created at, version"""

KEYS, MODELS, VERSIONS, SERIES, REVISIONS = "keys", "models", "versions", "series", "revisions"


@dataclass
class FreshnessKeys:
    """Primary keys of the rows whose committed state is wanted."""

    keys: set[int] = field(default_factory=set)
    models: set[int] = field(default_factory=set)
    versions: set[int] = field(default_factory=set)
    series: set[int] = field(default_factory=set)
    revisions: set[int] = field(default_factory=set)


@dataclass
class CommittedState:
    """The rows as they are committed, without those that are gone. A row's creation time goes with its key, since
    SQLite gives the key of the newest row again after it is deleted."""

    keys: set[int] = field(default_factory=set)
    """primary keys of secrets of API keys that are valid"""
    models: dict[int, tuple[int, int | None, int | None, int | None]] = field(default_factory=dict)
    """created at; primary key of the champion, its created at, its revision that serves; by primary key"""
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """created at, and the revision that serves, by primary key"""
    series: set[Identity] = field(default_factory=set)
    revisions: set[int] = field(default_factory=set)
    """primary keys of revisions whose files are kept; they go with their versions"""


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
        self._statements = {
            has_revisions: _Statement.of(_build_statement(database.dialect, has_revisions=has_revisions), self._dialect)
            for has_revisions in (False, True)
        }
        """by whether revisions are asked for, which hardly any forecast pins: a part more costs all of them 3 µs"""
        driver = self._dialect.dbapi
        assert driver is not None, "the engine has a driver"
        self._driver_error = driver.Error
        self._outage_errors = (driver.OperationalError, driver.InterfaceError)

    def query(self, keys: FreshnessKeys) -> CommittedState:
        """Return what is committed now. Raises OUTAGE where the database is away, DBAPIError for any other fault."""
        statement = self._statements[bool(keys.revisions)]
        parameters = self._bind(keys, statement)
        with self._lock:
            was_connected = self._connection is not None
            try:
                rows = self._execute(statement, parameters)
            except DBAPIError:
                self._disconnect()
                if not was_connected:
                    raise
                # the server may have been restarted, or have forgotten what was prepared
                rows = self._execute(statement, parameters)
        return _read_state(rows)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()

    def _bind(self, keys: FreshnessKeys, statement: "_Statement") -> Any:
        """Return the statement's parameters as the driver takes them."""
        encode = _to_json if self._database.dialect == "sqlite" else list
        lists = {KEYS: keys.keys, MODELS: keys.models, VERSIONS: keys.versions, SERIES: keys.series}
        if keys.revisions:
            lists[REVISIONS] = keys.revisions
        parameters = statement.constants | {name: encode(values) for name, values in lists.items()}
        return parameters if statement.positions is None else [parameters[name] for name in statement.positions]

    def _execute(self, statement: "_Statement", parameters: Any) -> list[Any]:
        if self._connection is None:
            self._connection = self._database.connect_for_reads()
        driver: Any = self._connection.connection.driver_connection
        try:
            return list(driver.execute(statement.sql, parameters))
        except self._driver_error as e:
            is_outage = isinstance(e, self._outage_errors) or self._dialect.is_disconnect(e, driver, None)
            raise (OperationalError if is_outage else DBAPIError)(statement.sql, None, e) from e

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


@dataclass(frozen=True)
class _Statement:
    """The statement as the driver takes it."""

    sql: str
    positions: list[str] | None
    """names of the parameters in the driver's order; None where the driver takes them by name"""
    constants: dict[str, Any]

    @classmethod
    def of(cls, statement: Any, dialect: Dialect) -> "_Statement":
        """Compile a statement."""
        compiled = statement.compile(dialect=dialect)
        return cls(str(compiled), compiled.positiontup, compiled.params)


def _build_statement(dialect: str, *, has_revisions: bool) -> Any:
    """Return the statement, whose columns are kind, primary key, created at, and three numbers that depend on the
    kind: of a model its champion's key, creation time and revision, of a version its revision, of a series its
    version."""
    nothing = literal(None, BigInteger)
    champion = and_(VersionRow.model_pk == ModelRow.pk, VersionRow.number == ModelRow.champion)
    parts: list[Any] = [
        select(literal(KEYS, Text), ApiKey.pk, nothing, nothing, nothing, nothing).where(
            _is_in(ApiKey.pk, KEYS, dialect), is_valid()
        ),
        select(
            literal(MODELS, Text),
            ModelRow.pk,
            ModelRow.created_at,
            VersionRow.pk,
            VersionRow.created_at,
            VersionRow.revision,
        )
        .outerjoin(VersionRow, champion)
        .where(_is_in(ModelRow.pk, MODELS, dialect)),
        select(
            literal(VERSIONS, Text), VersionRow.pk, VersionRow.created_at, VersionRow.revision, nothing, nothing
        ).where(_is_in(VersionRow.pk, VERSIONS, dialect)),
        select(literal(SERIES, Text), SeriesRow.pk, SeriesRow.created_at, SeriesRow.version, nothing, nothing).where(
            _is_in(SeriesRow.pk, SERIES, dialect)
        ),
    ]
    if has_revisions:
        pinned = select(literal(REVISIONS, Text), RevisionRow.pk, nothing, nothing, nothing, nothing)
        kept = RevisionRow.artifact.is_not(null())
        parts.append(pinned.where(_is_in(RevisionRow.pk, REVISIONS, dialect), kept))
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
    for kind, pk, created_at, first, second, third in rows:
        if kind == SERIES:
            state.series.add((pk, created_at, first))
        elif kind == MODELS:
            state.models[pk] = (created_at, first, second, third)
        elif kind == VERSIONS:
            state.versions[pk] = (created_at, first)
        elif kind == REVISIONS:
            state.revisions.add(pk)
        else:
            state.keys.add(pk)
    return state
