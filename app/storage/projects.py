"""Queries of projects."""

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import ApiKey, JobRow, Project

DEFAULT_PROJECT = "default"
ACTIVE = ("queued", "running")


def get(session: Session, name: str, *, lock: bool = False) -> Project | None:
    """Return a project by its name."""
    query = select(Project).where(Project.name == name)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def get_name(session: Session, pk: int) -> str:
    """Return the name of a project that exists."""
    return session.execute(select(Project.name).where(Project.pk == pk)).scalar_one()


def list_page(session: Session, cursor: str | None, limit: int) -> Page[Project]:
    """Return projects in the order in which they were made. Raises CursorError."""
    query = select(Project).order_by(Project.pk).limit(limit + 1)
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


def count_active_jobs(session: Session, project: Project) -> int:
    """Return how many jobs of a project are queued or running."""
    query = select(func.count()).select_from(JobRow)
    return session.execute(query.where(JobRow.project_id == project.pk, JobRow.status.in_(ACTIVE))).scalar_one()


def remove(session: Session, project: Project) -> None:
    """Delete a project with all that belongs to it, keys first: nothing new comes in meanwhile."""
    session.execute(delete(ApiKey).where(ApiKey.project_id == project.pk))
    session.execute(delete(Project).where(Project.pk == project.pk))
