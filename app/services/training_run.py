"""Running a training: what the worker's child process does, from the job's row to the published version.

Every write carries the job's fence. A run that was cancelled or replaced meets FenceLost at its next write, and its
files carry its attempt's number, so that it spoils nothing of its successor's.
"""

import hashlib
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from app.config import Settings
from app.errors import ErrorCode
from app.logs import get_logger
from app.services import panels, trials
from app.services.journal import Journal
from app.services.promotion import judge
from app.services.publication import BadJob, publish
from app.services.search_run import SearchRun
from app.services.snapshots import Snapshot
from app.services.training_request import bounds_of, roles_of, search_of, selected, selector_of, start_of
from app.services.warm_start import weights_of
from app.storage import jobs, models
from app.storage.artifacts import ArtifactError, ArtifactMissing, ArtifactStore, job_folder, version_folder
from app.storage.engine import OUTAGE, Database
from app.storage.jobs import Fence, FenceLost
from app.storage.keys import ALL_RIGHTS
from app.storage.scope import Scope
from app.storage.tables import JobRow, ModelRow
from models.calendar import parse_frequency
from models.checkpoint import Checkpoint, CheckpointError
from models.config import ConfigError
from models.defaults import choose_for
from models.export import ExportError, export
from models.fit import Fitted, TrainingDataError, fit
from models.network import Network
from models.report import Progress
from models.transfer import transferred_for
from models.windows import Panel

log = get_logger(__name__)


