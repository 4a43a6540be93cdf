"""A refresh: the closed-form parts of the champion are fitted again on what is known now, as a revision of it."""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.errors import ErrorCode, JobRefused
from app.logs import get_logger
from app.services.registry.lookup import select_trained_series
from app.services.registry.members import select_members
from app.services.runs.attempt import Attempt
from app.services.runs.checkpoints import load_panel
from app.services.runs.version_files import clean, upload
from app.services.training.warm_start import load_network
from app.storage import jobs, registry, revisions
from app.storage.artifacts import ArtifactMissing
from app.storage.jobs import FenceLost
from app.storage.tables import ModelRow, RevisionRow, VersionRow
from models.calendar.timestamps import format_stamp
from models.config.model import Config
from models.data.series import Panel
from models.errors import BrokenVersion, ExportError
from models.export.export import export
from models.export.graph_cache import GraphCache
from models.export.load_fitted import NO_REPORT
from models.training.fitted import Fitted
from models.training.refresh import NO_PART, Refreshed, has_closed_form, refresh

log = get_logger(__name__)

KEPT_REVISIONS = 10
"""newest revisions of a version whose files are kept, beside the one that serves and the version as it was trained: a
week and a half of daily ones to go back to"""
READ_SHARE = 0.3
"""of the job, at which its data are read"""
FITTED_SHARE = 0.8
"""of the job, at which the parts are fitted and judged"""


@dataclass
class Refresh:
    """One attempt at one refresh. A later attempt begins it again: it takes seconds."""

    attempt: Attempt

    def run(self) -> None:
        """Fit, judge and publish. Raises JobRefused, TrainingDataError and ConfigError for what a user can mend."""
        model = self.attempt.get_model()
        row = self.attempt.get_champion(model)
        self._tell(0.0)
        if not has_closed_form(Config.from_dict(row.config)):
            self._publish_nothing(model, row, NO_PART)
            return
        refreshed = self._fit(model, row)
        if not refreshed.changed:
            self._publish_nothing(model, row, refreshed.reason)
            return
        files = self._export(model, refreshed)
        try:
            revision = self._publish(model, row, _describe(refreshed) | files)
        except (FenceLost, JobRefused):
            self.attempt.store.remove(files["artifact"])  # nothing points to it
            raise
        log.info(
            "revision_published",
            model=model.name,
            version=row.number,
            revision=revision.number,
            promoted=revision.promoted,
        )

    def _fit(self, model: ModelRow, row: VersionRow) -> Refreshed:
        """Fit the closed-form parts on what is known now, and judge them beside the ones that serve."""
        try:
            network = load_network(self.attempt.store, row)
        except (ArtifactMissing, BrokenVersion) as e:
            raise JobRefused(ErrorCode.artifact_unavailable, f"version {row.number} cannot be loaded: {e}") from e
        panel = self._load_panel(model, row, network.config)
        self._tell(READ_SHARE)
        return refresh(Fitted(network.config, network, NO_REPORT), panel, on_progress=self._tell_fitting)

    def _load_panel(self, model: ModelRow, row: VersionRow, config: Config) -> Panel:
        """Return the series that the version's training would be about now."""
        with self.attempt.database.read() as session:
            made_by = jobs.get_unscoped(session, row.job_id)
            selector = select_members(made_by.request if made_by is not None else None, row.data_span)
        return load_panel(self.attempt, model, selector, config.covariates, config.cleaning)[0]

    def _export(self, model: ModelRow, refreshed: Refreshed) -> dict[str, str]:
        """Write and store the files of the revision; return where they are."""
        network = refreshed.network
        with tempfile.TemporaryDirectory() as folder:
            try:
                export(Fitted(network.config, network, NO_REPORT), Path(folder), self._graphs)
            except ExportError as e:
                raise JobRefused(ErrorCode.export_failed, str(e)) from e
            return upload(self.attempt, model, Path(folder))

    @cached_property
    def _graphs(self) -> GraphCache:
        settings = self.attempt.settings
        return GraphCache(settings.graphs, settings.graph_cache_bytes)

    def _publish_nothing(self, model: ModelRow, row: VersionRow, reason: str) -> None:
        """Record that there was nothing to refresh."""
        with self.attempt.database.read() as session:
            rows = select_trained_series(session, self.attempt.scope, model, row)
        data_end = max((one.last_ts for one in rows if one.last_ts is not None), default=None)
        self._publish(model, row, {"promoted": False, "reason": reason, "metrics": {}, "data_end": data_end})

    def _publish(self, model: ModelRow, row: VersionRow, fields: dict[str, Any]) -> RevisionRow:
        """Publish the revision: its row, whether it serves, and the job's end in one fenced transaction.

        Raises FenceLost, and JobRefused where the version is gone; then nothing was published.
        """
        with self.attempt.database.write() as session:
            version = self._lock_version(session, row)
            held = jobs.require_fenced(session, self.attempt.fence, lock=True)
            if fields["promoted"] and version.revision != row.revision:
                reason = f"revision {version.revision} went live while this one was judged; refresh again"
                fields |= {"promoted": False, "reason": reason}
            revision = revisions.add(session, version, fields | {"job_id": self.attempt.job.id})
            outdated = revisions.forget_old(session, version, KEPT_REVISIONS)
            jobs.store_result(session, self.attempt.fence, _describe_result(version, revision))
            progress = {**(held.progress or {}), "fraction": 1.0, "eta_s": 0.0}
            jobs.finish(session, self.attempt.fence, "succeeded", progress=progress, version=version.number)
        for folder in outdated:
            self.attempt.store.remove(folder)
        clean(self.attempt, model)
        return revision

    def _lock_version(self, session: Session, row: VersionRow) -> VersionRow:
        """Return the version as it is now, its model locked. Raises JobRefused where it was deleted."""
        job = self.attempt.job
        model = registry.get_by_pk(session, self.attempt.scope, job.model_pk, lock=True)
        version = registry.get_version(session, model, row.number) if model is not None else None
        if version is None or version.created_at != row.created_at:
            detail = f"version {row.number} of the model {job.model!r} was deleted while it was refreshed"
            raise JobRefused(ErrorCode.version_not_found, detail)
        return version

    def _tell_fitting(self, fraction: float) -> None:
        self._tell(READ_SHARE + (FITTED_SHARE - READ_SHARE) * fraction)

    def _tell(self, fraction: float) -> None:
        """Write the progress. Raises FenceLost, and HandedOver where the worker is to stop."""
        self.attempt.journal.tell({"phase": "refresh", "fraction": fraction})
        self.attempt.leave_if_asked()


def _describe(refreshed: Refreshed) -> dict[str, Any]:
    """Return what is recorded of a refresh."""
    return {
        "promoted": refreshed.better,
        "reason": refreshed.reason,
        "metrics": {name: _keep_finite(measures) for name, measures in refreshed.gate.items()},
        "data_end": max(refreshed.data_end.values(), default=None),
    }


def _keep_finite(measures: Mapping[str, float]) -> dict[str, float]:
    """Return the measures that JSON can hold."""
    return {name: value for name, value in measures.items() if math.isfinite(value)}


def _describe_result(version: VersionRow, revision: RevisionRow) -> dict[str, Any]:
    """Return what a job's listeners are told that it made."""
    return {
        "version": version.number,
        "revision": revision.number,
        "promoted": revision.promoted,
        "reason": revision.reason,
        "data_end": format_stamp(revision.data_end, "UTC"),
    }
