"""Training a model: select on the fit span, score on the gate, refit on everything.

Phase `select` trains on the fit span and lets the selection span decide how many steps are kept; the gate is
then forecast once. Phase `refit` trains a fresh network from the same seed on everything for that number of
steps, with the schedule that was selected. A run can stop after any epoch and go on from its checkpoint to
the same bits on the same CPU and number of threads. Torch's global generator, which dropout draws from, is
seeded inside and put back afterwards.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch

from models.config.model import Config
from models.data.preflight import compute_fingerprint, select_trainable
from models.data.series import Panel
from models.data.splits import plan_spans
from models.errors import CheckpointError, TrainingDataError
from models.evaluation.baselines import choose_affordable, score_baselines
from models.evaluation.scoring import GateSpan, Windows, choose_windows, measure_quantiles
from models.inference.predict import run_windows
from models.network.network import Network
from models.planning.transfer import transfer_config
from models.training.checkpoint import Checkpoint
from models.training.conformal import corrections
from models.training.fitted import Fitted, runner_of
from models.training.learner import Arrays, Learner, device_of, load_weights, select
from models.training.loop import Hooks, train
from models.training.phase import REFIT, SELECT, PhaseState
from models.training.progress import Progress, ProgressMeter
from models.training.report import Report
from models.training.sampling import WindowPool, fixed_batch, window_pool
from models.training.warm_start import digest_of

JUDGING_SECONDS = 5.0
"""that a reference may take beside a training"""
Selected = dict[str, Any]
"""What the select phase leaves to the refit, plain JSON: `state`, `metrics`, and the `gate`'s stamps"""


def fit(
    panel: Panel,
    config: Config,
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    on_progress: Callable[[Progress], None] | None = None,
    save_checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
    start: Network | None = None,
    stop: Callable[[], bool] | None = None,
) -> Fitted:
    """Train a model on every series of the panel that is long enough.

    Args:
        device: where to train; `auto` takes the GPU where there is one.
        on_progress: called about twice a second and after every epoch.
        save_checkpoint: called after every epoch; the caller may skip some.
        resume: where an earlier run of the same configuration, data and start stopped.
        start: a trained network to begin from; `models.planning.transfer.transfer_config` chooses the configuration.
        stop: asked after every step; once it says yes, the best network so far is what comes of the run, with the
            warning `stopped`. It has not seen what it was selected and judged by.

    Raises TrainingDataError for data that cannot be trained on, CheckpointError for a foreign checkpoint.
    """
    kept = select_trainable(panel)
    place = device_of(device)
    meter = ProgressMeter(on_progress, config.training.steps_per_epoch, config.training.patience)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        run = _Run(kept, config, place, meter, save_checkpoint, start, stop or _never)
        network = run.train(resume)
    warnings = ["short_series"] if len(kept.series) < len(panel.series) else []
    return Fitted(config, network, _report(run, warnings), run.judged.get("quantiles"))


def _never() -> bool:
    return False


