"""A backtest job: trains on what comes before each origin, and judges the forecasts beside the baselines."""

from dataclasses import asdict, dataclass
from typing import Any

from safetensors.numpy import load, save

from app.errors import ErrorCode
from app.logs import get_logger
from app.services.jobs.documents import selector_of
from app.services.runs.attempt import Attempt, BadJob
from app.services.runs.checkpoints import Checkpoints, panel_of
from app.services.runs.snapshots import Snapshot
from app.storage import jobs, registry
from app.storage.artifacts import ArtifactMissing
from models.calendar.timestamps import format_stamp
from models.config.model import Config
from models.evaluation.baselines import choose_affordable
from models.experiments.backtest import BacktestResume, backtest
from models.experiments.backtest_result import Backtest
from models.training.progress import Progress

log = get_logger(__name__)

FITTED = "fitted"
"""kind of the events that tell of a training of the backtest that is over"""


@dataclass
class BacktestRun:
    """One attempt at one backtest."""

    attempt: Attempt

    def run(self) -> None:
        """Judge, and end the job with the measures. Raises BadJob, TrainingDataError and ConfigError."""
        asked, snapshot = self.attempt.job.request, self._snapshot()
        windows, season = asked["n_windows"] * len(snapshot.panel.series), snapshot.panel.frequency.season
        found = backtest(
            snapshot.panel,
            snapshot.config,
            n_windows=asked["n_windows"],
            step_size=asked["step_size"],
            horizon=asked["horizon"],
            refit=asked["refit"],
            baselines=choose_affordable(windows, season) if asked["baselines"] is None else asked["baselines"],
            device=self.attempt.settings.device,
            on_progress=self._progress,
            resume=self._resume(),
        )
        self.attempt.succeed(_result(found))

    def _snapshot(self) -> Snapshot:
        """Return the data and the configuration of the job's first attempt."""
        if self.attempt.job.snapshot is not None:
            return Snapshot.from_bytes(self.attempt.store.get(self.attempt.job.snapshot))
        config = self._config()
        roles = config.covariates
        snapshot = Snapshot(
            panel_of(self.attempt, self.attempt.model(), selector_of(self.attempt.job.request), roles), config
        )
        path = self.attempt.keep("snapshot", snapshot.to_bytes())
        self.attempt.journal.write(snapshot=path, progress={"fraction": 0.0})
        return snapshot

    def _config(self) -> Config:
        model, number = self.attempt.model(), self.attempt.job.request["version"]
        with self.attempt.database.read() as session:
            row = registry.version(session, model, number)
        if row is None:
            raise BadJob(ErrorCode.version_not_found, f"{model.name}@{number}, which was to be judged, was deleted")
        return Config.from_dict(row.config)

    def _resume(self) -> BacktestResume:
        """Return what earlier attempts have left."""
        checkpoints, done = Checkpoints(self.attempt), {}
        with self.attempt.database.read() as session:
            events = jobs.events(session, self.attempt.job.id, (FITTED,))
        for event in events:
            try:
                done[int(event.data["number"])] = load(self.attempt.store.get(event.data["path"]))["quantiles"]
            except ArtifactMissing as e:
                log.warning("fit_repeated", detail=str(e))
        return BacktestResume(
            finished=done, checkpoint=checkpoints.last(), on_fit=self._fitted, save_checkpoint=checkpoints.save
        )

    def _fitted(self, number: int, quantiles: Any) -> None:
        path = self.attempt.keep(f"fit-{number}", save({"quantiles": quantiles}))
        self.attempt.journal.record(FITTED, {"number": number, "path": path})
        self.attempt.leave()

    def _progress(self, progress: Progress) -> None:
        self.attempt.journal.tell(asdict(progress))


def _result(found: Backtest) -> dict[str, Any]:
    measured = found.to_dict()
    for window in measured["by_window"]:
        for name in ("first_origin", "last_origin"):
            window[name] = format_stamp(window[name], "UTC")
    return {
        "windows": len(found.number),
        "series": len(set(found.series_ids)),
        "baselines": list(found.baselines),
        **measured,
    }
