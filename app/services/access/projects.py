"""Projects: tenants, each with keys, series, models and jobs of its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, Forbidden, NotFound
from app.scope import Scope
from app.services.audit import record
from app.services.paging import convert_cursor_errors
from app.storage import projects, usage
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.projects import DEFAULT_PROJECT
from app.storage.tables import Project
from models.calendar.timestamps import format_stamp


class ProjectService:
    """The operations behind /projects, for callers of the project `default`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, scope: Scope, name: str, quotas: Mapping[str, int] | None) -> tuple[bool, dict[str, Any]]:
        """Make a project unless it is there, and set its quotas if they are sent; return whether it is new, and its
        description. Raises Forbidden."""

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            _require_default(session, scope)
            row = projects.get(session, name, lock=True)
            before = None if row is None else _describe(row)
            row = row or projects.add(session, name)
            if quotas is not None:
                row.quotas = dict(quotas)
            view = _describe(row)
            if view != before:
                record(session, scope, "project.set", name, before=before, after=view)
            return before is None, view

        return self._database.write_with_retry(make)

    def get(self, scope: Scope, name: str) -> dict[str, Any]:
        """Return a project. Raises NotFound."""
        with self._database.read() as session:
            return _describe(require_project(session, scope, name))

    def list(self, scope: Scope, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of projects: all of them for the project `default`, else the caller's own. Raises Invalid."""
        with self._database.read() as session, convert_cursor_errors():
            own = require_project(session, scope, None)
            if own.name != DEFAULT_PROJECT:
                return Page([_describe(own)], None)
            page = projects.list_page(session, cursor, limit)
            return Page([_describe(row) for row in page.items], page.next_cursor)

    def delete(self, scope: Scope, name: str) -> None:
        """Delete a project with everything in it. Raises Forbidden, NotFound, and Conflict for one that is in use."""

        def remove(session: Session) -> None:
            _require_default(session, scope)
            row = projects.get(session, name, lock=True)
            if row is None:
                raise _not_found(name)
            if row.name == DEFAULT_PROJECT:
                raise Conflict(ErrorCode.project_in_use, f"the project {DEFAULT_PROJECT!r} stays; delete its series")
            active = usage.count_jobs(session, replace(scope, project_id=row.pk))
            if active:
                detail = f"{active} jobs of {name!r} are not done; cancel them first (POST /jobs/{{id}}/cancel)"
                raise Conflict(ErrorCode.project_in_use, detail)
            record(session, scope, "project.delete", name, before=_describe(row))
            projects.remove(session, row)

        self._database.write_with_retry(remove)


def require_project(session: Session, scope: Scope, name: str | None) -> Project:
    """Return a project that the caller may manage: the own one, or for the project `default` any.

    Raises NotFound for another one, whether it is there or not.
    """
    own = projects.get_name(session, scope.project_id)
    row = projects.get(session, own if name is None else name)
    if row is None or (own != DEFAULT_PROJECT and row.pk != scope.project_id):
        raise _not_found(name or own)
    return row


def _require_default(session: Session, scope: Scope) -> None:
    if projects.get_name(session, scope.project_id) != DEFAULT_PROJECT:
        detail = f"projects are made and deleted with a key of the project {DEFAULT_PROJECT!r}"
        raise Forbidden(ErrorCode.forbidden, detail)


def _describe(row: Project) -> dict[str, Any]:
    return {"name": row.name, "quotas": row.quotas or {}, "created_at": format_stamp(row.created_at, "UTC")}


def _not_found(name: str) -> NotFound:
    detail = f"there is no project {name[:100]!r}; GET /projects lists them, PUT /projects/{{name}} makes one"
    return NotFound(ErrorCode.project_not_found, detail)
