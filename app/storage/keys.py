"""Projects and bearer keys."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.scope import Right, Scope
from app.storage.clock import now_us
from app.storage.tables import ApiKey, Project

DEFAULT_PROJECT = "default"
ALL_RIGHTS = frozenset(Right)


def get_default_scope(session: Session) -> Scope:
    """Return full rights in the project `default`, which the first migration creates."""
    project_id = session.execute(select(Project.pk).where(Project.name == DEFAULT_PROJECT)).scalar_one()
    return Scope(project_id, ALL_RIGHTS, by="anyone")


def get_project_name(session: Session, scope: Scope) -> str:
    """Return the name of the caller's project."""
    return session.execute(select(Project.name).where(Project.pk == scope.project_id)).scalar_one()


def find_scope(session: Session, digest: bytes) -> Scope | None:
    """Return the scope of the key with this digest, or None where no valid key has it."""
    query = select(ApiKey).where(ApiKey.digest == digest, ApiKey.revoked_at.is_(None))
    key = session.execute(query).scalar_one_or_none()
    if key is None:
        return None
    return Scope(key.project_id, frozenset(Right(r) for r in key.rights), f"key {key.name}", key.pk)


def is_living(session: Session, pk: int) -> bool:
    """Say whether a key exists and is not revoked."""
    query = select(ApiKey.pk).where(ApiKey.pk == pk, ApiKey.revoked_at.is_(None))
    return session.execute(query).scalar_one_or_none() is not None


def get(session: Session, pk: int) -> ApiKey | None:
    """Return the key of this number, of any project and revoked or not."""
    return session.get(ApiKey, pk)


def is_known(session: Session, digest: bytes) -> bool:
    """Say whether a key with this digest exists, revoked or not."""
    return session.execute(select(ApiKey.pk).where(ApiKey.digest == digest)).scalar_one_or_none() is not None


def create(session: Session, scope: Scope, name: str, prefix: str, digest: bytes, rights: Sequence[Right]) -> ApiKey:
    """Store a key's digest."""
    key = ApiKey(project_id=scope.project_id, name=name, prefix=prefix, digest=digest, rights=list(rights))
    session.add(key)
    session.flush()
    return key


def list_keys(session: Session, scope: Scope) -> Sequence[ApiKey]:
    """Return the project's keys, including revoked ones, oldest first."""
    query = select(ApiKey).where(ApiKey.project_id == scope.project_id).order_by(ApiKey.pk)
    return session.execute(query).scalars().all()


def revoke(session: Session, scope: Scope, pk: int) -> bool:
    """Revoke a key; False where there is no valid key of this number."""
    updated = session.execute(
        update(ApiKey)
        .where(ApiKey.project_id == scope.project_id, ApiKey.pk == pk, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now_us())
        .returning(ApiKey.pk)
    )
    return updated.scalar_one_or_none() is not None
