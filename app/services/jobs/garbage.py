"""Files that no job and no version needs any more."""

from app.logs import get_logger
from app.storage import archive, jobs, registry
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database

log = get_logger(__name__)

SWEPT_AT_ONCE = 5000


def collect_garbage(database: Database, store: ArtifactStore) -> list[str]:
    """Remove the files of ended jobs, and of versions that were deleted or never published; return their folders.

    A job's row is older than its files, and a version is published in the transaction that ends its job. So what
    belongs to an ended job and no version points to is needed by nobody. Files of jobs that this database does not
    know stay: a store may be shared with another one.
    """
    left = _list_folders(store)
    with database.read() as session:
        known = jobs.get_statuses(session, {job_id for job_id, _ in left.values()})
        wanted = registry.find_referenced(session, [folder for folder, (_, version) in left.items() if version])
    gone = [
        folder
        for folder, (job_id, _) in left.items()
        if known.get(job_id, "unknown") in jobs.ENDED and folder not in wanted
    ]
    for folder in gone:
        store.remove(folder)
    if gone:
        log.info("files_collected", folders=len(gone))
    return gone


def sweep_archive(database: Database, days: float) -> None:
    """Delete archived forecasts that are older."""
    swept = 0
    while True:  # a transaction each, so that others can write in between
        with database.write() as session:
            gone = archive.delete_old(session, days, SWEPT_AT_ONCE)
        swept += gone
        if gone < SWEPT_AT_ONCE:
            break
    if swept:
        log.info("archive_swept", forecasts=swept)


def _list_folders(store: ArtifactStore) -> dict[str, tuple[str, bool]]:
    """Return {folder: (its job, whether it is of a version)} of everything that jobs have written."""
    found: dict[str, tuple[str, bool]] = {}
    for project in store.entries(""):
        for job_id in store.entries(f"{project}/jobs"):
            found[f"{project}/jobs/{job_id}"] = (job_id, False)
        for model in store.entries(f"{project}/models"):
            for name in store.entries(f"{project}/models/{model}"):
                found[f"{project}/models/{model}/{name}"] = (name.rpartition("-")[0], True)
    return found
