"""Queries of the audit log, which is only ever added to."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import AuditEntry


def add(session: Session, **fields: Any) -> None:
    """Insert an entry."""
    session.add(AuditEntry(**fields))
    session.flush()


def list_page(
    session: Session, scope: Scope, since: int | None, action: str | None, cursor: str | None, limit: int
) -> Page[AuditEntry]:
    """Return the entries of a project from a time on, newest first: of one action, or of those that begin with it and
    a dot. Raises CursorError."""
    query = select(AuditEntry).where(AuditEntry.project_id == scope.project_id).order_by(AuditEntry.pk.desc())
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if action is not None:
        of_kind = AuditEntry.action.startswith(f"{action}.", autoescape=True)
        query = query.where((AuditEntry.action == action) | of_kind)
    if cursor is not None:
        query = query.where(AuditEntry.pk < int(decode_cursor(cursor, int)[0]))
    rows = list(session.execute(query.limit(limit + 1)).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].pk) if len(rows) > limit else None)
