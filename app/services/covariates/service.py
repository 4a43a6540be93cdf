"""Covariates of a project: listing, declaring and forgetting their kinds."""

from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode
from app.scope import Scope
from app.services.audit import record
from app.services.paging import convert_cursor_errors
from app.services.series.covariates import check_name, require_covariates
from app.storage import covariates
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import Covariate

NAMED = 3
"""series that a refusal names"""


class CovariateService:
    """The operations behind the covariate routes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, scope: Scope, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of covariates in the order of their names. Raises Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            page = covariates.list_page(session, scope, cursor, limit)
            counts = covariates.count_values(session, page.items)
            return Page([_describe(row, counts[row.pk]) for row in page.items], page.next_cursor)

    def get(self, scope: Scope, name: str) -> dict[str, Any]:
        """Return one covariate. Raises NotFound."""
        with self._database.read() as session:
            (row,) = require_covariates(session, scope, [name])
            return _describe(row, covariates.count_values(session, [row])[row.pk])

    def put(self, scope: Scope, name: str, kind: str) -> tuple[bool, dict[str, Any]]:
        """Declare a covariate's kind; return whether it is new, and its description.

        Raises Invalid for a name that no column of covariates has, and Conflict where it has values of the other kind.
        """
        check_name(name, "path.name")

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            stored = covariates.get_for_change(session, scope, name)
            row = stored or covariates.add_covariate(session, scope, name, kind)
            count = covariates.count_values(session, [row])[row.pk]
            before = None if stored is None else _describe(row, count)
            if row.kind != kind:
                _check_unused(session, row, count)
                covariates.change_kind(session, row, kind)
            record(session, scope, "covariate.set", name, before=before, after=(view := _describe(row, count)))
            return stored is None, view

        return self._database.write_with_retry(make)

    def delete(self, scope: Scope, name: str) -> None:
        """Forget a covariate that no value has any more. Raises NotFound, and Conflict where one has."""
        with self._database.write() as session:
            (found,) = require_covariates(session, scope, [name])
            row = covariates.get_for_change(session, scope, found.name)
            if row is not None:  # it may be gone since
                _check_unused(session, row, covariates.count_values(session, [row])[row.pk])
                record(session, scope, "covariate.delete", row.name, before=_describe(row, 0))
                covariates.remove(session, row)


def _check_unused(session: Session, row: Covariate, count: int) -> None:
    if not count:
        return
    ids = covariates.list_series(session, row, NAMED)
    detail = (
        f"the covariate {row.name!r} is {row.kind} and has {count} values, in {', '.join(map(repr, ids))}"
        f"{' …' if len(ids) == NAMED else ''}; delete them first with DELETE "
        "/series/{id}/observations?covariate={name} of each series"
    )
    raise Conflict(ErrorCode.covariate_in_use, detail)


def _describe(row: Covariate, count: int) -> dict[str, Any]:
    return {"name": row.name, "kind": row.kind, "values": count}
