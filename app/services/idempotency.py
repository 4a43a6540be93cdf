"""Idempotent creation: a repeated call with the same Idempotency-Key gets the first call's response."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode
from app.scope import Scope
from app.storage import call_locks, idempotency
from app.storage.engine import Database


@dataclass(frozen=True)
class ServiceResponse:
    """Status, body and `Location` of the response to a creating call."""

    status: int
    body: dict[str, Any]
    location: str | None = None


@dataclass(frozen=True)
class Idempotency:
    """An Idempotency-Key, the route that it was sent to, and the digest of the body that came with it."""

    key: str
    route: str
    body_digest: str


def respond_once(
    database: Database,
    scope: Scope,
    idempotency_key: Idempotency | None,
    make: Callable[[Session], ServiceResponse],
    *,
    is_held: bool = False,
) -> ServiceResponse:
    """Run `make` in one transaction that also stores its response, or return the response stored before.

    `make` may run twice, if another process makes the same thing at the same moment. `is_held`: the call is one of
    `respond_to_long`. Raises Conflict where the key was used with another body, or a call with it runs now.
    """
    if idempotency_key is None:
        return database.write_with_retry(make)
    key = idempotency_key
    name = _name(scope, key)

    def once(session: Session) -> ServiceResponse:
        if not is_held and not call_locks.try_in(session, name):
            raise _is_running()
        return _find(session, scope, key) or _store(session, scope, key, make(session))

    if is_held:
        return database.write_with_retry(once)
    with call_locks.hold_here(database, name) as is_free:
        if not is_free:
            raise _is_running()
        return database.write_with_retry(once)


def respond_to_long(
    database: Database, scope: Scope, idempotency_key: Idempotency | None, run: Callable[[], ServiceResponse]
) -> ServiceResponse:
    """Return the response stored before, or else that of `run`, which takes several transactions; the last is one of
    `respond_once`. Raises Conflict as that does."""
    if idempotency_key is None:
        return run()
    with call_locks.hold(database, _name(scope, idempotency_key)) as is_free:
        if not is_free:
            raise _is_running()
        with database.read() as session:
            answered = _find(session, scope, idempotency_key)
        return answered or run()


def _find(session: Session, scope: Scope, key: Idempotency) -> ServiceResponse | None:
    record = idempotency.find(session, scope, key.key, key.route)
    if record is None:
        return None
    if record.body_digest != _digest(scope, key):
        raise Conflict(
            ErrorCode.idempotency_key_reused,
            "this Idempotency-Key was used with another body; use a new key for a new request",
        )
    return ServiceResponse(record.status, record.body, record.location)


def _store(session: Session, scope: Scope, key: Idempotency, answer: ServiceResponse) -> ServiceResponse:
    idempotency.store(
        session,
        scope,
        key=key.key,
        route=key.route,
        body_digest=_digest(scope, key),
        status=answer.status,
        body=answer.body,
        location=answer.location,
    )
    return answer


def _name(scope: Scope, key: Idempotency) -> str:
    """Return what a call with a key holds while it runs."""
    return f"{scope.project_id}\n{key.key}\n{key.route}"


def _digest(scope: Scope, key: Idempotency) -> str:
    """Return the digest of what was sent and of what its sender sees: others are not told of it."""
    if not scope.labels:
        return key.body_digest
    return hashlib.sha256(f"{key.body_digest}\n{scope.labels!r}".encode()).hexdigest()


def _is_running() -> Conflict:
    return Conflict(
        ErrorCode.idempotency_key_in_use,
        "a call with this Idempotency-Key runs now; send it again to get its answer",
        headers={"Retry-After": "1"},
    )