@dataclass
class Run:
    """One attempt at one training job."""

    settings: Settings
    database: Database
    store: ArtifactStore
    fence: Fence
    job: JobRow = field(init=False)
    journal: Journal = field(init=False)
    _searched: float = field(init=False, default=0.0)
    _saved: float = field(init=False, default_factory=time.monotonic)

    def __call__(self) -> None:
        """Train and publish.

        Raises FenceLost where another run or a cancellation has taken the job, and OUTAGE or ArtifactError
        where database or store were away: then the job is as it was, and another attempt may succeed.
        """
        with self.database.read() as session:
            self.job = jobs.held(session, self.fence)
        self.journal = Journal(self.database, self.fence)
        try:
            self._train()
        except (FenceLost, *OUTAGE, ArtifactError):
            raise
        except (BadJob, TrainingDataError, ConfigError, ExportError) as e:
            log.warning("training_refused", detail=str(e))
            self._fail(_code(e), str(e))
        except Exception as e:
            log.exception("training_failed")
            detail = f"training failed inside ({type(e).__name__}); the worker's log of this job has the traceback"
            self._fail(ErrorCode.training_failed, detail)

    def _train(self) -> None:
        scope = Scope(self.job.project_id, ALL_RIGHTS)
        with self.database.read() as session:
            model = models.by_pk(session, scope, self.job.model_pk)
        if model is None:
            raise BadJob(ErrorCode.model_not_found, "the model was deleted before its training began")
        start = self._start(scope)
        snapshot = self._search(self._snapshot(scope, model, start))
        fitted = self._fit(snapshot, start)
        with tempfile.TemporaryDirectory() as folder:
            export(fitted, Path(folder))
            files = self._upload(model, Path(folder))
        try:
            promote = self.job.request["promote"]
            verdict = judge(self.database, self.store, scope, model.pk, snapshot.panel, fitted, promote)
            row = publish(self.database, self.fence, self.job, snapshot.panel, fitted, verdict, files)
        except (FenceLost, BadJob):
            self.store.remove(files["artifact"])  # nothing points to it
            raise
        log.info("version_published", model=model.name, version=row.number, promoted=row.promoted)
        self._clean(model)

    def _start(self, scope: Scope) -> Network | None:
        """Return the network that the training begins from."""
        asked = start_of(self.job.request)
        if asked is None:
            return None
        name, number = asked
        with self.database.read() as session:
            source = models.get(session, scope, name)
            row = models.version(session, source, number) if source is not None else None
        if row is None:
            detail = f"{name}@{number}, which the training was to begin from, was deleted"
            raise BadJob(ErrorCode.version_not_found, detail)
        try:
            return weights_of(self.store, row)
        except (ArtifactMissing, CheckpointError) as e:
            raise BadJob(ErrorCode.version_not_found, f"{name}@{number} cannot be read ({e}); begin afresh") from e

    def _snapshot(self, scope: Scope, model: ModelRow, start: Network | None) -> Snapshot:
        """Return the data and configuration of the job's first attempt, which reads, chooses and keeps them."""
        if self.job.snapshot is not None:
            return Snapshot.from_bytes(self.store.get(self.job.snapshot))
        snapshot = self._new_snapshot(self._panel(scope, model), model, start)
        path = self._kept(snapshot, "")
        self.journal.write(snapshot=path, progress={"fraction": 0.0})
        return snapshot

    def _search(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the best configuration of the search that was asked for, kept for every attempt."""
        options = search_of(self.job.request)
        if options is None:
            return snapshot
        run = SearchRun(self.journal, options, self.settings.device)
        self._searched = run.share
        with self.database.read() as session:
            if trials.is_over(session, self.job.id):
                return snapshot
        found = replace(snapshot, config=run(snapshot.panel, snapshot.config))
        path = self._kept(found, "-searched")
        self.journal.record(trials.ENDED, {"network": found.config.to_dict()["network"]}, snapshot=path)
        return found

    def _kept(self, snapshot: Snapshot, suffix: str) -> str:
        """Store a snapshot for the job's next attempts; return its path."""
        path = f"{self._folder()}/snapshot-{self.fence.attempt}{suffix}.safetensors"
        self.store.put(path, snapshot.to_bytes())
        return path

    def _panel(self, scope: Scope, model: ModelRow) -> Panel:
        with self.database.read() as session:
            rows = [r for r in selected(session, scope, selector_of(self.job.request)) if r.last_ts is not None]
            rows = [r for r in rows if r.freq == model.freq]
            if not rows:
                detail = f"none of the series has observations of the model's frequency {model.freq!r}"
                raise BadJob(ErrorCode.not_enough_data, detail)
            roles = roles_of(self.job.request)
            series = panels.histories(session, scope, rows, roles, model.horizon)
            return Panel(parse_frequency(model.freq), tuple(series))

    def _new_snapshot(self, panel: Panel, model: ModelRow, start: Network | None) -> Snapshot:
        asked = self.job.request
        if start is not None:
            bounds, training = bounds_of(asked), asked["training"]
            return Snapshot(
                panel, transferred_for(start.config, panel, model.horizon, bounds=bounds, training=training)
            )
        roles = roles_of(asked)
        config = choose_for(
            panel,
            model.horizon,
            tuple(model.quantiles),
            known_future=roles.known_future,
            past=roles.past,
            static=roles.static,
            country=asked.get("country"),
            bounds=bounds_of(asked),
            network=asked["network"],
            training=asked["training"],
        )
        return Snapshot(panel, config)

    def _fit(self, snapshot: Snapshot, start: Network | None) -> Fitted:
        """Train, from the last checkpoint where there is one that can be continued."""

        def run(resume: Checkpoint | None) -> Fitted:
            return fit(
                snapshot.panel,
                snapshot.config,
                device=self.settings.device,
                on_progress=self._progress,
                save_checkpoint=self._checkpoint,
                resume=resume,
                start=start,
            )

        if self.job.checkpoint is None:
            return run(None)
        try:
            checkpoint = Checkpoint.from_bytes(self.store.get(self.job.checkpoint))
            log.info("training_continued", checkpoint=self.job.checkpoint)
            return run(checkpoint)
        except (CheckpointError, ArtifactMissing) as e:
            log.warning("checkpoint_refused", detail=f"{e}; training begins afresh")
            return run(None)

    def _progress(self, progress: Progress) -> None:
        whole = self._searched + (1 - self._searched) * progress.fraction
        self.journal.tell(asdict(progress) | {"fraction": whole})

    def _checkpoint(self, checkpoint: Checkpoint) -> None:
        if time.monotonic() - self._saved < self.settings.checkpoint_seconds:
            return
        # two slots in turn: the one that the job points to stays whole while the other is written
        slot = 1 if self.job.checkpoint and self.job.checkpoint.endswith("-0.safetensors") else 0
        path = f"{self._folder()}/checkpoint-{self.fence.attempt}-{slot}.safetensors"
        try:
            self.store.put(path, checkpoint.to_bytes())
            self.journal.write(checkpoint=path)
        except (*OUTAGE, ArtifactError) as e:  # the next epoch tries again
            log.warning("checkpoint_not_written", detail=str(e).splitlines()[0])
            return
        self.job.checkpoint = path
        self._saved = time.monotonic()

    def _upload(self, model: ModelRow, folder: Path) -> dict[str, str]:
        """Store a version's files; return their folder and the manifest's digest."""
        target = version_folder(self.job.project_id, model.pk, self.job.id, self.fence.attempt)
        for file in sorted(folder.iterdir()):
            self.store.put(f"{target}/{file.name}", file.read_bytes())
        return {
            "artifact": target,
            "digest": hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest(),
        }

    def _fail(self, code: ErrorCode, detail: str) -> None:
        with self.database.write() as session:
            jobs.finish(session, self.fence, "failed", error={"code": code, "detail": detail}, checkpoint=None)
        self.store.remove(self._folder())

    def _clean(self, model: ModelRow) -> None:
        """Remove what the job has left for a next attempt, and versions that earlier attempts did not publish."""
        self.store.remove(self._folder())
        for attempt in range(1, self.fence.attempt):
            self.store.remove(version_folder(self.job.project_id, model.pk, self.job.id, attempt))

    def _folder(self) -> str:
        return job_folder(self.job.project_id, self.job.id)


def _code(error: Exception) -> ErrorCode:
    """Return what a client is told of an error that it can mend."""
    if isinstance(error, BadJob):
        return error.code
    if isinstance(error, ExportError):
        return ErrorCode.export_failed
    if isinstance(error, TrainingDataError):
        return ErrorCode.diverged if error.code == ErrorCode.diverged else ErrorCode.not_enough_data
    return ErrorCode.invalid_input
