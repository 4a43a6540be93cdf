"""Warm start: the options that a training inherits from a published version, and the version's weights."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid
from app.scope import Scope
from app.services.registry.builtin import BUILTIN, NUMBER
from app.services.registry.loader import VersionFiles
from app.services.registry.lookup import is_builtin, require_model, require_version
from app.services.training.request import TrainingRequest
from app.storage.artifacts import ArtifactStore
from models.config.model import Config

if TYPE_CHECKING:
    from models.network.network import Network

ROLES = ("known_future", "past", "static")


def resolve_warm_start(
    session: Session, scope: Scope, request: TrainingRequest
) -> tuple[TrainingRequest, Config | None]:
    """Return the request completed by the version that it starts from, and that version's configuration.

    The built-in model has no network that could be another's beginning: it becomes a member of the new one.

    Raises NotFound for a version that does not exist, and Invalid for options that contradict it.
    """
    if request.warm_start is None:
        if request.training.get("freeze_encoder"):
            _refuse("training.freeze_encoder", "needs warm_start: a new encoder that never learns is useless")
        return request, None
    name, number = request.warm_start
    if number == NUMBER and is_builtin(session, scope, name):
        if request.training.get("freeze_encoder"):
            _refuse("training.freeze_encoder", f"must be left out: beside {BUILTIN} there is a new network")
        return replace(request, network={**request.network, "pretrained": True}), None
    source = Config.from_dict(require_version(session, require_model(session, scope, name), number).config)
    version = f"{name}@{number}"
    if request.search is not None:
        _refuse("search", f"must be left out: the network is that of {version}")
    if request.network:
        _refuse("network", f"must be left out: the network is that of {version}")
    levels = request.quantiles
    if levels is not None and {*levels, 0.5} != set(source.quantiles):
        _refuse("quantiles", f"must be left out, or be those of {version}: {', '.join(map(str, source.quantiles))}")
    if request.country not in (None, source.country):
        _refuse("country", f"must be left out, or be that of {version}: {source.country}")
    roles = {role: getattr(source.covariates, role) for role in ROLES}
    requested = {role: tuple(request.covariates.get(role, ())) for role in ROLES}
    if any(requested.values()) and any(set(requested[role]) != set(roles[role]) for role in ROLES):
        _refuse("covariates", f"must be left out, or be those of {version}")
    inherited = asdict(source.cleaning) if request.cleaning is None else request.cleaning
    completed = replace(
        request, quantiles=source.quantiles, covariates=roles, country=source.country, cleaning=inherited
    )
    return completed, source


def load_network(store: ArtifactStore, row: VersionFiles) -> "Network":
    """Load a version's network. Raises ArtifactError where the store is away, BrokenVersion for damaged files."""
    from models.export.load import load_published  # the API process, which checks requests, imports no torch

    return load_published(row.digest, lambda name: store.get(f"{row.artifact}/{name}"))


def _refuse(field: str, detail: str) -> None:
    errors = [FieldError(f"body.{field}", ErrorCode.invalid_input, detail)]
    raise Invalid(ErrorCode.invalid_input, f"{field} {detail}", errors=errors)
