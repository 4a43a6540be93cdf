"""/models and their versions: reading, promoting, rolling back, deleting."""

from fastapi import APIRouter, Response

from app.api.deps import Cursor, Limit, ReadScope, ServicesDep, WriteScope
from app.api.responses import ok
from app.api.schemas.base import PageOf
from app.api.schemas.models import ChampionIn, ModelOut, VersionOut

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


@router.put("/{name}/champion", response_model=ModelOut)
def put_champion(name: str, body: ChampionIn, scope: WriteScope, found: ServicesDep) -> Response:
    """Promote a version, or roll back to an earlier one; forecasts that begin from now on are its."""
    return ok(found.models.promote(scope, name, body.version))


@router.delete("/{name}/versions/{number}", status_code=204)
def delete_version(name: str, number: int, scope: WriteScope, found: ServicesDep) -> Response:
    """Delete a version that is not the champion, with its files."""
    found.models.delete_version(scope, name, number)
    return Response(status_code=204)


@router.delete("/{name}", status_code=204)
def delete_model(name: str, scope: WriteScope, found: ServicesDep) -> Response:
    """Delete a model with all of its versions. Its jobs are kept; one that is queued or running has to end first."""
    found.models.delete(scope, name)
    return Response(status_code=204)
