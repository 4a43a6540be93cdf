"""Readiness of this process: database, migrations, artifact store."""

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from app.logs import get_logger
from app.storage import migrate
from app.storage.artifacts import ArtifactError, ArtifactStore
from app.storage.engine import Database, UnsuitableDatabase

log = get_logger(__name__)


@dataclass(frozen=True)
class HealthCheck:
    """The state of one thing that serving needs."""

    name: str
    ok: bool
    detail: str


class HealthService:
    """Checks behind GET /readyz."""

    def __init__(self, database: Database, store: ArtifactStore) -> None:
        self._database = database
        self._store = store

    def check(self) -> list[HealthCheck]:
        """Check each thing now."""
        return [self._check_migrations(), self._check_artifacts()]

    def _check_migrations(self) -> HealthCheck:
        try:
            current = migrate.current(self._database.engine)
            head = migrate.head()
        except UnsuitableDatabase as e:
            return HealthCheck("database", False, str(e))
        except SQLAlchemyError as e:
            log.warning("database_not_ready", detail=str(e).splitlines()[0])
            return HealthCheck("database", False, "the database does not answer; this process's log says why")
        if current != head:
            return HealthCheck(
                "database", False, f"migrations are at {current}, {head} is needed; run 'gatecast migrate'"
            )
        return HealthCheck("database", True, f"migrations are at {head}")

    def _check_artifacts(self) -> HealthCheck:
        try:
            self._store.check()
        except ArtifactError as e:
            log.warning("artifacts_not_ready", detail=str(e))
            return HealthCheck("artifacts", False, "cannot be written and read; this process's log says why")
        return HealthCheck("artifacts", True, "can be written and read")
