"""One history for both databases: up, down, and in step with the tables in code."""

from app.config import Settings
from app.storage import keys, migrate
from app.storage.engine import Database


def test_tables_agree_with_the_code(database: Database) -> None:
    assert migrate.current(database.engine) == migrate.head()
    assert migrate.differences(database.engine) == []


def test_down_to_nothing_and_up_again(database: Database) -> None:
    migrate.downgrade(database.engine, "base")
    assert migrate.current(database.engine) is None
    migrate.upgrade(database.engine)
    assert migrate.differences(database.engine) == []
    with database.read() as session:
        assert keys.get_default_scope(session).project_id == 1


def test_upgrade_is_repeatable(settings: Settings, database: Database) -> None:
    migrate.upgrade(database.engine)
    assert migrate.current(database.engine) == migrate.head()
