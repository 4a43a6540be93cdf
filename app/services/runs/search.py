"""The hyperparameter search of a training job: its trials are events of the job, which a next attempt goes on from."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.logs import get_logger
from app.services.jobs import trials
from app.services.runs.journal import Journal
from app.storage import jobs
from models.config.model import Config
from models.data.series import Panel
from models.errors import CheckpointError
from models.experiments.search import search
from models.experiments.trials import SearchResult, Trial

log = get_logger(__name__)

TRAININGS_AFTER = 2
"""what follows a search takes about as long as so many trials: a selection and a refit"""


@dataclass
class SearchRun:
    """One attempt at the search of a job."""

    journal: Journal
    options: Mapping[str, Any]
    """`trials`, `time_budget_s` and `space` of the request"""
    device: Literal["auto", "cpu", "cuda"]
    _began: float = field(init=False)
    _done: list[Trial] = field(init=False, default_factory=list)
    _spent: dict[int, float] = field(init=False, default_factory=dict)
    """seconds of interrupted runs, by trial"""

    def __call__(self, panel: Panel, config: Config) -> Config:
        """Return the best configuration that the search finds.

        Raises TrainingDataError where every trial failed, FenceLost and OUTAGE.
        """
        with self.journal.database.read() as session:
            recorded = trials.load_trials(session, self.journal.fence.job_id)
            job = jobs.require_fenced(session, self.journal.fence)
        if recorded is not None:
            running = (job.progress or {}).get("running")  # run again, but its seconds are spent
            try:
                return self._search(panel, config, [*recorded, *([running] if running else [])]).config
            except CheckpointError as e:
                log.warning("trials_refused", detail=f"{e}; the search begins afresh")
        self.journal.record(trials.STARTED, {})
        return self._search(panel, config, []).config

    @property
    def share(self) -> float:
        """The search's share of the whole job."""
        wanted: int = self.options["trials"]
        return wanted / (wanted + TRAININGS_AFTER)

    def _search(self, panel: Panel, config: Config, recorded: list[dict[str, Any]]) -> SearchResult:
        before = [Trial.from_dict(trial) for trial in recorded]
        self._done = [trial for trial in before if trial.finished]
        self._spent = {trial.number: trial.seconds for trial in before if not trial.finished}
        self._began = time.monotonic() - sum(trial.seconds for trial in before)
        return search(
            panel,
            config,
            trials=self.options["trials"],
            time_budget_s=self.options["time_budget_s"],
            space=self.options["space"],
            device=self.device,
            on_trial=lambda trial: self._tell(trial, config),
            resume=recorded,
        )

    def _tell(self, trial: Trial, config: Config) -> None:
        """Write a trial's progress; one that has ended becomes an event."""
        if trial.finished:
            self._done.append(trial)
        if trial.state == "running":
            self.journal.tell(self._progress(trial, config))
        else:
            self.journal.record(trials.TRIAL, self._document(trial), progress=self._progress(trial, config))

    def _progress(self, trial: Trial, config: Config) -> dict[str, Any]:
        wanted = self.options["trials"]
        budget = self.options["time_budget_s"]
        epochs = config.training.epochs
        part = 0.0 if trial.finished else trial.epochs / epochs
        done = (len(self._done) + part) / wanted
        spent = time.monotonic() - self._began
        if budget is not None:
            done = max(done, min(1.0, spent / budget))
        return {
            "phase": "search",
            "fraction": self.share * min(done, 1.0),
            "epoch": trial.epochs,
            "epochs": epochs,
            "train_loss": None,
            "val_loss": trial.loss,
            "eta_s": self._eta(trial),
            "trial": trial.number + 1,
            "trials": wanted,
            "running": self._document(trial) if trial.state == "running" else None,
        }

    def _document(self, trial: Trial) -> dict[str, Any]:
        """Return a trial as it is kept: its seconds are also those of runs that another attempt took over from."""
        return {**trial.to_dict(), "seconds": trial.seconds + self._spent.get(trial.number, 0.0)}

    def _eta(self, trial: Trial) -> float | None:
        """Return the seconds that are left, from the mean of the trials so far."""
        if not self._done:
            return None
        mean = sum(done.seconds for done in self._done) / len(self._done)
        remaining: int = self.options["trials"] - len(self._done)
        left = mean * remaining - (0.0 if trial.finished else min(trial.seconds, mean))
        if self.options["time_budget_s"] is not None:
            left = min(left, self.options["time_budget_s"] - (time.monotonic() - self._began))
        return max(0.0, left) + TRAININGS_AFTER * mean
