"""Queries of the secret that signs a project's links. All processes share it, and it is never shown."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.dialects import insert_for
from app.storage.tables import LinkSecret


def get(session: Session, scope: Scope) -> bytes | None:
    """Return the project's secret, or None before its first link."""
    query = select(LinkSecret.secret).where(LinkSecret.project_id == scope.project_id)
    return session.execute(query).scalar_one_or_none()


def get_or_create(session: Session, scope: Scope, secret: bytes) -> bytes:
    """Store a secret unless the project has one, and return the project's secret. Needs a write transaction."""
    insert = insert_for(session, LinkSecret).values(project_id=scope.project_id, secret=secret)
    session.execute(insert.on_conflict_do_nothing(index_elements=["project_id"]))
    stored = get(session, scope)
    assert stored is not None
    return stored
