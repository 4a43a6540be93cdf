"""Idempotent creation: a repeated call with the same Idempotency-Key gets the first call's response."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode
from app.scope import Scope
from app.storage import idempotency
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
    database: Database, scope: Scope, idempotency_key: Idempotency | None, make: Callable[[Session], ServiceResponse]
) -> ServiceResponse:
    """Run `make` in one transaction that also stores its response, or return the response stored before.

    `make` may run twice, if another process makes the same thing at the same moment. Raises Conflict where the key
    was used with another body.
    """
    if idempotency_key is None:
        return database.write_with_retry(make)
    key = idempotency_key

    def once(session: Session) -> ServiceResponse:
        return _find(session, scope, key) or _store(session, scope, key, make(session))

    return database.write_with_retry(once)


def find_response(database: Database, scope: Scope, idempotency_key: Idempotency | None) -> ServiceResponse | None:
    """Return the response stored before, for a call that takes long to make one. Raises Conflict as `respond_once`."""
    if idempotency_key is None:
        return None
    with database.read() as session:
        return _find(session, scope, idempotency_key)


def _find(session: Session, scope: Scope, key: Idempotency) -> ServiceResponse | None:
    record = idempotency.find(session, scope, key.key, key.route)
    if record is None:
        return None
    if record.body_digest != key.body_digest:
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
        body_digest=key.body_digest,
        status=answer.status,
        body=answer.body,
        location=answer.location,
    )
    return answer
