"""Running a training: what the worker's child process does, from the job's row to the published version.

Every write carries the job's fence. A run that was cancelled or replaced meets FenceLost at its next write, and its
files lie in a folder of its own that nothing points to.
"""

import hashlib
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import ErrorCode
from app.logs import get_logger
from app.services import panels, snapshots
from app.services.promotion import Verdict, judge
from app.services.training import Selector, selected, selector_of
from app.storage import jobs, models
from app.storage.artifacts import ArtifactStore, job_folder, version_folder
from app.storage.engine import Database
from app.storage.jobs import Fence
from app.storage.keys import ALL_RIGHTS
from app.storage.scope import Scope
from app.storage.tables import JobRow, ModelRow
from models.calendar import parse_frequency
from models.checkpoint import Checkpoint, CheckpointError
from models.config import Config, ConfigError
from models.defaults import choose
from models.export import ExportError, export
from models.fit import Fitted, TrainingDataError, fit
from models.report import Progress
from models.timestamps import format_stamp
from models.windows import Panel

log = get_logger(__name__)

PROGRESS_SECONDS = 0.4
"""least time between two writes of the progress"""


class BadJob(Exception):
    """The job cannot succeed, for a reason that its user can mend."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass
class Run:
    """One attempt at one training job."""

    settings: Settings
    database: Database
    store: ArtifactStore
    fence: Fence
    job: JobRow = field(init=False)
    model: ModelRow = field(init=False)
    _told: float = field(init=False, default=float("-inf"))
    _saved: float = field(init=False, default_factory=time.monotonic)

    def __call__(self) -> None:
        """Train and publish. Raises FenceLost where another run or a cancellation has taken the job."""
        with self.database.read() as session:
            self.job = jobs.held(session, self.fence)
        try:
            self._train()
        except (BadJob, TrainingDataError, ConfigError, ExportError) as e:
            self._fail(e)
            log.warning("training_refused", detail=str(e))
        except jobs.FenceLost:
            raise
        except Exception as e:
            log.exception("training_failed")
            detail = f"training failed inside ({type(e).__name__}); the worker's log of this job has the traceback"
            self._fail(BadJob(ErrorCode.training_failed, detail))

    def _train(self) -> None:
        scope = Scope(self.job.project_id, ALL_RIGHTS)
        with self.database.read() as session:
            model = models.by_pk(session, scope, self.job.model_pk) if self.job.model_pk else None
        if model is None:
            raise BadJob(ErrorCode.model_not_found, "the model was deleted before its training began")
        self.model = model
        panel = self._panel(scope)
        config = self._config(panel)
        fitted = fit(
            panel,
            config,
            on_progress=self._progress,
            save_checkpoint=self._checkpoint,
            resume=self._resumed(),
        )
        with tempfile.TemporaryDirectory() as folder:
            export(fitted, Path(folder))
            artifact, digest = self._upload(Path(folder))
        try:
            self._publish(scope, panel, fitted, artifact, digest)
        except BaseException:
            self.store.remove(artifact)  # nothing points to it
            raise
        self.store.remove(self._folder())

    def _folder(self) -> str:
        return job_folder(self.job.project_id, self.job.id)

    def _panel(self, scope: Scope) -> Panel:
        """Return the data of the job's first attempt; the first attempt reads and keeps it."""
        path = f"{self._folder()}/panel.safetensors"
        if self.job.progress is not None:
            return snapshots.from_bytes(self.store.get(path))
        with self.database.read() as session:
            rows = [r for r in selected(session, scope, selector_of(self.job.request)) if r.last_ts is not None]
            rows = [r for r in rows if r.freq == self.model.freq]
            if not rows:
                detail = f"none of the series has observations of the model's frequency {self.model.freq!r}"
                raise BadJob(ErrorCode.not_enough_data, detail)
            panel = Panel(parse_frequency(self.model.freq), tuple(panels.load(session, rows)))
        self.store.put(path, snapshots.to_bytes(panel))
        self._write(progress={"fraction": 0.0})
        return panel

    def _config(self, panel: Panel) -> Config:
        options = {
            "device": self.settings.device,
            "checkpoint_seconds": self.settings.checkpoint_seconds,
            **self.job.request["training"],
        }
        lengths = [len(one.y) for one in panel.series]
        levels = tuple(self.model.quantiles)
        return choose(panel.frequency, self.model.horizon, levels, lengths, self.job.request["network"], options)

    def _resumed(self) -> Checkpoint | None:
        """Return where an earlier attempt stopped; None begins afresh."""
        if self.job.checkpoint is None:
            return None
        try:
            checkpoint = Checkpoint.from_bytes(self.store.get(self.job.checkpoint))
        except CheckpointError as e:
            log.warning("checkpoint_unreadable", detail=str(e))
            return None
        log.info("training_continued", checkpoint=self.job.checkpoint)
        return checkpoint

    def _progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told < PROGRESS_SECONDS:
            return
        self._told = now
        try:
            self._write(progress=asdict(progress))
        except OperationalError as e:  # the database is away for a moment: the training need not stop for that
            log.warning("progress_not_written", detail=str(e).splitlines()[0])

    def _checkpoint(self, checkpoint: Checkpoint) -> None:
        if time.monotonic() - self._saved < self.settings.checkpoint_seconds:
            return
        # two slots in turn: the one that the job points to stays whole while the other is written
        slot = 1 if self.job.checkpoint and self.job.checkpoint.endswith("-0.safetensors") else 0
        path = f"{self._folder()}/checkpoint-{self.fence.attempt}-{slot}.safetensors"
        self.store.put(path, checkpoint.to_bytes())
        self._write(checkpoint=path)
        self.job.checkpoint = path
        self._saved = time.monotonic()

    def _upload(self, folder: Path) -> tuple[str, str]:
        """Store a version's files; return their folder and the manifest's digest."""
        target = version_folder(self.job.project_id, self.model.pk, self.job.id, self.fence.attempt)
        for file in sorted(folder.iterdir()):
            self.store.put(f"{target}/{file.name}", file.read_bytes())
        return target, hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()

    def _publish(self, scope: Scope, panel: Panel, fitted: Fitted, artifact: str, digest: str) -> None:
        """Judge the version and publish it: number, row, champion and the job's end in one fenced transaction."""
        verdict = judge(self.database, self.store, scope, self.model.pk, panel, fitted, self.job.request["promote"])
        fields = _fields(panel, fitted, verdict, selector_of(self.job.request))
        with self.database.write() as session:
            model = models.by_pk(session, scope, self.model.pk, lock=True)
            if model is None:
                raise BadJob(ErrorCode.model_not_found, "the model was deleted while it was trained")
            if (
                self.job.request["promote"] == "if_better" and verdict.champion != model.champion
            ):  # judged against a champion that is none any more
                fields |= {
                    "promoted": False,
                    "reason": "another version became champion while this one was judged",
                }
            row = models.publish(
                session, model, {**fields, "job_id": self.job.id, "artifact": artifact, "digest": digest}
            )
            self._finish(session, "succeeded", version=row.number, checkpoint=None)
        log.info("version_published", model=self.model.name, version=row.number, promoted=fields["promoted"])

    def _finish(self, session: Session, status: str, **values: Any) -> None:
        progress = dict(jobs.held(session, self.fence).progress or {})
        if status == "succeeded":
            progress |= {"fraction": 1.0, "eta_s": 0.0}
        jobs.finish(session, self.fence, status, progress=progress, **values)

    def _fail(self, error: Exception) -> None:
        code = getattr(error, "code", ErrorCode.invalid_input)
        if isinstance(error, ExportError):
            code = ErrorCode.export_failed
        known = code if code in set(ErrorCode) else ErrorCode.not_enough_data
        with self.database.write() as session:
            self._finish(session, "failed", error={"code": known, "detail": str(error)}, checkpoint=None)
        self.store.remove(self._folder())

    def _write(self, **values: Any) -> None:
        with self.database.write() as session:
            jobs.write(session, self.fence, **values)


def _fields(panel: Panel, fitted: Fitted, verdict: Verdict, selector: Selector) -> dict[str, Any]:
    missing = set(selector.ids or ()) - {one.id for one in panel.series}
    report = fitted.report.to_dict()
    metrics: Mapping[str, Any] = report["metrics"]
    first = min(panel.series, key=lambda s: int(s.stamps(0, 1)[0]))
    last = max(panel.series, key=lambda s: int(s.stamps(len(s.y) - 1, len(s.y))[0]))
    return {
        "promoted": verdict.promoted,
        "reason": verdict.reason,
        "config": fitted.config.to_dict(),
        "metrics": {"gate": None, "season_naive": None, **metrics, **verdict.metrics},
        "loss_curve": report["loss_curve"],
        "data_span": {
            "start": format_stamp(int(first.stamps(0, 1)[0]), first.grid.timezone),
            "end": format_stamp(int(last.stamps(len(last.y) - 1, len(last.y))[0]), last.grid.timezone),
            "series": [one.id for one in panel.series],
        },
        "warnings": [*report["warnings"], *(["empty_series"] if missing else [])],
    }
