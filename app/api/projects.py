"""/projects: tenants, each with series, models, jobs and keys of its own."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api.deps import AdminScope, Cursor, Limit, ServicesDep
from app.api.http.responses import ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf
from app.api.schemas.keys import ProjectIn, ProjectName, ProjectOut

router = APIRouter(prefix="/projects", tags=["access"])


@router.get("", response_model=PageOf[ProjectOut], responses=describe_list(ProjectOut))
def list_projects(
    request: Request,
    scope: AdminScope,
    services: ServicesDep,
    form: FormDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List projects: all of them for the project `default`, otherwise the caller's own."""
    return answer_list(request, services.projects.list(scope, cursor, limit), ProjectOut, form)


@router.put("/{name}", response_model=ProjectOut, responses={201: {"model": ProjectOut}})
def put_project(
    name: Annotated[ProjectName, Path()], body: ProjectIn, scope: AdminScope, services: ServicesDep
) -> Response:
    """Make a project, or set its quotas; keys for it are made with `POST /keys`. A quota below what is there deletes
    nothing, and lets nothing more in."""
    quotas = None if body.quotas is None else body.quotas.model_dump(exclude_none=True)
    new, view = services.projects.put(scope, name, quotas)
    return ok(view, status=201 if new else 200)


@router.get("/{name}", response_model=ProjectOut)
def get_project(name: str, scope: AdminScope, services: ServicesDep) -> Response:
    """Show a project."""
    return ok(services.projects.get(scope, name))


@router.delete("/{name}", status_code=204)
def delete_project(name: str, scope: AdminScope, services: ServicesDep) -> Response:
    """Delete a project with its keys, series, models, jobs, alerts and rules. What was deleted does not come back."""
    services.projects.delete(scope, name)
    return Response(status_code=204)
