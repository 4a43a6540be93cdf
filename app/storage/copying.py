"""Copying a whole database to another: from SQLite to PostgreSQL, back, or between two of a kind.

The source is read in one snapshot; what is written is one transaction, so that a copy that fails leaves nothing. Rows
keep their keys. Values go in bulk: of PostgreSQL by COPY, whatever they come from. What only matters to running
processes, and the job engine's own tables, is not copied.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Table as SqlTable
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.orm import Session

from app.storage import leases, migrate
from app.storage.binary import encode_copy
from app.storage.dialects import use_driver
from app.storage.engine import Database
from app.storage.tables import CovariateValue, JobRow, Observation, Project, Table, WorkerLease

MISSING = "9e999"
"""an infinite number, which no value is: NULL on the way into an array of numbers"""
SMALL_ROWS = 2000
"""rows of small tables that are in memory at a time"""
LARGE_ROWS = 50_000
"""the same of values"""
VALUES: dict[str, Sequence[tuple[Sequence[str], str, str]]] = {
    Observation.__tablename__: [(("series_pk", "ts"), "y", "")],
    CovariateValue.__tablename__: [
        (("series_pk", "covariate_pk", "ts"), "value", "WHERE level IS NULL"),
        (("series_pk", "covariate_pk", "ts"), "level", "WHERE level IS NOT NULL"),
    ],
}
"""of the tables of values: keys, the value, and the rows that have it"""

Progress = Callable[[str, int, int], None]
"""is told a table, the rows that are copied of it, and how many it has"""
Enqueue = Callable[[Session, JobRow], None]
"""adds a job to the job engine of the database that the session writes to"""


def copy_database(
    source: Database, target: Database, enqueue: Enqueue, on_progress: Progress, *, needs_idle: bool = True
) -> dict[str, int]:
    """Copy all rows of a database to an empty one of the same release; return how many each table has.

    Jobs that have not ended are enqueued. `needs_idle`: no worker may run on the source, since what it does then would
    not be in the copy. Raises ValueError, with what to do, where the source is of another release or
    workers still run on it, where the target holds anything, and where not all rows have arrived.
    """
    _check_release(source)
    tables = [table for table in Table.metadata.sorted_tables if table.name != WorkerLease.__tablename__]
    with source.read() as reading, target.write() as writing:
        if needs_idle:
            _check_idle(reading)
        _check_empty(writing, tables)
        writing.execute(delete(Project))  # the migration has made the default one, which the source has too
        counts = {table.name: _count(reading, table) for table in tables}
        for table in tables:
            copied = 0
            for rows in _copy_table(reading, writing, table):
                copied += rows
                on_progress(table.name, copied, counts[table.name])
            arrived = _count(writing, table)
            if arrived != counts[table.name]:
                expected = counts[table.name]
                raise ValueError(f"{arrived} of {expected} rows of {table.name} have arrived; nothing is kept")
        if target.dialect == "postgresql":
            _set_sequences(writing, tables)
        for job in writing.scalars(select(JobRow).where(JobRow.status.in_(["queued", "running"]))):
            enqueue(writing, job)
    return counts


def check_target(target: Database) -> None:
    """Raise ValueError where a database that has the tables holds anything."""
    with target.read() as session:
        _check_empty(
            session, [table for table in Table.metadata.sorted_tables if table.name != WorkerLease.__tablename__]
        )


def _check_release(source: Database) -> None:
    current, head = migrate.current(source.engine), migrate.head()
    if current is None:
        raise ValueError("the source has no tables of Gatecast; is its address right?")
    if current != head:
        raise ValueError(
            f"the source is at migration {current}, this release needs {head}; run gatecast migrate with its address "
            "as GATECAST_DATABASE_URL first"
        )


def _check_idle(reading: Session) -> None:
    living = leases.list_living(reading)
    if living:
        raise ValueError(f"{len(living)} workers run on the source; stop them, and what serves it, and copy then")


def _check_empty(writing: Session, tables: Sequence[SqlTable]) -> None:
    for table in tables:
        if table.name != Project.__tablename__ and writing.execute(select(table).limit(1)).first() is not None:
            raise ValueError(f"the target holds {table.name} already; name an empty database")


def _count(session: Session, table: SqlTable) -> int:
    return session.execute(select(func.count()).select_from(table)).scalar_one()


def _copy_table(reading: Session, writing: Session, table: SqlTable) -> Iterator[int]:
    """Copy a table, and yield how many rows each step has copied."""
    parts = VALUES.get(table.name)
    if parts is None:
        rows = reading.execute(select(table), execution_options={"yield_per": SMALL_ROWS}).mappings()
        for some in rows.partitions():
            writing.execute(insert(table), [dict(row) for row in some])
            yield len(some)
        return
    for keys, value, where in parts:
        yield from _copy_values(reading, writing, table.name, keys, value, where)


def _copy_values(
    reading: Session, writing: Session, table: str, keys: Sequence[str], value: str, where: str
) -> Iterator[int]:
    """Copy keys and one value of the rows that have it."""
    columns = ", ".join((*keys, value))
    is_text = value == "level"
    with use_driver(writing) as driver:
        if writing.get_bind().dialect.name == "sqlite":
            marks = ", ".join("?" * (len(keys) + 1))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - names of this package
            for rows in _read_rows(reading, f"SELECT {columns} FROM {table} {where}"):  # noqa: S608
                driver.executemany(statement, rows)
                yield len(rows)
            return
        wanted = ", ".join((*keys, value if is_text else f"coalesce({value}, {MISSING})"))
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            yield from _send(copy, _read_rows(reading, f"SELECT {wanted} FROM {table} {where}"), is_text=is_text)  # noqa: S608


def _send(copy: Any, batches: Iterator[list[Any]], *, is_text: bool) -> Iterator[int]:
    """Send batches of rows as one COPY: its header comes once, and its end after the last."""
    header, end = encode_copy([np.empty(0, np.int64)])
    copy.write(header)
    for rows in batches:
        for piece in list(encode_copy(_to_columns(rows, is_text=is_text)))[1:-1]:
            copy.write(piece)
        yield len(rows)
    copy.write(end)


def _to_columns(rows: list[Any], *, is_text: bool) -> list[NDArray[Any]]:
    """Return rows as columns (N,): keys as integers, then numbers with NaN where missing, or texts."""
    *keys, values = zip(*rows, strict=True)
    columns: list[NDArray[Any]] = [np.array(key, np.int64) for key in keys]
    if is_text:
        return [*columns, np.array(values, object)]
    numbers = np.array(values, np.float64)
    numbers[np.isinf(numbers)] = np.nan
    return [*columns, numbers]


def _read_rows(reading: Session, statement: str) -> Iterator[list[Any]]:
    """Yield the rows of a statement in batches; of PostgreSQL through a cursor of the server's."""
    with use_driver(reading) as driver:
        is_sqlite = reading.get_bind().dialect.name == "sqlite"
        cursor = driver.cursor() if is_sqlite else driver.cursor("gatecast_copy")
        if not is_sqlite:
            statement = statement.replace(MISSING, "'Infinity'::double precision")
        try:
            cursor.execute(statement)
            while rows := cursor.fetchmany(LARGE_ROWS):
                yield rows
        finally:
            cursor.close()


def _set_sequences(writing: Session, tables: Sequence[SqlTable]) -> None:
    """Let new rows go on after the keys that were copied."""
    for table in tables:
        if "pk" not in table.columns:
            continue
        statement = (
            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'pk'), coalesce(max(pk), 1), max(pk) IS NOT NULL) "  # noqa: S608
            f"FROM {table.name}"
        )
        writing.execute(text(statement))
