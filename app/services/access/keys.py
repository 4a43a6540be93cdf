"""Bearer keys: 256 random bits, shown once, stored as a digest."""

import contextlib
import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ErrorCode, NotFound, Unauthorized
from app.scope import Right, Scope
from app.storage import keys
from app.storage.engine import OUTAGE, Database
from models.calendar.timestamps import format_stamp

PREFIX = "gk_"
OUTAGE_PAUSE_SECONDS = 1.0
"""time after a failed read in which callers with a cached key do not wait for the database again"""
MOST_CACHED = 1000
"""keys that this process remembers for an outage of the database"""
SHORTEST_BOOTSTRAP = 20
"""characters"""
NO_KEY = "send a key: Authorization: Bearer gk_…; 'gatecast keys create NAME' makes one"


@dataclass(frozen=True)
class NewKey:
    """A key that was just created; `secret` is stored nowhere."""

    number: int
    secret: str


@dataclass(eq=False)
class Caller:
    """The bearer of a key, as this process last knew it."""

    scope: Scope
    verified_at: float = field(default_factory=time.monotonic)
    """monotonic seconds of the last time that the database confirmed the key"""

    def offline_scope(self, seconds: float) -> Scope | None:
        """Return the scope while the database is away: to read, if the key was confirmed within so many seconds."""
        if time.monotonic() - self.verified_at > seconds:
            return None
        return replace(self.scope, rights=self.scope.rights & {Right.read})


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class KeyService:
    """Creates, lists and revokes keys, and authenticates requests."""

    def __init__(self, database: Database, auth: bool, stale_seconds: float = 0.0) -> None:
        """Set up the service.

        Args:
            database: where the keys are
            auth: whether requests need a key; without it, all of them have the scope of the project `default`
            stale_seconds: while the database is away, a key that was confirmed within them may still read
        """
        self._database = database
        self._auth = auth
        self._stale_seconds = stale_seconds
        self._default: Scope | None = None
        self._lock = threading.Lock()
        self._cached: OrderedDict[bytes, Caller] = OrderedDict()
        """callers whose key was confirmed, by its digest, the latest last"""
        self._retry_at = 0.0
        """monotonic seconds before which a cached key does not wait for the database"""

    def authenticate(self, secret: str | None) -> Scope:
        """Return the scope of a key's bearer. Raises Unauthorized."""
        if not self._auth:
            return self._default_scope()
        if not secret:
            raise _unauthorized(NO_KEY)
        scope = self._find_scope(_digest(secret.strip()))
        if scope is None:
            raise unknown_key()
        return scope

    def _find_scope(self, digest: bytes) -> Scope | None:
        """Return the scope of a key. Raises OUTAGE where the database is away and the key was not confirmed lately."""
        cached = self._cached.get(digest)
        offline_scope = cached.offline_scope(self._stale_seconds) if cached is not None else None
        if offline_scope is not None and time.monotonic() < self._retry_at:
            return offline_scope
        try:
            with self._database.read() as session:
                scope = keys.find_scope(session, digest)
        except OUTAGE as e:
            if isinstance(e, PoolTimeout) or offline_scope is None:  # busy is not away
                raise
            self._retry_at = time.monotonic() + OUTAGE_PAUSE_SECONDS
            return offline_scope
        self._cache(digest, scope)
        return scope

    def find_cached(self, secret: str | None) -> "Caller | None":
        """Return the cached bearer of a key, which the caller has to confirm with the database.

        None where only `authenticate` can tell. Raises Unauthorized where no key was sent.
        """
        if not self._auth:
            return Caller(self._default) if self._default is not None else None
        if not secret:
            raise _unauthorized(NO_KEY)
        return self._cached.get(_digest(secret.strip()))

    def _cache(self, digest: bytes, scope: Scope | None) -> None:
        with self._lock:
            self._cached.pop(digest, None)
            if scope is not None:
                self._cached[digest] = Caller(scope)
                while len(self._cached) > MOST_CACHED:
                    self._cached.popitem(last=False)

    def describe_access(self, scope: Scope) -> dict[str, Any]:
        """Return what a caller may do, as clients see it: the one place that names a key's rights to its bearer."""
        with self._database.read() as session:
            key = keys.get(session, scope.key) if scope.key is not None else None
            project = keys.get_project_name(session, scope)
        return {
            "auth": "on" if self._auth else "off",
            "project": project,
            "rights": [right for right in Right if right in scope.rights],
            "key": key.name if key is not None else None,
        }

    def create(self, name: str, *, read_only: bool = False) -> NewKey:
        """Create a key of the project `default`."""
        secret = PREFIX + secrets.token_urlsafe(32)
        return NewKey(self._store(name, secret, [Right.read] if read_only else list(Right)), secret)

    def _store(self, name: str, secret: str, rights: list[Right]) -> int:
        with self._database.write() as session:
            scope = keys.get_default_scope(session)
            return keys.create(session, scope, name, secret[: len(PREFIX) + 6], _digest(secret), rights).pk

    def bootstrap(self, file: Path) -> bool:
        """Store the content of a file as a key, unless it was stored before: a revoked key stays revoked.

        Returns whether the key is new.

        Raises ValueError for a weak one.
        """
        secret = file.read_text().strip()
        if len(secret) < SHORTEST_BOOTSTRAP:
            raise ValueError(f"the key in {file} must have at least {SHORTEST_BOOTSTRAP} characters")
        with self._database.read() as session:
            exists = keys.is_known(session, _digest(secret))
        if not exists:
            with contextlib.suppress(IntegrityError):  # another process has just stored it
                self._store("bootstrap", secret, list(Right))
        return not exists

    def list(self) -> list[dict[str, Any]]:
        """Return the keys of the project `default`, without their secrets."""
        with self._database.read() as session:
            return [
                {
                    "number": row.pk,
                    "name": row.name,
                    "prefix": row.prefix,
                    "rights": row.rights,
                    "created_at": format_stamp(row.created_at, "UTC"),
                    "revoked_at": format_stamp(row.revoked_at, "UTC"),
                }
                for row in keys.list_keys(session, keys.get_default_scope(session))
            ]

    def revoke(self, number: int) -> None:
        """Revoke a key at once. Raises NotFound."""
        with self._database.write() as session:
            if not keys.revoke(session, keys.get_default_scope(session), number):
                raise NotFound(ErrorCode.not_found, f"there is no valid key {number}; 'gatecast keys list' shows them")

    def _default_scope(self) -> Scope:
        if self._default is None:
            with self._database.read() as session:
                self._default = keys.get_default_scope(session)
        return self._default


def unknown_key() -> Unauthorized:
    """Return the error for a key that is unknown or revoked."""
    return _unauthorized("this key is unknown or revoked; 'gatecast keys create NAME' makes a new one")


def _unauthorized(detail: str) -> Unauthorized:
    return Unauthorized(ErrorCode.unauthorized, detail, headers={"WWW-Authenticate": "Bearer"})
