"""/models and their versions."""

from fastapi import APIRouter, Response

from app.api.deps import Cursor, Limit, ReadScope, ServicesDep
from app.api.responses import ok
from app.api.schemas.base import PageOf
from app.api.schemas.models import ModelOut, VersionOut

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", response_model=PageOf[ModelOut])
def list_models(scope: ReadScope, found: ServicesDep, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List models by name."""
    return ok(found.models.page(scope, cursor, limit))


@router.get("/{name}", response_model=ModelOut)
def get_model(name: str, scope: ReadScope, found: ServicesDep) -> Response:
    """Read a model with the numbers of its versions and its champion."""
    return ok(found.models.get(scope, name))


@router.get("/{name}/versions", response_model=PageOf[VersionOut])
def list_versions(
    name: str, scope: ReadScope, found: ServicesDep, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """List a model's versions, newest first."""
    return ok(found.models.versions(scope, name, cursor, limit))


@router.get("/{name}/versions/{number}", response_model=VersionOut)
def get_version(name: str, number: int, scope: ReadScope, found: ServicesDep) -> Response:
    """Read one version: configuration, metrics beside season-naive, loss curve, data span."""
    return ok(found.models.version(scope, name, number))
