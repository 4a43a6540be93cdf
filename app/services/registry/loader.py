"""Loading versions into memory, through the cache."""

from collections.abc import Hashable
from typing import Protocol

from app.errors import ErrorCode, Unavailable
from app.logs import get_logger
from app.scope import Scope
from app.services.registry.builtin import find_config
from app.serving.cache import ModelCache
from app.serving.pretrained import load_pretrained
from app.serving.runtime import Device, LoadedVersion, load_version
from app.storage.artifacts import ArtifactError, ArtifactStore
from models.config.model import Config
from models.errors import BrokenVersion

log = get_logger(__name__)


class VersionFiles(Protocol):
    """A version's row, or a copy of its fields: what its files are found and checked by."""

    @property
    def pk(self) -> int:
        """Its primary key."""

    @property
    def number(self) -> int | None:
        """Its number within the model."""

    @property
    def artifact(self) -> str:
        """The folder of its files."""

    @property
    def digest(self) -> str:
        """The sha256 of its manifest."""


class VersionLoader:
    """Loads versions from the artifact store, each once however many callers wait for it."""

    def __init__(self, store: ArtifactStore, cache: ModelCache, device: Device = "cpu") -> None:
        self._store = store
        self._cache = cache
        self._device = device

    @property
    def full(self) -> bool:
        """Whether another version would displace one."""
        return self._cache.full

    def held(self, scope: Scope, row: VersionFiles) -> LoadedVersion | None:
        """Return a version that is in memory."""
        return self._cache.held(_key(scope, row))

    def get_builtin(self, scope: Scope, row: VersionFiles, config: Config) -> LoadedVersion:
        """Return the built-in model as a version of a configuration. Raises Unavailable where its files are broken."""
        try:
            return self._cache.get(_key(scope, row), lambda: load_pretrained(config))
        except (OSError, BrokenVersion) as e:
            raise unavailable(row, e) from e

    def get(self, scope: Scope, row: VersionFiles) -> LoadedVersion:
        """Return a version that can run. Raises Unavailable where its files are broken or cannot be read."""
        config = find_config(row.artifact)
        if config is not None:
            return self.get_builtin(scope, row, config)

        def read(name: str) -> bytes:
            return self._store.get(f"{row.artifact}/{name}")

        try:
            return self._cache.get(_key(scope, row), lambda: load_version(row.digest, read, self._device))
        except (ArtifactError, BrokenVersion) as e:
            raise unavailable(row, e) from e


def unavailable(row: VersionFiles, cause: Exception) -> Unavailable:
    """Return what is told of a version whose files are broken or cannot be read."""
    log.error("version_not_loaded", version=row.pk, detail=str(cause))
    detail = f"version {row.number} cannot be loaded: {cause}; check the artifact store, or train again"
    return Unavailable(ErrorCode.artifact_unavailable, detail, headers={"Retry-After": "5"})


def _key(scope: Scope, row: VersionFiles) -> Hashable:
    return scope.project_id, row.pk, row.digest
