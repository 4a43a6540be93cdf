"""Queries of projects."""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.scope import storable
from app.storage.clock import now, now_us
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import ApiKey, AuditEntry, ModelRow, Project, Table

DEFAULT_PROJECT = "default"


def get(session: Session, name: str, *, lock: bool = False) -> Project | None:
    """Return a project by its name; `lock` lets nothing be added to it before the transaction ends."""
    if not storable(name):
        return None
    query = select(Project).where(Project.name == name, Project.deleted_at.is_(None))
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def get_name(session: Session, pk: int) -> str:
    """Return the name of a project that exists."""
    return session.execute(select(Project.name).where(Project.pk == pk)).scalar_one()


def list_page(session: Session, cursor: str | None, limit: int) -> Page[Project]:
    """Return projects in the order in which they were made. Raises CursorError."""
    query = select(Project).where(Project.deleted_at.is_(None)).order_by(Project.pk).limit(limit + 1)
    if cursor is not None:
        query = query.where(Project.pk > decode_cursor(cursor, int)[0])
    rows = list(session.execute(query).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].pk) if len(rows) > limit else None)


def add(session: Session, name: str) -> Project:
    """Insert a project. Raises sqlalchemy.exc.IntegrityError where the name exists."""
    row = Project(name=name)
    session.add(row)
    session.flush()
    return row


def remove(session: Session, project: Project) -> None:
    """Delete all that belongs to a project but for its audit log, revoke its keys, and give its name free."""
    session.execute(update(ApiKey).where(ApiKey.project_id == project.pk).values(revoked_at=now_us()))
    kept = {Project.__tablename__, ApiKey.__tablename__, AuditEntry.__tablename__}
    owned = [t for t in reversed(Table.metadata.sorted_tables) if "project_id" in t.columns and t.name not in kept]
    # versions and their revisions name jobs, and go with their models
    for table in sorted(owned, key=lambda one: one.name != ModelRow.__tablename__):
        session.execute(delete(table).where(table.columns["project_id"] == project.pk))
    project.name = f"{project.name[:60]}#{project.pk}"  # no project can be called so
    project.deleted_at = now(session)
    session.flush()
