"""A training job, from its row to the published version."""

import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from app.errors import ErrorCode, JobRefused
from app.logs import get_logger
from app.services.jobs import trials
from app.services.jobs.documents import (
    parse_bounds,
    parse_cleaning,
    parse_roles,
    parse_search,
    parse_selector,
    parse_warm_start,
)
from app.services.registry.lookup import is_builtin
from app.services.runs.attempt import Attempt
from app.services.runs.checkpoints import Checkpoints, load_panel
from app.services.runs.promotion import judge
from app.services.runs.publication import publish
from app.services.runs.search import SearchRun
from app.services.runs.snapshots import Snapshot
from app.services.runs.version_files import clean, upload
from app.services.training.warm_start import load_network
from app.storage import registry, revisions
from app.storage.artifacts import ArtifactMissing
from app.storage.jobs import FenceLost
from app.storage.tables import ModelRow
from models.errors import BrokenVersion, CheckpointError, ExportError
from models.export.export import export
from models.export.graph import template_key
from models.export.graph_cache import GraphCache
from models.network.network import Network
from models.planning.defaults import default_config
from models.planning.transfer import transfer_config
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from models.training.fitted import Fitted
from models.training.progress import Progress

log = get_logger(__name__)

PUBLISHING_SECONDS = 0.5
"""that publishing takes where the network's graph is kept from another training"""
TRACING_SECONDS = 4.0
"""that it takes to trace the graph of one member of the network's ensemble, where it is not"""


@dataclass
class Training:
    """One attempt at one training job."""

    attempt: Attempt
    _search_share: float = field(init=False, default=0.0)
    """share of the job that the search takes"""
    _publishing_seconds: float = field(init=False, default=PUBLISHING_SECONDS)

    def run(self) -> None:
        """Train and publish. Raises JobRefused, TrainingDataError and ConfigError for what a user can mend."""
        model = self.attempt.get_model()
        start = self._load_start()
        snapshot = self._search(self._snapshot(model, start))
        fitted = self._fit(snapshot, start)
        self.attempt.journal.tell_losses()
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                export(fitted, Path(folder), self._graphs)
            except ExportError as e:
                raise JobRefused(ErrorCode.export_failed, str(e)) from e
            files = upload(self.attempt, model, Path(folder))
        try:
            verdict = judge(self.attempt, model.pk, snapshot.panel, fitted)
            row = publish(self.attempt, snapshot, fitted, verdict, files)
        except (FenceLost, JobRefused):
            self.attempt.store.remove(files["artifact"])  # nothing points to it
            raise
        log.info(
            "version_published",
            model=model.name,
            version=row.number,
            promoted=row.promoted,
            imports_s=round(self.attempt.import_seconds, 2),
            publishing_s=round(time.monotonic() - began, 2),
        )
        clean(self.attempt, model)

    @cached_property
    def _graphs(self) -> GraphCache:
        settings = self.attempt.settings
        return GraphCache(settings.graphs, settings.graph_cache_bytes)

    def _load_start(self) -> Network | None:
        """Return the network that the training begins from."""
        start = parse_warm_start(self.attempt.job.request)
        if start is None:
            return None
        name, number = start
        with self.attempt.database.read() as session:
            if is_builtin(session, self.attempt.scope, name):
                return None  # it is a member of the network, which takes its weights from the package
            source = registry.get(session, self.attempt.scope, name)
            row = registry.get_version(session, source, number) if source is not None else None
            as_trained = revisions.get_files(session, row, 0) if row is not None else None
        if as_trained is None:
            detail = f"{name}@{number}, which the training was to begin from, was deleted"
            raise JobRefused(ErrorCode.version_not_found, detail)
        try:
            return load_network(self.attempt.store, as_trained)
        except (ArtifactMissing, BrokenVersion) as e:
            raise JobRefused(ErrorCode.version_not_found, f"{name}@{number} cannot be read ({e}); begin afresh") from e

    def _snapshot(self, model: ModelRow, start: Network | None) -> Snapshot:
        """Return the data and configuration of the job's first attempt, which reads, chooses and keeps them."""
        if self.attempt.job.snapshot is not None:
            return Snapshot.from_bytes(self.attempt.store.get(self.attempt.job.snapshot))
        snapshot = self._new_snapshot(model, start)
        path = self.attempt.keep("snapshot", snapshot.to_bytes())
        self.attempt.journal.write(snapshot=path, progress={"fraction": 0.0})
        return snapshot

    def _search(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the best configuration of the search that was asked for, kept for every attempt."""
        options = parse_search(self.attempt.job.request)
        if options is None:
            return snapshot
        run = SearchRun(self.attempt.journal, options, self.attempt.settings.device)
        self._search_share = run.share
        with self.attempt.database.read() as session:
            if trials.is_search_over(session, self.attempt.job.id):
                return snapshot
        searched = replace(snapshot, config=run(snapshot.panel, snapshot.config))
        path = self.attempt.keep("snapshot-searched", searched.to_bytes())
        self.attempt.journal.record(trials.ENDED, {"network": searched.config.to_dict()["network"]}, snapshot=path)
        return searched

    def _new_snapshot(self, model: ModelRow, start: Network | None) -> Snapshot:
        request = self.attempt.job.request
        roles = parse_roles(request)
        cleaning = parse_cleaning(request)
        panel, record = load_panel(self.attempt, model, parse_selector(request), roles, cleaning)
        if start is not None:
            bounds = parse_bounds(request)
            training = request["training"]
            config = transfer_config(
                start.config, panel, model.horizon, bounds=bounds, training=training, cleaning=cleaning
            )
            return Snapshot(panel, config, record)
        config = default_config(
            panel,
            model.horizon,
            tuple(model.quantiles),
            known_future=roles.known_future,
            past=roles.past,
            static=roles.static,
            country=request.get("country"),
            bounds=parse_bounds(request),
            network=request["network"],
            training=request["training"],
            cleaning=request.get("cleaning"),
        )
        return Snapshot(panel, config, record)

    def _fit(self, snapshot: Snapshot, start: Network | None) -> Fitted:
        """Train, from the last checkpoint where there is one that can be continued."""
        checkpoints = Checkpoints(self.attempt)
        journal = self.attempt.journal
        if not self._graphs.has(template_key(snapshot.config)):
            self._publishing_seconds += TRACING_SECONDS * len(snapshot.config.network.members)

        def run(resume: Checkpoint | None) -> Fitted:
            return fit(
                snapshot.panel,
                snapshot.config,
                device=self.attempt.settings.device,
                on_progress=self._write_progress,
                save_checkpoint=checkpoints.save,
                resume=resume,
                start=start,
                stop=lambda: journal.stopping,
            )

        last = checkpoints.load_last()
        if last is None:
            return run(None)
        try:
            log.info("training_continued", **last.position)
            return run(last)
        except CheckpointError as e:
            log.warning("checkpoint_refused", detail=f"{e}; training begins afresh")
            return run(None)

    def _write_progress(self, progress: Progress) -> None:
        whole = self._search_share + (1 - self._search_share) * progress.fraction
        eta = progress.eta_s
        if eta is not None:
            eta += self._publishing_seconds
        curve = {"train": progress.train, "val": progress.val}
        journal = self.attempt.journal
        journal.add_losses(progress.epoch - len(progress.train), progress.phase, **curve)
        told = {name: value for name, value in asdict(progress).items() if name not in curve}
        journal.tell(told | {"fraction": whole, "eta_s": eta})
