"""Idempotent creation: a repeated call with the same Idempotency-Key is given the first call's answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode
from app.storage import idempotency
from app.storage.engine import Database
from app.storage.scope import Scope


@dataclass(frozen=True)
class Answer:
    """What a creating call is answered."""

    status: int
    body: dict[str, Any]
    location: str | None = None


@dataclass(frozen=True)
class Idempotency:
    """The key that a client sent, on which route, with which body."""

    key: str
    route: str
    body_digest: str


def answer_once(
    database: Database, scope: Scope, idempotency_key: Idempotency | None, make: Callable[[Session], Answer]
) -> Answer:
    """Run `make` in one transaction that also keeps its answer, or return the answer kept before.

    Raises Conflict where the key was used with another body, or is being used by a call still under way.
    """
    if idempotency_key is None:
        with database.write() as session:
            return make(session)
    try:
        with database.write() as session:
            kept = idempotency.find(session, scope, idempotency_key.key, idempotency_key.route)
            if kept is not None:
                if kept.body_digest != idempotency_key.body_digest:
                    raise Conflict(
                        ErrorCode.idempotency_key_reused,
                        "this Idempotency-Key was used with another body; use a new key for a new request",
                    )
                return Answer(kept.status, kept.body, kept.location)
            answer = make(session)
            idempotency.keep(
                session,
                scope,
                key=idempotency_key.key,
                route=idempotency_key.route,
                body_digest=idempotency_key.body_digest,
                status=answer.status,
                body=answer.body,
                location=answer.location,
            )
            return answer
    except IntegrityError as e:
        raise Conflict(
            ErrorCode.idempotency_key_reused,
            "another call with this Idempotency-Key is under way; repeat the request to get its answer",
        ) from e
