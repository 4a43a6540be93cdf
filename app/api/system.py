"""Probes and metrics."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.api.deps import Credentials, ServicesDep, allowed, caller, name_scope
from app.api.http.responses import ok
from app.api.schemas.registry import ReadyOut
from app.scope import Right

router = APIRouter(tags=["system"])


@router.get("/livez", responses={200: {"content": {"application/json": {"example": {"live": True}}}}})
async def livez() -> Response:
    """Say that this process answers."""
    return ok({"live": True})


@router.get("/readyz", response_model=ReadyOut, responses={503: {"model": ReadyOut}})
def readyz(services: ServicesDep) -> Response:
    """Say whether this process can serve: database, migrations, artifact store."""
    checks = services.health.check()
    ready = all(check.ok for check in checks)
    return ok({"ready": ready, "checks": checks}, status=200 if ready else 503)


_EXAMPLE = {"text/plain": {"example": "gatecast_model_cache_versions 3.0"}}
_METRICS: dict[int | str, dict[str, Any]] = {200: {"content": _EXAMPLE}}


@router.get("/metrics", response_class=Response, responses=_METRICS, openapi_extra=name_scope(Right.read))
def metrics(request: Request, services: ServicesDep, credentials: Credentials) -> Response:
    """Prometheus metrics of this process; off loopback they need a key."""
    if not request.app.state.settings.on_loopback:
        allowed(Right.read, caller(request, services, credentials))
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
