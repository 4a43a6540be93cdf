"""Removal of what no job and no version needs any more: files, and old archived forecasts."""

from typing import Literal

from app.logs import get_logger
from app.storage import archive, jobs, registry
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database

log = get_logger(__name__)

FolderKind = Literal["state", "result", "version"]
UNSUCCESSFUL = ("failed", "cancelled")
SWEPT_AT_ONCE = 5000
"""archived forecasts that one transaction deletes"""


def collect_garbage(database: Database, store: ArtifactStore) -> list[str]:
    """Remove the files of ended jobs, and of versions that were deleted or never published; return their folders.

    A job's row is older than its files, and a version is published in the transaction that ends its job. So a folder
    that belongs to an ended job is needed by nobody unless a version points to it, or it is the result of a job that
    has succeeded. Files of jobs that this database does not know stay: another database may share the store.
    """
    folders = _list_folders(store)
    with database.read() as session:
        statuses = jobs.get_statuses(session, {job_id for job_id, _ in folders.values()})
        of_versions = [folder for folder, (_, kind) in folders.items() if kind == "version"]
        referenced = registry.find_referenced(session, of_versions)
    removable = [
        folder
        for folder, (job_id, kind) in folders.items()
        if statuses.get(job_id) in (UNSUCCESSFUL if kind == "result" else jobs.ENDED) and folder not in referenced
    ]
    for folder in removable:
        store.remove(folder)
    if removable:
        log.info("files_collected", folders=len(removable))
    return removable


def sweep_archive(database: Database, days: float) -> None:
    """Delete archived forecasts that are older than so many days."""
    total = 0
    while True:  # a transaction each, so that others can write in between
        with database.write() as session:
            deleted = archive.delete_old(session, days, SWEPT_AT_ONCE)
        total += deleted
        if deleted < SWEPT_AT_ONCE:
            break
    if total:
        log.info("archive_swept", forecasts=total)


def _list_folders(store: ArtifactStore) -> dict[str, tuple[str, FolderKind]]:
    """Return {folder: (its job, what of it)} of everything that jobs have written."""
    folders: dict[str, tuple[str, FolderKind]] = {}
    for project in store.list_names(""):
        for job_id in store.list_names(f"{project}/jobs"):
            folders[f"{project}/jobs/{job_id}"] = (job_id, "state")
        for job_id in store.list_names(f"{project}/results"):
            folders[f"{project}/results/{job_id}"] = (job_id, "result")
        for model in store.list_names(f"{project}/models"):
            for name in store.list_names(f"{project}/models/{model}"):
                folders[f"{project}/models/{model}/{name}"] = (name.rpartition("-")[0], "version")
    return folders
