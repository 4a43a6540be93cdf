"""Sessions of browsers that have logged in."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.scope import Right, Scope
from app.storage.clock import now_us
from app.storage.tables import LoginSession


def add(session: Session, scope: Scope, digest: bytes, lifetime: int) -> None:
    """Store a session that lasts so many microseconds."""
    rights = [right for right in Right if right in scope.rights]
    expires_at = now_us() + lifetime
    row = LoginSession(project_id=scope.project_id, who=scope.by, rights=rights, digest=digest, expires_at=expires_at)
    session.add(row)
    session.flush()


def find(session: Session, digest: bytes) -> LoginSession | None:
    """Return the session with this digest, unless it is over."""
    query = select(LoginSession).where(LoginSession.digest == digest, LoginSession.expires_at > now_us())
    return session.execute(query).scalar_one_or_none()


def make_scope(row: LoginSession) -> Scope:
    """Return what somebody who has logged in may do."""
    return Scope(row.project_id, frozenset(Right(right) for right in row.rights), row.who)


def delete_expired(session: Session) -> None:
    """Forget the sessions that are over."""
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= now_us()))
