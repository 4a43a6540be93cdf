"""Hypertables: the statements as text, since no server here has the extension, and the refusals."""

import pytest

from app.storage import timescale
from app.storage.engine import Database
from app.storage.tables import Table
from app.storage.timescale import check_version, list_column_statements, list_statements, make_hypertables


def test_statements_for_observations() -> None:
    now, table, integer_now = list_statements("observations")
    assert now.startswith("CREATE OR REPLACE FUNCTION gatecast_now_us() RETURNS bigint LANGUAGE sql STABLE")
    assert "extract(epoch FROM now()) * 1000000" in now
    assert table == (
        "SELECT create_hypertable('observations', by_range('ts', BIGINT '7776000000000'), "
        "create_default_indexes => FALSE, if_not_exists => TRUE, migrate_data => TRUE)"
    )
    assert integer_now == ("SELECT set_integer_now_func('observations', 'gatecast_now_us', replace_if_exists => TRUE)")


def test_old_values_are_kept_by_series() -> None:
    assert list_column_statements("covariate_values") == [
        "ALTER TABLE covariate_values SET (timescaledb.enable_columnstore = TRUE, "
        "timescaledb.segmentby = 'series_pk, covariate_pk', timescaledb.orderby = 'ts')",
        "CALL add_columnstore_policy('covariate_values', after => BIGINT '15552000000000', if_not_exists => TRUE)",
    ]


@pytest.mark.parametrize("name", timescale.TABLES)
def test_every_key_holds_the_time_and_begins_with_what_a_read_names(name: str) -> None:
    columns = [column.name for column in Table.metadata.tables[name].primary_key]
    assert columns == [*timescale.TABLES[name].split(", "), "ts"]


@pytest.mark.parametrize("version", ["2.18.0", "2.26.4", "3.0.0", "2.20.0-dev"])
def test_versions_that_do(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize(
    ("version", "wanted"), [(None, "CREATE EXTENSION timescaledb"), ("2.17.2", "2.18 or newer"), ("1.9", "has Timesc")]
)
def test_versions_that_do_not(version: str | None, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        check_version(version)


def test_a_database_without_it_is_left_alone(database: Database) -> None:
    wanted = "leave --timescale out" if database.dialect == "sqlite" else "Gatecast works without it"
    with pytest.raises(ValueError, match=wanted):
        make_hypertables(database.engine)
