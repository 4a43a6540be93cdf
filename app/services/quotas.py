"""Quotas: how much a project may have, held in the transaction that adds to it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.errors import ErrorCode, Forbidden
from app.scope import Scope
from app.storage import usage

WORDS = {
    "observations": "stored observations",
    "series": "series",
    "models": "models",
    "jobs": "jobs queued and running",
    "trainings_per_day": "trainings within 24 hours",
}


def hold_quota(session: Session, scope: Scope, **added: int) -> None:
    """Raise Forbidden where a transaction has added something, and the project now has more than it may.

    Where there is a limit, transactions that add to a project take turns, so that two together do not pass it.
    """
    _check(session, scope, [name for name, count in added.items() if count], more=0)


def reserve_quota(session: Session, scope: Scope, *names: str) -> None:
    """Raise Forbidden where a project would have more than it may with one more of each, before they are added."""
    _check(session, scope, names, more=1)


def _check(session: Session, scope: Scope, names: Sequence[str], *, more: int) -> None:
    if not names or not any(name in usage.get_quotas(session, scope) for name in names):
        return
    quotas = usage.get_quotas(session, scope, lock=True)
    session.flush()
    for name in names:
        limit = quotas.get(name)
        used = usage.COUNTS[name](session, scope) + more if limit is not None else 0
        if limit is not None and used > limit:
            detail = (
                f"the project may have {limit} {WORDS[name]}, and this would make {used}; delete some, or ask who runs "
                "the service for more (PUT /projects/{name})"
            )
            raise Forbidden(ErrorCode.quota_exceeded, detail)
