"""Keys as those who manage them see them: making, listing, rotating and revoking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from app.errors import ErrorCode, NotFound, invalid
from app.scope import Right, Scope
from app.services.access.projects import require_project
from app.services.access.secrets import SHOWN, digest_secret, make_secret
from app.services.audit import record
from app.services.durations import parse_duration
from app.services.moments import parse_moment
from app.services.paging import convert_cursor_errors
from app.storage import keys, projects
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import ApiKey
from models.calendar.timestamps import format_stamp

LABELLED = frozenset({Right.read, Right.forecast, Right.write})
"""scopes that a key with labels may have"""
KEPT = "24h"
"""how long the secret before still works after a rotation"""


@dataclass(frozen=True)
class KeyRequest:
    """A key that somebody wants."""

    name: str
    rights: Sequence[Right]
    project: str | None
    """its name; None: that of the caller"""
    expires_at: str | None
    """RFC 3339; None: never"""
    labels: Mapping[str, str] = field(default_factory=dict)
    """of the series that it is about; empty: of every series"""


class KeyManagement:
    """The operations behind /keys and `gatecast keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, scope: Scope, request: KeyRequest) -> dict[str, Any]:
        """Make a key; return it with its secret, this once. Raises Invalid, and NotFound for a project."""
        expires_at = None if request.expires_at is None else parse_moment(request.expires_at, "body.expires_at")
        rights = [right for right in Right if right in request.rights]
        _check_name(request.name)
        _check_labelled(request)
        secret = make_secret()

        def make(session: Session) -> dict[str, Any]:
            project = require_project(session, scope, request.project)
            _check_expiry(expires_at, now(session))
            row = keys.create(
                session,
                project.pk,
                request.name,
                secret[:SHOWN],
                digest_secret(secret),
                rights,
                expires_at=expires_at,
                labels=dict(request.labels) or None,
            )
            view = _describe(row, project.name)
            _record(session, scope, row, "key.create", after=view)
            return {**view, "key": secret}

        return self._database.write_with_retry(make)

    def list(self, scope: Scope, project: str | None, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of the keys of a project that are valid, without their secrets. Raises NotFound, Invalid."""
        with self._database.read() as session, convert_cursor_errors():
            owner = require_project(session, scope, project)
            page = keys.list_page(session, owner.pk, cursor, limit)
            return Page([_describe(row, owner.name) for row in page.items], page.next_cursor)

    def get(self, scope: Scope, number: int) -> dict[str, Any]:
        """Return a valid key. Raises NotFound."""
        with self._database.read() as session:
            row = _require_key(session, scope, number)[0]
            return _describe(row, projects.get_name(session, row.project_id))

    def rotate(self, scope: Scope, number: int, keep: str | None) -> dict[str, Any]:
        """Give a key another secret, and return it; the one before works for `keep` more, those before that no more.

        Raises NotFound, and Invalid for a duration that is none.
        """
        kept = 0 if keep is None else parse_duration(keep, "body.keep")
        secret = make_secret()

        def make(session: Session) -> dict[str, Any]:
            before, *older = _require_key(session, scope, number, lock=True)
            row = keys.create(
                session,
                before.project_id,
                before.name,
                secret[:SHOWN],
                digest_secret(secret),
                [Right(right) for right in before.rights],
                family=keys.number_of(before),
                expires_at=before.expires_at,
                labels=before.labels,
            )
            if kept:
                until = now(session) + kept
                before.expires_at = until if before.expires_at is None else min(until, before.expires_at)
            keys.revoke(session, [one.pk for one in (older if kept else [before, *older])])
            view = _describe(row, projects.get_name(session, row.project_id))
            _record(session, scope, row, "key.rotate", after=view)
            return {**view, "key": secret}

        return self._database.write_with_retry(make)

    def revoke(self, scope: Scope, number: int) -> None:
        """Revoke a key at once, with all its secrets. Raises NotFound."""
        with self._database.write() as session:
            rows = _require_key(session, scope, number, lock=True)
            before = _describe(rows[0], projects.get_name(session, rows[0].project_id))
            _record(session, scope, rows[0], "key.revoke", before=before)
            keys.revoke(session, [row.pk for row in rows])


def _require_key(session: Session, scope: Scope, number: int, *, lock: bool = False) -> list[ApiKey]:
    """Return the valid secrets of a key that the caller may manage, newest first. Raises NotFound."""
    own = None if projects.get_name(session, scope.project_id) == projects.DEFAULT_PROJECT else scope.project_id
    rows = keys.list_valid(session, own, number, lock=lock)
    if not rows:
        detail = f"there is no valid key {number}; GET /keys lists those that there are"
        raise NotFound(ErrorCode.key_not_found, detail)
    return rows


def _record(session: Session, scope: Scope, row: ApiKey, action: str, **views: dict[str, Any]) -> None:
    """Write down what is done with a key, in the log of its project and in that of whoever does it."""
    for project_id in dict.fromkeys((scope.project_id, row.project_id)):
        record(session, replace(scope, project_id=project_id), action, str(keys.number_of(row)), **views)


def _describe(row: ApiKey, project: str) -> dict[str, Any]:
    return {
        "id": keys.number_of(row),
        "name": row.name,
        "begins_with": row.prefix,
        "scopes": row.rights,
        "project": project,
        "labels": row.labels or {},
        "created_at": format_stamp(row.created_at, "UTC"),
        "expires_at": format_stamp(row.expires_at, "UTC"),
        "last_used_at": format_stamp(row.last_used_at, "UTC"),
    }


def _check_name(name: str) -> None:
    """Raise Invalid for a name that terminals and logs may not show."""
    if not name.strip() or not name.isprintable():
        detail = "send a name of one line, of letters and signs that can be printed"
        raise invalid("body.name", ErrorCode.invalid_input, detail)


def _check_labelled(request: KeyRequest) -> None:
    """Raise Invalid for a key that is about some series, with a scope that is about more than series."""
    beyond = [right for right in Right if right in request.rights and right not in LABELLED]
    if request.labels and beyond:
        detail = f"a key with labels is about series alone, and the scope {beyond[0].value!r} about more; leave it out"
        raise invalid("body.scopes", ErrorCode.invalid_input, detail)


def _check_expiry(expires_at: int | None, moment: int) -> None:
    if expires_at is not None and expires_at <= moment:
        raise invalid("body.expires_at", ErrorCode.invalid_input, "it lies in the past; the key would never work")
