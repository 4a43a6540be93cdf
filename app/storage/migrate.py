"""Migrations of the schema: running them, and checking whether they have been run."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

import migrations
from app.storage.tables import Table

FOLDER = Path(migrations.__file__).parent


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to `revision`."""
    command.upgrade(_config(engine), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Bring the schema down to `revision`; `base` leaves no table."""
    command.downgrade(_config(engine), revision)


def head() -> str | None:
    """Return the newest revision that this code knows."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def current(engine: Engine) -> str | None:
    """Return the revision of the database's schema, without waiting for who writes."""
    with engine.execution_options(gatecast_write=False).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_ours(name: str | None, kind: str, _parents: object = None) -> bool:
    """Say whether a table in the database is this project's and not the job engine's."""
    return kind != "table" or name in Table.metadata.tables


def differences(engine: Engine) -> list[object]:
    """Return the differences between the tables in code and in the database."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        return list(compare_metadata(context, Table.metadata))
