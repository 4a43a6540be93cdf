"""The file of a backup: a database as a SQLite file, and the artifacts that it names, packed as a tar of Zstandard.

Its first member says what it is; its last one has the SHA-256 of every other, by which a file that is damaged or cut
off is known before anything is restored from it. Members have plain names: none leads out of a folder.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import orjson
import zstandard
from pydantic import BaseModel, ValidationError

HEADER = "gatecast-backup.json"
DATABASE = "database.db"
ARTIFACTS = "artifacts/"
DIGESTS = "sha256.json"
FORM = 1
"""of the file: what reads it has to know it"""
LEVEL = 3
"""of Zstandard"""
BLOCK = 1 << 20
LARGEST_DOCUMENT = 1 << 30
"""bytes of the members that are read whole"""
_NAME = re.compile(r"[\w.+=@ -]+(/[\w.+=@ -]+)*", re.ASCII)


class BackupHeader(BaseModel):
    """What a backup says of itself."""

    form: int
    release: str
    """of Gatecast"""
    migration: str
    made_at: str
    """RFC 3339"""


class BackupDamaged(ValueError):
    """A file is no backup, or not the whole of one. Its text says what is wrong."""


def is_plain(name: str) -> bool:
    """Say whether a name stays in the folder that it is put into."""
    return _NAME.fullmatch(name) is not None and not any(part in (".", "..") for part in name.split("/"))


@dataclass
class BackupWriter:
    """Adds members to a backup."""

    _tar: tarfile.TarFile
    _digests: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, size: int, blocks: Iterator[bytes]) -> None:
        """Add a member of so many bytes. Raises ValueError where there are more or fewer, or for a name that leads
        elsewhere."""
        if not is_plain(name):
            raise ValueError(f"{name!r} cannot be a member of a backup")
        member = tarfile.TarInfo(name)
        member.size = size
        member.mode = 0o600
        reader = _Hashed(blocks)
        self._tar.addfile(member, reader)
        if reader.size != size or next(blocks, b""):
            raise ValueError(f"{name} has changed while it was read")
        self._digests[name] = reader.digest.hexdigest()

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a member that is in memory."""
        self.add(name, len(content), iter([content]))

    def add_file(self, name: str, path: Path) -> None:
        """Add a file."""
        with path.open("rb") as file:
            self.add(name, path.stat().st_size, iter(lambda: file.read(BLOCK), b""))

    def finish(self) -> None:
        """Add the digests of all members."""
        self.add_bytes(DIGESTS, orjson.dumps(self._digests))


@contextmanager
def write_backup(path: Path, header: BackupHeader) -> Iterator[BackupWriter]:
    """Write a backup to a new file, which others may not read. Raises FileExistsError."""
    path.touch(mode=0o600, exist_ok=False)
    with (
        path.open("wb") as raw,
        zstandard.ZstdCompressor(LEVEL, threads=-1).stream_writer(raw) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        writer = BackupWriter(tar)
        writer.add_bytes(HEADER, header.model_dump_json().encode())
        yield writer
        writer.finish()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as e:
        raise BackupDamaged(f"{path.name} is no backup, or not the whole of one ({e}); take another file") from e


def read_members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield each member's name, its size, and what reads it until the next one is asked for. Raises BackupDamaged."""
    with (
        _reading(path),
        path.open("rb") as raw,
        zstandard.ZstdDecompressor().stream_reader(raw) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|") as tar,
    ):
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is None or not is_plain(member.name):
                raise BackupDamaged(f"{path.name} has a member that no backup has: {member.name[:200]!r}")
            yield member.name, member.size, file


def check_backup(path: Path) -> BackupHeader:
    """Return what a whole and undamaged backup says of itself. Raises BackupDamaged, and OSError."""
    digests: dict[str, str] = {}
    documents: dict[str, bytes] = {}
    with _reading(path):
        for name, size, file in read_members(path):
            if name in (HEADER, DIGESTS):
                if size > LARGEST_DOCUMENT:
                    raise BackupDamaged(f"{path.name} has a {name} of {size} bytes; take another file")
                documents[name] = file.read()
                digests[name] = hashlib.sha256(documents[name]).hexdigest()
            else:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if not {HEADER, DIGESTS, DATABASE} <= digests.keys():
        raise BackupDamaged(f"{path.name} is no backup, or not the whole of one; take another file")
    header = _read_header(path, documents[HEADER])
    told = orjson.loads(documents[DIGESTS])
    del digests[DIGESTS]
    if digests != told:
        wrong = sorted(name for name in digests.keys() | told.keys() if digests.get(name) != told.get(name))
        raise BackupDamaged(f"{path.name} is damaged: {wrong[0]!r} is not what was written; take another file")
    return header


def _read_header(path: Path, content: bytes) -> BackupHeader:
    try:
        header = BackupHeader.model_validate_json(content)
    except ValidationError as e:
        raise BackupDamaged(f"{path.name} does not say what it is; take another file") from e
    if header.form != FORM:
        raise BackupDamaged(f"{path.name} was written by release {header.release}; restore it with that one or a newer")
    return header


class _Hashed(io.RawIOBase):
    """Reads blocks one after another, and knows what it has read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""
        self.digest = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            block = next(self._blocks, b"")
            if not block:
                break
            self._rest += block
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        self.digest.update(taken)
        self.size += len(taken)
        return taken
