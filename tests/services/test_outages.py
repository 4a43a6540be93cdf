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


def test_a_quota_is_a_full_disk_and_other_errors_are_bugs() -> None:
    explained = explain_full_disk(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert explained is not None
    assert (explained.status, explained.code) == (503, "storage_full")
    assert explain_full_disk(OSError(errno.EACCES, "Permission denied")) is None
