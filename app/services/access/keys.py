"""Bearer keys of requests: whose they are, and what they may do."""

import contextlib
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ErrorCode, NotFound, Unauthorized
from app.logs import get_logger
from app.scope import Right, Scope
from app.services.access.secrets import SHOWN, digest_secret, is_mistyped, make_secret
from app.storage import keys, projects
from app.storage.engine import OUTAGE, Database
from app.storage.tables import ApiKey
from models.calendar.timestamps import format_stamp

log = get_logger(__name__)

OUTAGE_PAUSE_SECONDS = 1.0
"""time after a failed read in which callers with a cached key do not wait for the database again"""
MOST_CACHED = 1000
"""keys that this process remembers for an outage of the database"""
NOTED_SECONDS = 60.0
"""between two notes of when a key was used last"""
SHORTEST_BOOTSTRAP = 20
"""characters"""
ORDINARY = (Right.read, Right.forecast, Right.write, Right.train)
"""scopes of a key for which none are named"""
READING = ORDINARY[:2]
"""scopes of a key that is to change nothing, and what a key may still do while the database is away"""
MISTYPED = "this key is mistyped: its last six characters do not fit the others; copy it again"
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
    expires_at: int | None = None
    """microseconds UTC"""
    noted_at: float = float("-inf")
    """monotonic seconds of the last time that its use was noted"""

    def offline_scope(self, seconds: float) -> Scope | None:
        """Return the scope while the database is away: to read and forecast, if the key was confirmed within so many
        seconds."""
        is_over = self.expires_at is not None and time.time_ns() // 1000 >= self.expires_at
        if is_over or time.monotonic() - self.verified_at > seconds:
            return None
        return replace(self.scope, rights=self.scope.rights.intersection(READING))


