"""`gatecast backup` and `gatecast restore`: an installation as one file, and back, on either database."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from fastapi.testclient import TestClient
from rich.console import Console
from sqlalchemy import select, update

from app.cli.backup import back_up, restore
from app.config import Settings
from app.main import create_app
from app.storage import leases, migrate
from app.storage.artifacts import ArtifactStore
from app.storage.backups import BackupDamaged
from app.storage.engine import Database
from app.storage.tables import JobRow, VersionRow
from tests.cli.test_copy import answers, filled, postgresql
from tests.e2e.servers import Server
from tests.trained import Trained

pytestmark = [pytest.mark.one_database, pytest.mark.training]

__all__ = ["filled", "postgresql"]


@pytest.fixture
def console() -> Iterator[Console]:
    with Path("/dev/null").open("w") as nowhere:
        yield Console(width=200, record=True, file=nowhere)


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Callable[[str], Settings]:
    """Makes settings of an installation with nothing in it, by the address of its database."""
    made = iter(range(100))

    def make(url: str) -> Settings:
        folder = tmp_path / f"elsewhere{next(made)}"
        return settings.model_copy(update={"database_url": url, "data_dir": folder, "artifacts_url": None})

    return make


def test_what_is_restored_answers_the_same_on_either_database(
    filled: TestClient,
    settings: Settings,
    database: Database,
    postgresql: Server,
    elsewhere: Callable[[str], Settings],
    tmp_path: Path,
    console: Console,
) -> None:
    before = answers(filled)
    with database.write() as session:  # a worker runs meanwhile
        leases.renew(session, "w1", "host", ["cpu"], 1000)
    first = tmp_path / "monday.backup"
    back_up(settings, first, console)
    assert "3 series with" in console.export_text()
    assert first.stat().st_mode & 0o077 == 0
    there = elsewhere(postgresql.database(migrated=False))
    restore(there, first, console)
    with TestClient(create_app(there)) as client:
        assert answers(client) == before
        assert client.post("/series", json={"id": "new", "freq": "h"}).status_code == 201
    # and from there to a file again, and back to SQLite
    second = tmp_path / "tuesday.backup"
    back_up(there, second, console)
    back = elsewhere(f"sqlite:///{tmp_path / 'back.db'}")
    restore(back, second, console)
    with TestClient(create_app(back)) as client:
        assert answers(client) != before  # one series more
        client.delete("/series/new")
        assert answers(client) == before
    assert ArtifactStore(back.artifacts).list_all() == ArtifactStore(settings.artifacts).list_all() != []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_jobs_go_on_without_files_that_were_gone(
    filled: TestClient,
    settings: Settings,
    database: Database,
    elsewhere: Callable[[str], Settings],
    tmp_path: Path,
    console: Console,
) -> None:
    store = ArtifactStore(settings.artifacts)
    store.put("1/jobs/x/snapshot", b"data")
    with database.write() as session:
        named = {"snapshot": "1/jobs/x/snapshot", "checkpoint": "1/jobs/x/gone"}
        session.execute(update(JobRow).where(JobRow.status == "queued").values(**named))
    back_up(settings, tmp_path / "file", console)
    back = elsewhere(f"sqlite:///{tmp_path / 'back.db'}")
    restore(back, tmp_path / "file", console)
    restored = Database(back.database)
    with restored.read() as session:
        rows = session.execute(select(JobRow.snapshot, JobRow.checkpoint).where(JobRow.status == "queued")).all()
        assert set(rows) == {("1/jobs/x/snapshot", None)}
    restored.dispose()
    assert ArtifactStore(back.artifacts).get("1/jobs/x/snapshot") == b"data"


def test_what_cannot_be_backed_up_or_restored_is_refused(
    filled: TestClient,
    settings: Settings,
    database: Database,
    elsewhere: Callable[[str], Settings],
    tmp_path: Path,
    console: Console,
) -> None:
    file = tmp_path / "file"
    back_up(settings, file, console)
    with pytest.raises(FileExistsError, match="exists; name another file"):
        back_up(settings, file, console)
    with pytest.raises(ValueError, match="name an empty database"):
        restore(settings, file, console)
    with database.write() as session:
        session.execute(update(VersionRow).values(artifact="1/models/9/gone"))
    with pytest.raises(ValueError, match="versions are deleted all the time"):
        back_up(settings, tmp_path / "other", console)
    assert not (tmp_path / "other").exists()


def repack(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Write a backup anew with other members."""
    unpacked = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.read_bytes()))
    with unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    change(members)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    file.write_bytes(zstandard.compress(packed.getvalue()))


