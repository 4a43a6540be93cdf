"""The audit log: who did what, from where, and what was there before and after.

An entry is written in the transaction of what it records: one without the other cannot be. What is stored as data
(observations, covariate values, samples) and what is only read has none; deletions have.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.logs import client_address, request_id
from app.scope import Scope
from app.services.moments import parse_moment
from app.services.paging import convert_cursor_errors
from app.storage import audit, keys
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import AuditEntry
from models.calendar.timestamps import format_stamp

LONGEST = 300
"""characters of a target"""
View = Mapping[str, Any] | None


def record(
    session: Session, scope: Scope, action: str, target: str, *, before: View = None, after: View = None
) -> None:
    """Write down what is done in this transaction.

    Args:
        session: of what is done
        scope: who does it
        action: what, such as `series.delete`
        target: to which thing, by its name or id
        before: the thing as clients saw it; None where it is new, or nothing of it changes
        after: the thing as clients see it then; None where it is deleted
    """
    key = None if scope.key is None else keys.get(session, scope.key)
    audit.add(
        session,
        project_id=scope.project_id,
        who=scope.by,
        key=None if key is None else keys.number_of(key),
        action=action,
        target=target[:LONGEST],
        request_id=request_id.get(),
        address=client_address.get(),
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
    )


class AuditService:
    """The operations behind /audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, scope: Scope, since: str | None, action: str | None, cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return a page of a project's entries, newest first. Raises Invalid for a bad time or cursor."""
        start = None if since is None else parse_moment(since, "query.since")
        with self._database.read() as session, convert_cursor_errors():
            page = audit.list_page(session, scope, start, action, cursor, limit)
            return Page([_describe(row) for row in page.items], page.next_cursor)


def _describe(row: AuditEntry) -> dict[str, Any]:
    return {
        "at": format_stamp(row.at, "UTC"),
        "who": row.who,
        "key": row.key,
        "action": row.action,
        "target": row.target,
        "request_id": row.request_id,
        "address": row.address,
        "before": row.before,
        "after": row.after,
    }
