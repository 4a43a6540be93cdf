"""/access: what the caller may do."""

from fastapi import APIRouter, Response

from app.api.deps import CallerScope, ServicesDep
from app.api.http.responses import ok
from app.api.schemas.access import AccessOut

router = APIRouter(tags=["system"])


@router.get("/access", response_model=AccessOut)
def get_access(scope: CallerScope, services: ServicesDep) -> Response:
    """Read what this caller may do, so that nothing is offered that would be refused. Every valid key may ask."""
    return ok(services.keys.describe_access(scope))