def _alter(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.startswith("artifacts/"))
    members[name] = b"x" + members[name][1:]


def _lead_out(members: dict[str, bytes]) -> None:
    members["artifacts/../../evil"] = b"x"


def _leave_out(members: dict[str, bytes]) -> None:
    del members["database.db"]


def _come_from_the_future(members: dict[str, bytes]) -> None:
    told = orjson.loads(members["gatecast-backup.json"]) | {"form": 2, "release": "9.0"}
    members["gatecast-backup.json"] = orjson.dumps(told)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_alter, "is not what was written"),
        (_lead_out, "a member that no backup has"),
        (_leave_out, "not the whole of one"),
        (_come_from_the_future, "written by release 9.0"),
    ],
)
def test_a_file_that_was_altered_restores_nothing(
    client: TestClient,
    settings: Settings,
    elsewhere: Callable[[str], Settings],
    tmp_path: Path,
    console: Console,
    change: Callable[[dict[str, bytes]], None],
    reason: str,
) -> None:
    ArtifactStore(settings.artifacts).put("1/models/1/a-1/manifest.json", b"{}")
    file = tmp_path / "file"
    back_up(settings, file, console)
    repack(file, change)
    back = elsewhere(f"sqlite:///{tmp_path / 'back.db'}")
    with pytest.raises(BackupDamaged, match=reason):
        restore(back, file, console)
    assert not (tmp_path / "back.db").exists()
    assert ArtifactStore(back.artifacts).list_all() == []


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_a_file_that_is_cut_off_restores_nothing(
    client: TestClient,
    settings: Settings,
    elsewhere: Callable[[str], Settings],
    tmp_path: Path,
    console: Console,
    keep: int,
) -> None:
    file = tmp_path / "file"
    back_up(settings, file, console)
    file.write_bytes(file.read_bytes()[:keep])
    back = elsewhere(f"sqlite:///{tmp_path / 'back.db'}")
    with pytest.raises(BackupDamaged, match="take another file"):
        restore(back, file, console)
    assert not (tmp_path / "back.db").exists()


def test_a_backup_of_the_release_before_is_migrated(
    settings: Settings, elsewhere: Callable[[str], Settings], tmp_path: Path, console: Console, trained: Trained
) -> None:
    """What it has is the database of a release; that of an older one is brought up to this one's."""
    with TestClient(create_app(settings)) as client:
        assert client.post("/series", json={"id": "a", "freq": "h"}).status_code == 201
    file = tmp_path / "file"
    back_up(settings, file, console)

    def age(members: dict[str, bytes]) -> None:
        old = tmp_path / "old.db"
        old.write_bytes(members["database.db"])
        database = Database(settings.model_copy(update={"database_url": f"sqlite:///{old}"}).database)
        migrate.downgrade(database.engine, "0006")
        database.dispose()
        members["database.db"] = old.read_bytes()
        digests: dict[str, Any] = orjson.loads(members["sha256.json"])

        digests["database.db"] = hashlib.sha256(members["database.db"]).hexdigest()
        members["sha256.json"] = orjson.dumps(digests)

    repack(file, age)
    back = elsewhere(f"sqlite:///{tmp_path / 'back.db'}")
    restore(back, file, console)
    with TestClient(create_app(back)) as client:
        assert [one["id"] for one in client.get("/series").json()["items"]] == ["a"]
