"""What the database names of the artifact store."""

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.storage.tables import JobRow, RevisionRow, VersionRow


def find_missing(session: Session, paths: Collection[str], lost: Collection[str]) -> list[str]:
    """Return the folders of versions and revisions of which no file is among `paths`, or one among `lost`."""
    folders = {path.rsplit("/", 1)[0] for path in paths} - {path.rsplit("/", 1)[0] for path in lost}
    named = [*session.execute(select(VersionRow.artifact)).scalars()]
    named += session.execute(select(RevisionRow.artifact).where(RevisionRow.artifact.is_not(None))).scalars()
    return sorted(folder for folder in set(named) if folder not in folders)


def forget_files_of_attempts(session: Session, paths: Collection[str]) -> None:
    """Forget the data and the states of jobs that are not among `paths`: their next attempt begins anew."""
    rows = session.execute(select(JobRow.id, JobRow.snapshot, JobRow.checkpoint)).all()
    for job_id, snapshot, checkpoint in rows:
        if snapshot is not None and snapshot not in paths:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(snapshot=None, checkpoint=None))
        elif checkpoint is not None and checkpoint not in paths:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(checkpoint=None))
