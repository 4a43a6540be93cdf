"""Full disks, as clients are told of them: the errors are those of the kernel and of the databases."""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Pool, event, text

from app.api.http.uploads import IN_MEMORY
from app.services.ingest import spill
from app.services.outages import explain_full_disk
from app.storage.engine import Database

FULL = Path("/dev/full")
"""where every write finds no room"""
HEADER = b"unique_id,ds,y\n"


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not FULL.exists():
        pytest.skip("this system has no /dev/full")
    with ExitStack() as files:

        def open_full(*_args: Any, **_options: Any) -> Any:
            return files.enter_context(FULL.open("w+b", buffering=0))

        monkeypatch.setattr(tempfile, "TemporaryFile", open_full)
        yield


def send(client: TestClient, rows: int) -> Any:
    lines = (f"a,2024-{1 + n // 672 % 12:02d}-{1 + n // 24 % 28:02d}T{n % 24:02d}:00Z,{n}\n" for n in range(rows))
    table = HEADER + "".join(lines).encode()
    return client.post("/series/import", content=table, headers={"content-type": "text/csv"})


def check_full(response: Any) -> None:
    assert (response.status_code, response.json()["code"]) == (503, "storage_full")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "60"
    assert "free space" in response.json()["detail"]


@pytest.mark.one_database
@pytest.mark.usefixtures("full_disk")
def test_a_table_that_finds_no_room_while_it_is_received_changes_nothing(client: TestClient) -> None:
    check_full(send(client, IN_MEMORY // 20))
    assert client.get("/series").json()["items"] == []
    assert send(client, 5).status_code == 200  # small ones stay in memory


@pytest.mark.one_database
@pytest.mark.usefixtures("full_disk")
def test_rows_that_find_no_room_while_they_wait_change_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill.PartitionedRows.__init__, "__defaults__", (1000, spill.MOST_BYTES))
    check_full(send(client, 1000))
    assert client.get("/series").json()["items"] == []


@pytest.mark.one_database
def test_another_error_of_a_file_is_a_bug(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    failed = send(client, IN_MEMORY // 20)
    assert (failed.status_code, failed.json()["code"]) == (500, "internal_error")


@pytest.mark.one_database
def test_a_full_sqlite_is_no_outage(client: TestClient, database: Database) -> None:
    with database.read() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()

    def limit(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Pool, "checkout", limit)
    try:
        refused = client.post("/series", json={"id": "a", "freq": "h", "description": "x" * 9_999})
    finally:
        event.remove(Pool, "checkout", limit)
    check_full(refused)
    assert client.get("/series/a").status_code == 404


@pytest.mark.one_database("postgresql")
def test_a_full_postgresql_is_no_outage(client: TestClient, database: Database) -> None:
    with database.write() as session:
        body = "BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END"
        session.execute(text(f"CREATE FUNCTION refuse() RETURNS trigger AS $${body}$$ LANGUAGE plpgsql"))
        session.execute(text("CREATE TRIGGER full_disk BEFORE INSERT ON series EXECUTE FUNCTION refuse()"))
    check_full(client.post("/series", json={"id": "a", "freq": "h"}))
    assert client.get("/series/a").status_code == 404


@pytest.mark.one_database
def test_a_sqlite_that_cannot_be_written_is_read_on(client: TestClient) -> None:
    assert client.post("/series", json={"id": "a", "freq": "h"}).status_code == 201

    def forbid(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute("PRAGMA query_only=ON")

    def allow(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA query_only=OFF")

    event.listen(Pool, "checkout", forbid)
    event.listen(Pool, "checkin", allow)
    try:
        check_read_only(client)
    finally:
        event.remove(Pool, "checkout", forbid)
        event.remove(Pool, "checkin", allow)
    assert client.post("/series", json={"id": "b", "freq": "h"}).status_code == 201


@pytest.mark.one_database("postgresql")
def test_a_postgresql_that_is_no_longer_the_primary_is_away(client: TestClient, database: Database) -> None:
    """Reads go on; each write is told to come again, and takes a new connection, which may lead to the primary."""
    assert client.post("/series", json={"id": "a", "freq": "h"}).status_code == 201
    url = database.engine.url
    admin = Database(url.set(database="postgres"))
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        setting = f'ALTER DATABASE "{url.database}" SET default_transaction_read_only'
        connection.execute(text(f"{setting} = on"))
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name"
        assert connection.execute(text(ended), {"name": url.database}).scalar_one() >= 1
        check_read_only(client)
        table = HEADER + b"a,2024-01-01T00:00Z,1\n"
        refused = client.post("/series/import", content=table, headers={"content-type": "text/csv"})
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        connection.execute(text(f"{setting} = off"))
    admin.dispose()
    created = client.post("/series", json={"id": "b", "freq": "h"})
    assert created.status_code == 201, "although nobody has ended the connections"


def check_read_only(client: TestClient) -> None:
    """Check that a write is refused for now, and that reads go on."""
    refused = client.post("/series", json={"id": "b", "freq": "h"})
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused.headers["retry-after"] == "2"
    assert "takes no writes now" in refused.json()["detail"]
    assert [one["id"] for one in client.get("/series").json()["items"]] == ["a"]


def test_a_quota_is_a_full_disk_and_other_errors_are_bugs() -> None:
    explained = explain_full_disk(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert explained is not None
    assert (explained.status, explained.code) == (503, "storage_full")
    assert explain_full_disk(OSError(errno.EACCES, "Permission denied")) is None
