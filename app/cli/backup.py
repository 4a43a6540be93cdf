"""`gatecast backup` and `gatecast restore`: a whole installation as one file, whatever database it is on."""

import importlib.metadata
import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from alembic.util import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url

from app.cli.copy import copy_with_progress, prepare_target
from app.config import Settings
from app.storage import migrate, references
from app.storage.artifacts import ArtifactMissing, ArtifactStore
from app.storage.backups import (
    ARTIFACTS,
    DATABASE,
    FORM,
    BackupHeader,
    BackupWriter,
    check_backup,
    read_members,
    write_backup,
)
from app.storage.copying import check_target
from app.storage.engine import Database

ATTEMPTS = 3
"""at a backup while versions are deleted meanwhile"""

LARGE = 1 << 26
"""bytes of a file that is not held in memory"""


class ArtifactsChanged(Exception):
    """Artifacts that the copied database names were deleted before they were read."""


def back_up(settings: Settings, file: Path, console: Console) -> None:
    """Write a backup of the database and the artifacts that are in use to a new file.

    Raises ValueError, with what to do instead, FileExistsError, OSError.
    """
    if file.exists():
        raise FileExistsError(f"{file} exists; name another file, or move it away")
    file.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(prefix=f".{file.name}-", dir=file.parent) as folder:
            whole = Path(folder) / "backup"
            try:
                counts = _write(settings, Path(folder), whole, console)
            except ArtifactsChanged:
                if attempt == ATTEMPTS:
                    raise ValueError("versions are deleted all the time; stop the workers for the backup") from None
                continue
            with console.status("checking the whole file"):
                check_backup(whole)
            whole.rename(file)
            break
    console.print(
        f"{file}: {counts['series']} series with {counts['observations']} observations, {counts['models']} models, "
        f"{file.stat().st_size / 1e6:.1f} MB\nIt holds the secrets of webhooks: keep it as the database is kept. "
        "'gatecast restore' puts it into an empty database."
    )


def restore(settings: Settings, file: Path, console: Console) -> None:
    """Put a backup into an empty database, and its artifacts into the store. Raises ValueError, OSError."""
    with console.status("checking the whole file"):
        header = check_backup(file)
    target = Database(settings.database)
    store = ArtifactStore(settings.artifacts)
    try:
        prepare_target(target, settings.database)
        check_target(target)
        with tempfile.TemporaryDirectory(prefix="gatecast-restore-", dir=_find_room(settings)) as folder:
            source = _unpack(file, store, Path(folder), console)
            try:
                _upgrade(source, header)
                counts = copy_with_progress(source, target, console)
            finally:
                source.dispose()
    finally:
        target.dispose()
    console.print(
        f"restored what release {header.release} backed up on {header.made_at}: {counts['series']} series with "
        f"{counts['observations']} observations, {counts['models']} models, {counts['jobs']} jobs\n"
        "Start the service. Keys are as they were; the file of the bootstrap key is not part of a backup."
    )


def _write(settings: Settings, folder: Path, whole: Path, console: Console) -> dict[str, int]:
    """Write a backup; return how many rows each table has. Raises ArtifactsChanged."""
    source = Database(settings.database)
    copied = Database(make_url(f"sqlite:///{folder / DATABASE}"))
    try:
        revision = migrate.current(source.engine)
        migrate.upgrade(copied.engine)
        counts = copy_with_progress(source, copied, console, is_backup=True)
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        release = importlib.metadata.version("gatecast")
        header = BackupHeader(form=FORM, release=release, migration=revision or "", made_at=made_at)
        with write_backup(whole, header) as writer:
            written, lost = _add_artifacts(writer, ArtifactStore(settings.artifacts), console)
            with copied.write() as session:
                missing = references.find_missing(session, written, lost)
                references.forget_files_of_attempts(session, written)
            if missing:
                raise ArtifactsChanged(missing[0])
            copied.dispose()  # which leaves one file, without a log beside it
            writer.add_file(DATABASE, folder / DATABASE)
    finally:
        source.dispose()
        copied.dispose()
    return counts


def _add_artifacts(writer: BackupWriter, store: ArtifactStore, console: Console) -> tuple[set[str], set[str]]:
    """Add all files of the artifact store; return their paths, and those of files that were deleted meanwhile.

    Raises ArtifactsChanged where one is deleted while it is read.
    """
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    written, lost = set[str](), set[str]()
    with Progress(*columns, console=console) as progress:
        for path in progress.track(store.list_all(), description="artifacts"):
            try:
                size = store.get_size(path)
                content = store.get(path) if size < LARGE else None  # a file that is replaced has another size
            except ArtifactMissing:
                lost.add(path)
                continue
            if content is not None:
                writer.add_bytes(ARTIFACTS + path, content)
            else:
                try:
                    writer.add(ARTIFACTS + path, size, store.blocks(path))
                except (ArtifactMissing, ValueError) as e:
                    raise ArtifactsChanged(path) from e
            written.add(path)
    return written, lost


def _unpack(file: Path, store: ArtifactStore, folder: Path, console: Console) -> Database:
    """Put the artifacts of a backup into the store; return its database, which lies in a folder meanwhile."""
    with console.status("artifacts"):
        for name, _, content in read_members(file):
            if name == DATABASE:
                with (folder / DATABASE).open("wb") as database:
                    shutil.copyfileobj(content, database)
            elif name.startswith(ARTIFACTS):
                store.put(name.removeprefix(ARTIFACTS), content.read())
    return Database(make_url(f"sqlite:///{folder / DATABASE}"))


def _upgrade(source: Database, header: BackupHeader) -> None:
    """Bring the database of a backup to this release. Raises ValueError for one of a newer release."""
    try:
        migrate.upgrade(source.engine)
    except CommandError as e:
        raise ValueError(
            f"the backup is of release {header.release} (migration {header.migration}), which this one cannot read; "
            "restore it with that release or a newer one"
        ) from e


def _find_room(settings: Settings) -> Path | None:
    """Return a folder of the installation's own, where there is one: temporary folders may be small."""
    with suppress(OSError):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return settings.data_dir
    return None
