"""/keys: who may do what. Callers with the scope `admin` manage the keys of their project, those of `default` all."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import AdminScope, Cursor, Limit, ServicesDep
from app.api.http.responses import ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf
from app.api.schemas.keys import KeyIn, KeyOut, MadeKey, ProjectName, RotateIn
from app.services.access.management import KEPT, KeyRequest

router = APIRouter(prefix="/keys", tags=["access"])
Number = Annotated[int, Path(ge=1, le=2**53)]
PRIVATE = {"Cache-Control": "no-store"}
"""of answers that hold a secret"""


@router.post("", response_model=MadeKey, status_code=201)
def create_key(body: KeyIn, scope: AdminScope, services: ServicesDep) -> Response:
    """Make a key. Its secret is in this answer and nowhere else: only a digest is kept. A call that is repeated makes
    another key."""
    request = KeyRequest(body.name, body.scopes, body.project, body.expires_at, body.labels)
    return ok(services.key_management.create(scope, request), status=201, headers=PRIVATE)


@router.get("", response_model=PageOf[KeyOut], responses=describe_list(KeyOut))
def list_keys(
    request: Request,
    scope: AdminScope,
    services: ServicesDep,
    form: FormDep,
    project: Annotated[ProjectName | None, Query(description="the caller's own when absent")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the keys of a project that are valid, without their secrets."""
    return answer_list(request, services.key_management.list(scope, project, cursor, limit), KeyOut, form)


@router.get("/{number}", response_model=KeyOut)
def get_key(number: Number, scope: AdminScope, services: ServicesDep) -> Response:
    """Show a key, without its secret."""
    return ok(services.key_management.get(scope, number))


@router.post("/{number}/rotate", response_model=MadeKey, status_code=201)
def rotate_key(number: Number, scope: AdminScope, services: ServicesDep, body: RotateIn | None = None) -> Response:
    """Give a key another secret, which is in this answer alone. The one before works for `keep` more, so that clients
    can be changed one after the other; those before that end at once."""
    keep = KEPT if body is None else body.keep
    return ok(services.key_management.rotate(scope, number, keep), status=201, headers=PRIVATE)


@router.delete("/{number}", status_code=204)
def revoke_key(number: Number, scope: AdminScope, services: ServicesDep) -> Response:
    """Revoke a key with all its secrets, from the next request on."""
    services.key_management.revoke(scope, number)
    return Response(status_code=204)
