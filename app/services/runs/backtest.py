"""A backtest job: trains on what comes before each origin, and judges the forecasts beside the baselines."""

from dataclasses import asdict, dataclass
from typing import Any

from safetensors.numpy import load, save

from app.errors import ErrorCode, JobRefused
from app.logs import get_logger
from app.services.evaluation.kept_forecasts import MOST_VALUES, KeptForecasts
from app.services.jobs.documents import parse_selector
from app.services.runs.attempt import Attempt
from app.services.runs.checkpoints import Checkpoints, load_panel
from app.services.runs.snapshots import Snapshot
from app.storage import jobs, registry
from app.storage.artifacts import ArtifactMissing, result_folder
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
        """Judge, and end the job with the measures. Raises JobRefused, TrainingDataError and ConfigError."""
        request = self.attempt.job.request
        snapshot = self._load_snapshot()
        windows = request["n_windows"] * len(snapshot.panel.series)
        season = snapshot.panel.frequency.season
        result = backtest(
            snapshot.panel,
            snapshot.config,
            n_windows=request["n_windows"],
            step_size=request["step_size"],
            horizon=request["horizon"],
            refit=request["refit"],
            baselines=choose_affordable(windows, season) if request["baselines"] is None else request["baselines"],
            device=self.attempt.settings.device,
            on_progress=self._write_progress,
            resume=self._resume(),
        )
        self.attempt.succeed(_describe(result) | {"forecasts": self._keep_forecasts(result)})

    def _keep_forecasts(self, result: Backtest) -> dict[str, Any]:
        """Store the forecasts where there are not too many; return where, and how many. Raises ArtifactError."""
        kept: dict[str, Any] = {"values": result.quantiles.size, "path": None}
        if result.quantiles.size <= MOST_VALUES:
            folder = result_folder(self.attempt.job.project_id, self.attempt.job.id)
            kept["path"] = f"{folder}/forecasts.safetensors"  # of every attempt: their data are the same
            self.attempt.store.put(kept["path"], KeptForecasts.of(result).to_bytes())
        return kept

    def _load_snapshot(self) -> Snapshot:
        """Return the data and the configuration of the job's first attempt."""
        if self.attempt.job.snapshot is not None:
            return Snapshot.from_bytes(self.attempt.store.get(self.attempt.job.snapshot))
        config = self._config()
        roles = config.covariates
        selector = parse_selector(self.attempt.job.request)
        panel, record = load_panel(self.attempt, self.attempt.get_model(), selector, roles, config.cleaning)
        snapshot = Snapshot(panel, config, record)
        path = self.attempt.keep("snapshot", snapshot.to_bytes())
        self.attempt.journal.write(snapshot=path, progress={"fraction": 0.0})
        return snapshot

    def _config(self) -> Config:
        model = self.attempt.get_model()
        number = self.attempt.job.request["version"]
        with self.attempt.database.read() as session:
            row = registry.get_version(session, model, number)
        if row is None:
            raise JobRefused(ErrorCode.version_not_found, f"{model.name}@{number}, which was to be judged, was deleted")
        return Config.from_dict(row.config)

    def _resume(self) -> BacktestResume:
        """Return what earlier attempts have left."""
        checkpoints = Checkpoints(self.attempt)
        finished = {}
        with self.attempt.database.read() as session:
            events = jobs.list_events(session, self.attempt.job.id, (FITTED,))
        for event in events:
            try:
                finished[int(event.data["number"])] = load(self.attempt.store.get(event.data["path"]))["quantiles"]
            except ArtifactMissing as e:
                log.warning("fit_repeated", detail=str(e))
        return BacktestResume(
            finished=finished,
            checkpoint=checkpoints.load_last(),
            on_fit=self._keep_fit,
            save_checkpoint=checkpoints.save,
        )

    def _keep_fit(self, number: int, quantiles: Any) -> None:
        path = self.attempt.keep(f"fit-{number}", save({"quantiles": quantiles}))
        self.attempt.journal.record(FITTED, {"number": number, "path": path})
        self.attempt.leave_if_asked()

    def _write_progress(self, progress: Progress) -> None:
        self.attempt.journal.tell({k: v for k, v in asdict(progress).items() if k not in ("train", "val")})


def _describe(result: Backtest) -> dict[str, Any]:
    measured = result.to_dict()
    for window in measured["by_window"]:
        for name in ("first_origin", "last_origin"):
            window[name] = format_stamp(window[name], "UTC")
    return {
        "windows": len(result.number),
        "series": len(set(result.series_ids)),
        "baselines": list(result.baselines),
        **measured,
    }
