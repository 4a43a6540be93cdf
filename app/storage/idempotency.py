"""Queries of idempotency records."""

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.clock import now_us
from app.storage.tables import IdempotencyRecord

KEPT_US = 24 * 3600 * 1_000_000
"""microseconds for which a response is kept"""


def find(session: Session, scope: Scope, key: str, route: str) -> IdempotencyRecord | None:
    """Return the stored response to this key on this route."""
    query = select(IdempotencyRecord).where(
        IdempotencyRecord.project_id == scope.project_id,
        IdempotencyRecord.key == key,
        IdempotencyRecord.route == route,
    )
    return session.execute(query).scalar_one_or_none()


def store(session: Session, scope: Scope, **fields: Any) -> None:
    """Store a response, and delete those older than a day.

    Raises sqlalchemy.exc.IntegrityError where another call with the key was faster.
    """
    old = IdempotencyRecord.created_at < now_us() - KEPT_US
    session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.project_id == scope.project_id, old))
    session.add(IdempotencyRecord(project_id=scope.project_id, **fields))
    session.flush()
