"""Keeping observations and covariate values in hypertables of TimescaleDB, where a server has it.

A hypertable is cut by time into chunks; old chunks are kept by columns, which are smaller. Keys and statements stay
as they are: every key holds the time, and an upsert finds its row in a chunk of either kind.
"""

from sqlalchemy import Connection, Engine

TABLES = {"observations": "series_pk", "covariate_values": "series_pk, covariate_pk"}
"""tables, and the columns whose values are stored together: those that a read names"""
DAY = 86_400_000_000
"""microseconds"""
CHUNK = 90 * DAY
"""the time of a chunk: three million rows of the 30 000 daily series of M5"""
COLUMNS_AFTER = 2 * CHUNK
"""age from which a chunk is kept by columns: what is still written to stays in rows"""
LEAST_VERSION = (2, 18)
"""the first release with the columnstore's present names"""

_NOW = """CREATE OR REPLACE FUNCTION gatecast_now_us() RETURNS bigint LANGUAGE sql STABLE
AS $$ SELECT (extract(epoch FROM now()) * 1000000)::bigint $$"""


def list_statements(table: str) -> list[str]:
    """Return the statements that make a table a hypertable; run again, they change nothing."""
    return [
        _NOW,
        f"SELECT create_hypertable('{table}', by_range('ts', BIGINT '{CHUNK}'), "
        "create_default_indexes => FALSE, if_not_exists => TRUE, migrate_data => TRUE)",
        f"SELECT set_integer_now_func('{table}', 'gatecast_now_us', replace_if_exists => TRUE)",
    ]


def list_column_statements(table: str) -> list[str]:
    """Return the statements that keep a hypertable's old chunks by columns; run again, they change nothing."""
    return [
        f"ALTER TABLE {table} SET (timescaledb.enable_columnstore = TRUE, "
        f"timescaledb.segmentby = '{TABLES[table]}', timescaledb.orderby = 'ts')",
        f"CALL add_columnstore_policy('{table}', after => BIGINT '{COLUMNS_AFTER}', if_not_exists => TRUE)",
    ]


def check_version(version: str | None) -> None:
    """Raise ValueError where a database has no TimescaleDB (None), or one that is too old."""
    if version is None:
        raise ValueError(
            "this database has no TimescaleDB; install it on the server, run CREATE EXTENSION timescaledb in this "
            "database as its superuser, and run this again. Gatecast works without it"
        )
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise ValueError(f"this database has TimescaleDB {version}; upgrade it to {least} or newer")


def make_hypertables(engine: Engine) -> None:
    """Make hypertables of observations and covariate values, and keep old values by columns where the licence allows.

    All rows are copied in one transaction, and nobody reads or writes them meanwhile. Raises ValueError on SQLite and
    where the extension is missing or too old.
    """
    if engine.dialect.name != "postgresql":
        raise ValueError("TimescaleDB extends PostgreSQL, and this database is SQLite; leave --timescale out")
    with engine.connect() as connection, connection.begin():
        check_version(_find_version(connection))
        for table in TABLES:
            for statement in list_statements(table):
                connection.exec_driver_sql(statement)
        if connection.exec_driver_sql("SHOW timescaledb.license").scalar_one() != "timescale":
            return  # the Apache edition has no columnstore
        for table in TABLES:
            for statement in list_column_statements(table):
                connection.exec_driver_sql(statement)


def _find_version(connection: Connection) -> str | None:
    query = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    version: str | None = connection.exec_driver_sql(query).scalar_one_or_none()
    return version
