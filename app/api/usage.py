"""/usage: how much the caller's project has, and may have."""

from fastapi import APIRouter, Response

from app.api.deps import ReadScope, ServicesDep
from app.api.http.responses import ok
from app.api.schemas.keys import UsageOut

router = APIRouter(tags=["access"])


@router.get("/usage", response_model=UsageOut)
def get_usage(scope: ReadScope, services: ServicesDep) -> Response:
    """Read what the project has and asks for, beside its quotas and the limits of the key."""
    return ok(services.usage.get(scope))
