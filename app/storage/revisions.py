"""Queries of the revisions of versions. A version's own row says which one serves, and where its files are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.storage.tables import RevisionRow, VersionRow

CHUNK = 500
"""folders or versions of one statement"""
TRAINED = "as it was trained"
"""reason of revision 0"""


@dataclass(frozen=True)
class VersionRevision:
    """A version as one of its revisions, whose files can be loaded."""

    row: VersionRow
    revision: int
    revision_pk: int | None
    """of a revision that was looked up; None of what serves, which the version's row tells"""
    artifact: str
    """the folder of its files"""
    digest: str
    """the sha256 of its manifest"""

    @property
    def pk(self) -> int:
        """The version's primary key."""
        return self.row.pk

    @property
    def number(self) -> int:
        """The version's number within the model."""
        return self.row.number


def get_serving(row: VersionRow) -> VersionRevision:
    """Return a version as the revision that serves."""
    return VersionRevision(row, row.revision, None, row.artifact, row.digest)


def get_files(session: Session, row: VersionRow, number: int) -> VersionRevision | None:
    """Return a version as one of its revisions; None where there is no such, or its files are not kept."""
    if number == 0 and row.revision == 0:
        return get_serving(row)
    revision = get(session, row, number)
    if revision is None or revision.artifact is None or revision.digest is None:
        return None
    return VersionRevision(row, number, revision.pk, revision.artifact, revision.digest)


def get(session: Session, row: VersionRow, number: int) -> RevisionRow | None:
    """Return a revision; number 0 has no row before the first refresh."""
    query = select(RevisionRow).where(RevisionRow.version_pk == row.pk, RevisionRow.number == number)
    return session.execute(query).scalar_one_or_none()


def list_newest(session: Session, rows: Sequence[VersionRow], most: int) -> dict[int, list[RevisionRow]]:
    """Return {version_pk: its newest revisions, at most so many, in the order in which they were made}.

    The version as it was trained is none of them.
    """
    newest: dict[int, list[RevisionRow]] = {row.pk: [] for row in rows}
    rank = func.row_number().over(partition_by=RevisionRow.version_pk, order_by=RevisionRow.number.desc())
    for start in range(0, len(rows), CHUNK):
        chosen = (
            select(RevisionRow.pk, rank.label("rank"))
            .where(RevisionRow.version_pk.in_([row.pk for row in rows[start : start + CHUNK]]), RevisionRow.number > 0)
            .subquery()
        )
        query = select(RevisionRow).join(chosen, chosen.c.pk == RevisionRow.pk).where(chosen.c.rank <= most)
        for revision in session.execute(query.order_by(RevisionRow.number)).scalars():
            newest[revision.version_pk].append(revision)
    return newest


def add(session: Session, row: VersionRow, fields: dict[str, Any]) -> RevisionRow:
    """Insert the next revision of a version whose model is locked, and let it serve if it is promoted."""
    query = select(RevisionRow.number).where(RevisionRow.version_pk == row.pk)
    last = session.execute(query.order_by(RevisionRow.number.desc()).limit(1)).scalar_one_or_none()
    if last is None:
        session.add(_describe_trained(row))
    revision = RevisionRow(version_pk=row.pk, number=(last or 0) + 1, **fields)
    session.add(revision)
    session.flush()
    if revision.promoted and revision.artifact is not None and revision.digest is not None:
        serve(row, VersionRevision(row, revision.number, revision.pk, revision.artifact, revision.digest))
    return revision


def serve(row: VersionRow, revision: VersionRevision) -> None:
    """Let a revision be the one that a version serves as."""
    row.revision = revision.revision
    row.artifact = revision.artifact
    row.digest = revision.digest


def _describe_trained(row: VersionRow) -> RevisionRow:
    return RevisionRow(
        version_pk=row.pk,
        number=0,
        promoted=True,
        reason=TRAINED,
        metrics={},
        artifact=row.artifact,
        digest=row.digest,
        created_at=row.created_at,
    )


def forget_old(session: Session, row: VersionRow, kept: int) -> list[str]:
    """Let go of the files of all revisions but the newest `kept`, the one that serves and number 0.

    Returns their folders, to be removed once the transaction has ended; what is recorded of them stays.
    """
    with_files = select(RevisionRow).where(RevisionRow.version_pk == row.pk, RevisionRow.artifact.is_not(None))
    spared = (0, row.revision)
    query = with_files.where(RevisionRow.number.not_in(spared)).order_by(RevisionRow.number.desc()).offset(kept)
    folders = []
    for revision in session.execute(query).scalars().all():
        assert revision.artifact is not None
        folders.append(revision.artifact)
        revision.artifact = None
        revision.digest = None
    return folders


def list_artifacts(session: Session, version_pks: Collection[int]) -> list[str]:
    """Return the folders of the revisions of some versions."""
    pks = list(version_pks)
    folders: list[str] = []
    for start in range(0, len(pks), CHUNK):
        of_some = select(RevisionRow.artifact).where(RevisionRow.version_pk.in_(pks[start : start + CHUNK]))
        query = of_some.where(RevisionRow.artifact.is_not(None))
        folders += [folder for folder in session.execute(query).scalars() if folder is not None]
    return folders


def find_referenced(session: Session, folders: Sequence[str]) -> set[str]:
    """Return which of these folders a revision points to."""
    referenced = set[str]()
    for start in range(0, len(folders), CHUNK):
        query = select(RevisionRow.artifact).where(RevisionRow.artifact.in_(folders[start : start + CHUNK]))
        referenced.update(folder for folder in session.execute(query).scalars() if folder is not None)
    return referenced
