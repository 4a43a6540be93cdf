"""Bearer keys. A key is one secret, or two while it is rotated; its number is that of the first."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from app.scope import Right, Scope
from app.storage.clock import now_us
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.projects import DEFAULT_PROJECT
from app.storage.tables import ApiKey, Project

ALL_RIGHTS = frozenset(Right)


def key_number() -> ColumnElement[int]:
    """Return the number of the key that a secret belongs to."""
    return func.coalesce(ApiKey.family, ApiKey.pk)


def is_valid() -> ColumnElement[bool]:
    """Return whether a secret is neither revoked nor expired."""
    return ApiKey.revoked_at.is_(None) & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now_us())


def get_default_scope(session: Session) -> Scope:
    """Return full rights in the project `default`, which the first migration creates."""
    project_id = session.execute(select(Project.pk).where(Project.name == DEFAULT_PROJECT)).scalar_one()
    return Scope(project_id, ALL_RIGHTS, by="anyone")


def find_secret(session: Session, digest: bytes) -> ApiKey | None:
    """Return the valid secret with this digest."""
    return session.execute(select(ApiKey).where(ApiKey.digest == digest, is_valid())).scalar_one_or_none()


def make_scope(row: ApiKey) -> Scope:
    """Return what the bearer of a secret may do."""
    rights = frozenset(Right(right) for right in row.rights)
    return Scope(row.project_id, rights, f"key {row.name}", row.pk, tuple(sorted((row.labels or {}).items())))


def is_living(session: Session, pk: int) -> bool:
    """Say whether a secret is valid."""
    return session.execute(select(ApiKey.pk).where(ApiKey.pk == pk, is_valid())).scalar_one_or_none() is not None


def find_newest(session: Session, pk: int) -> ApiKey | None:
    """Return the newest valid secret of the key that a secret belongs to."""
    number = select(key_number()).where(ApiKey.pk == pk).scalar_subquery()
    query = select(ApiKey).where(key_number() == number, is_valid()).order_by(ApiKey.pk.desc()).limit(1)
    return session.execute(query).scalar_one_or_none()


def get(session: Session, pk: int) -> ApiKey | None:
    """Return the secret of this number, of any project and revoked or not."""
    return session.get(ApiKey, pk)


def is_known(session: Session, digest: bytes) -> bool:
    """Say whether a secret with this digest exists, revoked or not."""
    return session.execute(select(ApiKey.pk).where(ApiKey.digest == digest)).scalar_one_or_none() is not None


def create(
    session: Session,
    project_id: int,
    name: str,
    prefix: str,
    digest: bytes,
    rights: Sequence[Right],
    *,
    family: int | None = None,
    expires_at: int | None = None,
    labels: Mapping[str, str] | None = None,
) -> ApiKey:
    """Store a secret's digest; `family` is the number of its key, None for a new one."""
    key = ApiKey(
        project_id=project_id,
        name=name,
        prefix=prefix,
        digest=digest,
        rights=list(rights),
        family=family,
        expires_at=expires_at,
        labels=labels,
    )
    session.add(key)
    session.flush()
    return key


def list_secrets(session: Session, scope: Scope) -> Sequence[ApiKey]:
    """Return the project's secrets, including revoked ones, oldest first."""
    query = select(ApiKey).where(ApiKey.project_id == scope.project_id).order_by(ApiKey.pk)
    return session.execute(query).scalars().all()


def list_page(session: Session, project_id: int, cursor: str | None, limit: int) -> Page[ApiKey]:
    """Return the newest secret of each valid key of a project, in the order of their numbers. Raises CursorError."""
    newest = select(func.max(ApiKey.pk)).where(ApiKey.project_id == project_id, is_valid()).group_by(key_number())
    query = select(ApiKey).where(ApiKey.pk.in_(newest)).order_by(key_number()).limit(limit + 1)
    if cursor is not None:
        query = query.where(key_number() > int(decode_cursor(cursor, int)[0]))
    rows = list(session.execute(query).scalars())
    return Page(rows[:limit], encode_cursor(number_of(rows[limit - 1])) if len(rows) > limit else None)


def list_valid(session: Session, project_id: int | None, number: int, *, lock: bool = False) -> list[ApiKey]:
    """Return the valid secrets of a key, of a project or of any, newest first; `lock` keeps others from giving it one
    or taking one away before the transaction ends."""
    if lock:  # first the row that is always there: a secret that is made meanwhile is seen by the next statement
        session.execute(select(ApiKey.pk).where(ApiKey.pk == number).with_for_update()).all()
    query = select(ApiKey).where(key_number() == number, is_valid()).order_by(ApiKey.pk.desc())
    if project_id is not None:
        query = query.where(ApiKey.project_id == project_id)
    return list(session.execute(query).scalars())


def number_of(row: ApiKey) -> int:
    """Return the number of the key that a secret belongs to."""
    return row.pk if row.family is None else row.family


def revoke(session: Session, pks: Sequence[int]) -> None:
    """Revoke secrets."""
    session.execute(update(ApiKey).where(ApiKey.pk.in_(pks)).values(revoked_at=now_us()))


def note_use(session: Session, pk: int) -> None:
    """Store that a secret was used now."""
    session.execute(update(ApiKey).where(ApiKey.pk == pk).values(last_used_at=now_us()))
