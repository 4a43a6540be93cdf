"""/audit: what was done in a project."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import AdminScope, Cursor, Limit, ServicesDep
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.audit import AuditOut
from app.api.schemas.base import PageOf, QueryTime, Text

router = APIRouter(prefix="/audit", tags=["access"])


@router.get("", response_model=PageOf[AuditOut], responses=describe_list(AuditOut))
def list_audit(
    request: Request,
    scope: AdminScope,
    services: ServicesDep,
    form: FormDep,
    since: Annotated[QueryTime | None, Query(description="entries from this time on")] = None,
    action: Annotated[
        Text | None, Query(max_length=40, description="one action, or all of a kind: series.delete, series")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List what was done, newest first; `format=ndjson` exports it as lines of JSON. Entries are never changed."""
    return answer_list(request, services.audit.list(scope, since, action, cursor, limit), AuditOut, form)
