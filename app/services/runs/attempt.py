"""One attempt at one job, as the worker's child process lives it.

Every write carries the job's fence. A run that was cancelled or replaced meets FenceLost at its next write, and its
files carry its attempt's number, so that it spoils nothing of its successor's.
"""

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.config import Settings
from app.errors import ErrorCode, JobRefused
from app.scope import Scope
from app.services.registry.builtin import find_config
from app.services.registry.loader import VersionFiles
from app.services.runs.journal import Journal
from app.serving.pretrained import load_pretrained
from app.serving.runtime import LoadedVersion, load_version
from app.storage import jobs, registry
from app.storage.artifacts import ArtifactMissing, ArtifactStore, job_folder
from app.storage.engine import Database
from app.storage.jobs import Fence
from app.storage.keys import ALL_RIGHTS
from app.storage.tables import JobRow, ModelRow, VersionRow
from models.errors import BrokenVersion


class HandedOver(Exception):
    """The worker is to stop, and what was done so far is kept for the next one."""


@dataclass
class Attempt:
    """What every kind of job is given: its row, where it writes, and whether its worker is about to leave."""

    settings: Settings
    database: Database
    store: ArtifactStore
    fence: Fence
    leaving: threading.Event = field(default_factory=threading.Event)
    """set once the worker wants to stop"""
    import_seconds: float = 0.0
    """that it took to import what the job needs"""

    @cached_property
    def job(self) -> JobRow:
        """The job's row as this attempt began. Raises FenceLost."""
        with self.database.read() as session:
            return jobs.require_fenced(session, self.fence)

    @cached_property
    def journal(self) -> Journal:
        """What is written about the job while it runs."""
        return Journal(self.database, self.fence)

    @property
    def scope(self) -> Scope:
        """The job's project."""
        return Scope(self.job.project_id, ALL_RIGHTS, by=self.job.started_by or "service")

    @property
    def folder(self) -> str:
        """Where the job keeps what its next attempt needs."""
        return job_folder(self.job.project_id, self.fence.job_id)

    def get_model(self) -> ModelRow:
        """Return the job's model. Raises JobRefused where it was deleted."""
        with self.database.read() as session:
            model = registry.get_by_pk(session, self.scope, self.job.model_pk)
        if model is None:
            raise JobRefused(ErrorCode.model_not_found, f"the model {self.job.model!r} was deleted")
        return model

    def get_champion(self, model: ModelRow) -> VersionRow:
        """Return the version of a model that is live. Raises JobRefused where none is."""
        with self.database.read() as session:
            row = registry.get_version(session, model, model.champion) if model.champion is not None else None
        if row is None:
            raise JobRefused(ErrorCode.no_champion, f"no version of the model {model.name!r} is live")
        return row

    def load_version(self, row: VersionFiles) -> LoadedVersion:
        """Return a version that can run.

        Raises JobRefused for files that are gone or broken, ArtifactError for outages.
        """
        config = find_config(row.artifact)
        try:
            if config is not None:
                return load_pretrained(config)
            return load_version(row.digest, lambda name: self.store.get(f"{row.artifact}/{name}"))
        except (ArtifactMissing, BrokenVersion) as e:
            raise JobRefused(ErrorCode.artifact_unavailable, f"version {row.number} cannot be loaded: {e}") from e

    def keep(self, name: str, data: bytes) -> str:
        """Store something for the job's next attempts; return its path. Raises ArtifactError."""
        path = f"{self.folder}/{name}-{self.fence.attempt}.safetensors"
        self.store.put(path, data)
        return path

    def leave_if_asked(self) -> None:
        """Raise HandedOver where the worker is to stop; called where nothing that matters would be lost."""
        if self.leaving.is_set():
            raise HandedOver

    def succeed(self, result: dict[str, Any], **values: Any) -> None:
        """End the job with its result. Raises FenceLost."""
        with self.database.write() as session:
            job = jobs.require_fenced(session, self.fence, lock=True)
            progress = {**(job.progress or {}), "fraction": 1.0, "eta_s": 0.0}
            jobs.store_result(session, self.fence, result)
            jobs.finish(session, self.fence, "succeeded", progress=progress, checkpoint=None, **values)
        self.store.remove(self.folder)

    def fail(self, code: ErrorCode, detail: str) -> None:
        """End the job without success. Raises FenceLost."""
        with self.database.write() as session:
            jobs.finish(session, self.fence, "failed", error={"code": code, "detail": detail}, checkpoint=None)
        self.store.remove(self.folder)
