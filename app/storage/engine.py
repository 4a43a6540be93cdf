"""The database: an engine, and read and write transactions on it.

SQLite runs in WAL mode. A write begins with BEGIN IMMEDIATE: it waits for its turn instead of failing with "database
is locked" when a read has to become a write. A read begins with a plain BEGIN and never waits. On PostgreSQL a read is
a REPEATABLE READ snapshot, as it is on SQLite.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.storage.watchdog import Watchdog

BUSY_SECONDS = 30
"""longest wait for SQLite's write lock"""
POOL_SECONDS = 5
"""longest wait for a connection to PostgreSQL from the pool"""
PATIENCE = {"connect_timeout": 3, "tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2}
"""options of PostgreSQL's client library: a lost host is noticed in seconds, not in the system's quarter of an hour"""
ATTEMPTS = 3
"""at a transaction that loses a race"""
READ_ONLY = "25006"
"""PostgreSQL: a write where only reads are allowed"""
_RACES = frozenset({"40001", "40P01"})  # PostgreSQL: serialization failure, deadlock

OUTAGE = (OperationalError, InterfaceError, PoolTimeout)
"""errors while the database is away; the same call may succeed later"""

T = TypeVar("T")


class UnsuitableDatabase(ValueError):
    """A database that cannot hold what is stored. Its text says what to do."""


def make_engine(url: URL) -> Engine:
    """Create the engine for `url`, and the folder of a SQLite file."""
    if url.get_backend_name() != "sqlite":
        engine = create_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_timeout=POOL_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,  # in errors, and so in logs: secrets are among them
            connect_args=PATIENCE,
        )
        # before SQLAlchemy asks for the version, which it cannot read in another encoding
        event.listen(engine, "connect", _check_encoding, insert=True)
        event.listen(engine, "handle_error", _note_replica)
        Watchdog(engine, PATIENCE)
        return engine
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, pool_size=10, max_overflow=40, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _check_encoding(connection: Any, _record: Any) -> None:
    """Raise UnsuitableDatabase unless a database of PostgreSQL holds texts in UTF-8."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        name = connection.info.dbname
        raise UnsuitableDatabase(
            f"the database {name!r} has the encoding {encoding}, and texts need UTF8; create one with CREATE DATABASE "
            "gatecast ENCODING 'UTF8' TEMPLATE template0, and name it in GATECAST_DATABASE_URL"
        )


def convert_error(error: BaseException | None) -> OperationalError | None:
    """Return the outage that an error of PostgreSQL is although its driver takes it for a bug; None for other errors.

    A server takes no writes once another one has become the primary.
    """
    if getattr(error, "sqlstate", None) != READ_ONLY:
        return None
    return OperationalError("", None, error, hide_parameters=True)  # type: ignore[arg-type]


def _note_replica(context: ExceptionContext) -> OperationalError | None:
    """Give up all connections to a server that takes no writes any more: new ones may lead to the primary."""
    outage = convert_error(context.original_exception)
    if outage is not None:
        context.is_disconnect = True
    return outage


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows the letters of ASCII alone


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("gatecast_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _is_race(error: DBAPIError) -> bool:
    """Say whether a statement failed because of another transaction, and might succeed now."""
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) in _RACES


class Database:
    """Transactions of one database. Services open them: one request or one job step is one transaction."""

    def __init__(self, url: URL) -> None:
        self.engine = make_engine(url)
        self.dialect = self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a snapshot that never waits for writers and must not write."""
        options: dict[str, Any] = {"gatecast_write": False}
        if self.dialect == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        with (
            Session(self.engine.execution_options(**options), expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def connect_for_reads(self) -> Connection:
        """Open a connection for its caller to keep: its driver's single statements read, each its own snapshot."""
        options: dict[str, Any] = {"gatecast_write": False}
        if self.dialect == "postgresql":  # SQLite's driver begins nothing by itself
            options["isolation_level"] = "AUTOCOMMIT"
        return self.engine.execution_options(**options).connect()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that commits when the block ends, and rolls back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def write_with_retry(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a write transaction, and again where it lost a race with another process.

        Two processes may insert the same row at once, or wait for each other. One of them fails, tries again, and
        finds the row that the other has inserted.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                with self.write() as session:
                    return work(session)
            except (IntegrityError, OperationalError) as e:
                if not _is_race(e):
                    raise
        with self.write() as session:
            return work(session)

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()