class KeyService:
    """Authenticates requests; makes the first keys."""

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
        self._notes = ThreadPoolExecutor(1, "key-use")
        self._noting: set[int] = set()
        """secrets whose use is about to be noted"""
        self._retry_at = 0.0
        """monotonic seconds before which a cached key does not wait for the database"""

    @property
    def is_open(self) -> bool:
        """Whether nobody needs a key."""
        return not self._auth

    def authenticate(self, secret: str | None) -> Scope:
        """Return the scope of a key's bearer. Raises Unauthorized."""
        if not self._auth:
            return self._default_scope()
        if not secret:
            raise _unauthorized(NO_KEY)
        scope = self._find_scope(digest_secret(secret.strip()))
        if scope is None:
            raise _unauthorized(MISTYPED) if is_mistyped(secret.strip()) else unknown_key()
        return scope

    def _find_scope(self, digest: bytes) -> Scope | None:
        """Return the scope of a key. Raises OUTAGE where the database is away and the key was not confirmed lately."""
        cached = self._cached.get(digest)
        offline_scope = cached.offline_scope(self._stale_seconds) if cached is not None else None
        if offline_scope is not None and time.monotonic() < self._retry_at:
            return offline_scope
        try:
            with self._database.read() as session:
                row = keys.find_secret(session, digest)
        except OUTAGE as e:
            if isinstance(e, PoolTimeout) or offline_scope is None:  # busy is not away
                raise
            self._retry_at = time.monotonic() + OUTAGE_PAUSE_SECONDS
            return offline_scope
        return self._cache(digest, row)

    def find_cached(self, secret: str | None) -> "Caller | None":
        """Return the cached bearer of a key, which the caller has to confirm with the database.

        None where only `authenticate` can tell. Raises Unauthorized where no key was sent.
        """
        if not self._auth:
            return Caller(self._default) if self._default is not None else None
        if not secret:
            raise _unauthorized(NO_KEY)
        caller = self._cached.get(digest_secret(secret.strip()))
        if caller is not None:
            self._note_use(caller)
        return caller

    def _cache(self, digest: bytes, row: ApiKey | None) -> Scope | None:
        """Remember what a secret is now, and return its scope; None where it is not valid."""
        with self._lock:
            before = self._cached.pop(digest, None)
            if row is None:
                return None
            noted_at = before.noted_at if before is not None else float("-inf")
            caller = self._cached[digest] = Caller(keys.make_scope(row), expires_at=row.expires_at, noted_at=noted_at)
            while len(self._cached) > MOST_CACHED:
                self._cached.popitem(last=False)
        self._note_use(caller)
        return caller.scope

    def _note_use(self, caller: Caller) -> None:
        """Let the database know that a key is used, once a minute at most, and without anybody waiting for it."""
        moment = time.monotonic()
        pk = caller.scope.key
        if pk is not None and moment - caller.noted_at >= NOTED_SECONDS and pk not in self._noting:
            caller.noted_at = moment
            self._noting.add(pk)
            with contextlib.suppress(RuntimeError):  # the service is being stopped
                self._notes.submit(self._write_use, pk)

    def _write_use(self, pk: int) -> None:
        try:
            with self._database.write() as session:
                keys.note_use(session, pk)
        except Exception as e:  # the next minute may be better
            log.warning("key_use_not_noted", detail=str(e)[:200])
        finally:
            self._noting.discard(pk)

    def close(self) -> None:
        """End the note that is being written, and take no more."""
        self._notes.shutdown(cancel_futures=True)

    def describe_access(self, scope: Scope) -> dict[str, Any]:
        """Return what a caller may do, as clients see it: the one place that names a key's rights to its bearer."""
        with self._database.read() as session:
            key = keys.get(session, scope.key) if scope.key is not None else None
            project = projects.get_name(session, scope.project_id)
        return {
            "auth": "on" if self._auth else "off",
            "project": project,
            "rights": [right for right in Right if right in scope.rights],
            "key": key.name if key is not None else None,
            "who": scope.by,
            "labels": dict(scope.labels),
        }

    def create(self, name: str, *, read_only: bool = False) -> NewKey:
        """Create a key of the project `default`, which may read and forecast, and else write and train too."""
        secret = make_secret()
        return NewKey(self._store(name, secret, list(READING if read_only else ORDINARY)), secret)

    def _store(self, name: str, secret: str, rights: list[Right]) -> int:
        with self._database.write() as session:
            scope = keys.get_default_scope(session)
            return keys.create(session, scope.project_id, name, secret[:SHOWN], digest_secret(secret), rights).pk

    def bootstrap(self, file: Path) -> bool:
        """Store the content of a file as a key that may do everything, unless it was stored before: a revoked key stays
        revoked.

        Returns whether the key is new.

        Raises ValueError for a weak one.
        """
        secret = file.read_text().strip()
        if len(secret) < SHORTEST_BOOTSTRAP:
            raise ValueError(f"the key in {file} must have at least {SHORTEST_BOOTSTRAP} characters")
        with self._database.read() as session:
            exists = keys.is_known(session, digest_secret(secret))
        if not exists:
            with contextlib.suppress(IntegrityError):  # another process has just stored it
                self._store("bootstrap", secret, list(Right))
        return not exists

    def list(self) -> list[dict[str, Any]]:
        """Return the secrets of keys of the project `default`, revoked ones too."""
        with self._database.read() as session:
            return [
                {
                    "number": keys.number_of(row),
                    "name": row.name,
                    "prefix": row.prefix,
                    "rights": row.rights,
                    "labels": row.labels or {},
                    "created_at": format_stamp(row.created_at, "UTC"),
                    "expires_at": format_stamp(row.expires_at, "UTC"),
                    "last_used_at": format_stamp(row.last_used_at, "UTC"),
                    "revoked_at": format_stamp(row.revoked_at, "UTC"),
                }
                for row in keys.list_secrets(session, keys.get_default_scope(session))
            ]

    def revoke(self, number: int) -> None:
        """Revoke a key of the project `default` at once. Raises NotFound."""
        with self._database.write() as session:
            rows = keys.list_valid(session, keys.get_default_scope(session).project_id, number, lock=True)
            if not rows:
                raise NotFound(ErrorCode.not_found, f"there is no valid key {number}; 'gatecast keys list' shows them")
            keys.revoke(session, [row.pk for row in rows])

    def _default_scope(self) -> Scope:
        if self._default is None:
            with self._database.read() as session:
                self._default = keys.get_default_scope(session)
        return self._default


def unknown_key() -> Unauthorized:
    """Return the error for a key that is unknown, revoked or expired."""
    return _unauthorized("this key is unknown, revoked or expired; 'gatecast keys create NAME' makes a new one")


def _unauthorized(detail: str) -> Unauthorized:
    return Unauthorized(ErrorCode.unauthorized, detail, headers={"WWW-Authenticate": "Bearer"})