def fine_tune(
    source: Fitted,
    panel: Panel,
    horizon: int | None = None,
    *,
    freeze_encoder: bool = False,
    training: Mapping[str, object] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    on_progress: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train on from a trained model, on other series and for another horizon where given.

    Args:
        freeze_encoder: learn everything but the encoder, which suits a few short series.
        training: single fields of TrainingConfig; what is left out is chosen from the amount of data.

    Raises ConfigError for data of another frequency, TrainingDataError for data that cannot be trained on.
    """
    given = {"freeze_encoder": freeze_encoder, **(training or {})}
    config = transfer_config(source.config, panel, horizon, training=given)
    return fit(panel, config, device=device, on_progress=on_progress, start=source.network)


class _Run:
    """One call of `fit`: the two phases and what passes between them."""

    def __init__(
        self,
        panel: Panel,
        config: Config,
        device: torch.device,
        meter: ProgressMeter,
        save_checkpoint: Callable[[Checkpoint], None] | None,
        start: Network | None,
        stop: Callable[[], bool],
    ) -> None:
        self.panel, self.config, self.device = panel, config, device
        self.meter, self.save_checkpoint, self.stop = meter, save_checkpoint, stop
        self.spans = plan_spans(panel, config)
        self.fingerprint = compute_fingerprint(panel)
        self.start, self.origin = start, digest_of(start) if start is not None else None
        self.selected: Selected = {}
        self.corrections: Arrays = {}
        self.judged: Arrays = {}
        """`quantiles` (B, H, Q) on the gate's windows, of the network that had not seen them"""
        self.best: Arrays = {}
        """weights of the select phase, which a refit that is stopped falls back on"""
        self.stopped = False
        self.recoveries = 0

    def train(self, resume: Checkpoint | None) -> Network:
        """Run both phases, or what a checkpoint left of them, and return the network to publish."""
        if resume is not None:
            self._adopt(resume)
        selection = self._windows([s.selection for s in self.spans])
        pool = self._pool([s.fit_end for s in self.spans])
        if not self.selected and selection is not None and pool is not None:
            self._select(pool, selection, resume)
        if self.stopped:
            return self._kept()
        everything = self._pool([s.end for s in self.spans])
        if everything is None:
            raise TrainingDataError("too_short", "no series has an observed value after enough history to learn from")
        return self._refit(everything, resume)

    def _select(self, pool: WindowPool, selection: Windows, resume: Checkpoint | None) -> None:
        """Train on the fit span, choose the number of steps, score the gate, and correct the levels by both."""
        learner = Learner(self.config, self.device, self.start)
        state, best = self._begin(learner, SELECT, self._planned_steps, resume)
        fixed = fixed_batch(selection.series, selection.origins, self.config, self.device)
        if state.step == 0:
            ends = [s.fit_end for s in self.spans]
            state.penalties = learner.prepare(self.panel.series, ends, pool, fixed)
        self.best = train(learner, pool, fixed, state, best, self._hooks())
        self.stopped = state.stopped
        load_weights(learner.averaged, self.best)
        self.corrections = corrections(learner.averaged, [fixed], self.config)
        learner.averaged.correct(self.corrections)
        gate = self._windows([s.gate for s in self.spans])
        self.selected = {
            "state": state.record(),
            "metrics": self._scores(learner.averaged, selection, gate),
            "gate": _stamps(gate) if gate is not None else None,
        }
        if gate is not None:  # scored, and from here on one more span that training has not seen
            scored = fixed_batch(gate.series, gate.origins, self.config, self.device)
            self.corrections = corrections(learner.averaged, [fixed, scored], self.config)

    def _refit(self, pool: WindowPool, resume: Checkpoint | None) -> Network:
        """Train a fresh network on everything for the selected number of steps."""
        learner = Learner(self.config, self.device, self.start)
        chosen = PhaseState(**self.selected["state"]) if self.selected else None
        total = chosen.total_steps if chosen else self._planned_steps
        state, _ = self._begin(learner, REFIT, total, resume)
        if chosen is not None:
            state.stop_step, state.budgeted, state.epochs_before = chosen.best_step, True, chosen.epoch
        if state.step == 0:
            ends, penalties = [s.end for s in self.spans], chosen.penalties if chosen else None
            state.penalties = learner.prepare(self.panel.series, ends, pool, None, penalties)
        train(learner, pool, None, state, {}, self._hooks())
        self.recoveries, self.stopped = state.recoveries, state.stopped
        if self.stopped and self.best:
            return self._kept()
        if not self.selected:
            self.selected = {"state": state.record(), "metrics": {}, "gate": None}
        if self.corrections:
            learner.averaged.correct(self.corrections)
        return learner.averaged.eval()

    def _kept(self) -> Network:
        """Return the network of the select phase, corrected by all that it has not seen."""
        learner = Learner(self.config, self.device, self.start)
        load_weights(learner.averaged, self.best)
        learner.averaged.correct(self.corrections)
        return learner.averaged.eval()

    def _scores(self, network: Network, selection: Windows, gate: Windows | None) -> dict[str, dict[str, float]]:
        """Score the gate, or the selection span where there is none, beside the references."""
        name, windows = ("selection", selection) if gate is None else ("gate", gate)
        quantiles = run_windows(windows.series, windows.origins, runner_of(network), self.config)
        if gate is not None:
            self.judged = {"quantiles": quantiles}
        levels, season = self.config.quantiles, self.panel.frequency.season
        beside = [one for one in choose_affordable(len(windows.series), season, JUDGING_SECONDS) if one != "ets"]
        return {
            name: measure_quantiles(windows, quantiles, levels),
            **score_baselines(windows, season, beside, levels),
        }

    @property
    def _planned_steps(self) -> int:
        return self.config.training.epochs * self.config.training.steps_per_epoch

    def _pool(self, ends: list[int]) -> WindowPool | None:
        return window_pool(self.panel.series, ends, self.config, self.device)

    def _windows(self, origins: list[tuple[int, ...]]) -> Windows | None:
        return choose_windows(self.panel, origins, self.config.horizon, self.config.training.max_windows)

    def _adopt(self, resume: Checkpoint) -> None:
        record = resume.record
        own = {"config": self.config.to_dict(), "data": self.fingerprint, "start": self.origin}
        if any(record.get(name) != value for name, value in own.items()):
            raise CheckpointError("the checkpoint belongs to another configuration, other data or another start")
        self.selected = record["selected"]
        self.corrections = select(resume.arrays, "calibration/")
        self.judged = select(resume.arrays, "judged/")
        self.best = select(resume.arrays, "selected/")

    def _begin(self, learner: Learner, name: str, total: int, resume: Checkpoint | None) -> tuple[PhaseState, Arrays]:
        """Return the phase's state and best weights, fresh or as the checkpoint left them."""
        if resume is None or resume.record["state"]["name"] != name:
            return PhaseState(name, total), {}
        learner.load_arrays(resume.arrays)
        return PhaseState(**resume.record["state"]), select(resume.arrays, "best/")

    def _hooks(self) -> Hooks:
        return Hooks(stepped=self.meter.stepped, epoch_end=self._epoch_end, stop=self.stop)

    def _epoch_end(self, state: PhaseState, arrays: Arrays, best: Arrays) -> None:
        self.meter.tell(state, state.train[-1])
        if self.save_checkpoint is None:
            return
        record = {
            "config": self.config.to_dict(),
            "data": self.fingerprint,
            "start": self.origin,
            "state": state.record(),
            "selected": self.selected,
        }
        extra = {f"best/{name}": value for name, value in best.items()}
        extra |= {f"calibration/{name}": value for name, value in self.corrections.items()}
        extra |= {f"judged/{name}": value for name, value in self.judged.items()}
        extra |= {f"selected/{name}": value for name, value in self.best.items()}
        self.save_checkpoint(Checkpoint(record, arrays | extra))


def _report(run: _Run, warnings: list[str]) -> Report:
    state = PhaseState(**run.selected["state"])
    gate = run.selected["gate"]
    origins = {name: tuple(stamps) for name, stamps in (gate or {}).items()}
    warnings += [] if gate else ["ungated"]
    warnings += ["stopped"] if run.stopped else []
    warnings += ["recovered"] if state.recoveries or run.recoveries else []
    seconds = run.meter.seconds
    return Report(
        loss_curve={"train": state.train, "val": state.val},
        metrics=run.selected["metrics"],
        selected_steps=state.best_step if state.val else state.step,
        epochs_trained=state.epoch,
        gate=GateSpan(horizon=run.config.horizon, origins=origins) if gate else None,
        warnings=warnings,
        seconds=seconds,
        windows_per_second=run.meter.steps * run.config.training.batch_size / max(seconds, 1e-9),
    )


def _stamps(windows: Windows) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one, origin in zip(windows.series, windows.origins.tolist(), strict=True):
        found.setdefault(one.id, []).append(int(one.stamps(origin, origin + 1)[0]))
    return found
