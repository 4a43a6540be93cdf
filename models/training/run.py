"""One run of a training: the select phase, the refit, and the handover between them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from models.arrays import Floats
from models.config.model import Config
from models.data.preflight import compute_fingerprint
from models.data.series import Panel
from models.data.splits import plan_spans
from models.errors import TrainingDataError
from models.evaluation.baselines import choose_affordable, score_baselines
from models.evaluation.scoring import Windows, choose_windows, measure_quantiles
from models.inference.predict import run_windows
from models.network.network import Network
from models.training.calibrate import SHARE_NAME, calibrate, find_time, get_calibrated
from models.training.checkpoint import Checkpoint
from models.training.conformal import measure_correction
from models.training.fit_state import BestRound, FitState, RunIdentity
from models.training.fitted import runner_of
from models.training.learner import Arrays, Learner, set_weights
from models.training.loop import TrainingHooks, train
from models.training.phase import REFIT, SELECT, PhaseState
from models.training.progress import ProgressMeter
from models.training.sampling import WindowPool, fixed_batch, window_pool
from models.training.warm_start import digest_weights

JUDGING_SECONDS = 5.0
"""longest time that a baseline may take in the course of a training"""


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """Result of both phases."""

    network: Network
    """the network to publish"""
    phase: PhaseState
    """the select phase, or the refit where nothing was selected: its curves are reported"""
    best_round: BestRound | None
    stopped: bool
    """ended early because the caller wanted it"""
    recovered: bool
    """a phase diverged once and went on at a lower rate"""


class TrainingRun:
    """The phases of one call of `fit`."""

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
        self.panel = panel
        self.config = config
        self.device = device
        self.meter = meter
        self.save_checkpoint = save_checkpoint
        self.start = start
        self.hooks = TrainingHooks(on_step=meter.count_step, on_epoch=self._finish_epoch, should_stop=stop)
        self.spans = plan_spans(panel, config)
        start_digest = digest_weights(start) if start is not None else None
        self.identity = RunIdentity(config, compute_fingerprint(panel), start_digest)
        self.best_round: BestRound | None = None

    def train(self, resume: Checkpoint | None) -> RunOutcome:
        """Run both phases, or what a checkpoint left of them."""
        resumed = FitState.from_checkpoint(resume, self.identity) if resume is not None else None
        self.best_round = resumed.best_round if resumed is not None else None
        selection = self._windows([s.selection for s in self.spans])
        pool = self._pool([s.fit_end for s in self.spans])
        if self.best_round is None and selection is not None and pool is not None:
            self.best_round = self._select(pool, selection, resumed)
        if self.best_round is not None and self.best_round.phase.stopped:
            return self._fall_back(self.best_round)
        everything = self._pool([s.end for s in self.spans])
        if everything is None:
            raise TrainingDataError("too_short", "no series has an observed value after enough history to learn from")
        return self._refit(everything, self.best_round, resumed)

    def _select(self, pool: WindowPool, selection: Windows, resumed: FitState | None) -> BestRound:
        """Train on the fit span, choose the number of steps, score the gate, and correct the levels by both."""
        learner = Learner(self.config, self.device, self.start)
        phase, best_weights = self._begin(learner, SELECT, self._planned_steps, resumed)
        fixed = fixed_batch(selection.series, selection.origins, self.config, self.device)
        if phase.step == 0:
            ends = [s.fit_end for s in self.spans]
            phase.penalties = learner.prepare(self.panel.series, ends, pool, fixed)
        weights = train(learner, pool, fixed, phase, best_weights, self.hooks)
        set_weights(learner.averaged, weights)
        self._calibrate(learner.averaged, [s.selection_end for s in self.spans])
        correction = measure_correction(learner.averaged, [fixed], self.config)
        learner.averaged.set_correction(correction)
        gate = self._windows([s.gate for s in self.spans])
        scored = gate if gate is not None else selection
        quantiles = run_windows(scored.series, scored.origins, runner_of(learner.averaged), self.config)
        metrics = self._score(scored, quantiles, "gate" if gate is not None else "selection")
        if gate is not None:  # scored, and from here on one more span that training has not seen
            unseen = fixed_batch(gate.series, gate.origins, self.config, self.device)
            correction = measure_correction(learner.averaged, [fixed, unseen], self.config)
            self._calibrate(learner.averaged, [s.end for s in self.spans])
        return BestRound(
            phase=phase,
            metrics=metrics,
            gate=_stamps(gate) if gate is not None else None,
            weights=weights | get_calibrated(learner.averaged),
            correction=correction,
            gate_quantiles=quantiles if gate is not None else None,
        )

    def _refit(self, pool: WindowPool, best: BestRound | None, resumed: FitState | None) -> RunOutcome:
        """Train a fresh network on everything for the selected number of steps."""
        learner = Learner(self.config, self.device, self.start)
        total = best.phase.total_steps if best is not None else self._planned_steps
        phase, _ = self._begin(learner, REFIT, total, resumed)
        if best is not None:
            phase.stop_step = best.phase.best_step
            phase.budgeted = True
            phase.epochs_before = best.phase.epoch
        if phase.step == 0:
            ends = [s.end for s in self.spans]
            penalties = best.phase.penalties if best is not None else None
            phase.penalties = learner.prepare(self.panel.series, ends, pool, None, penalties)
        train(learner, pool, None, phase, {}, self.hooks)
        recovered = phase.recoveries > 0
        if best is None:
            return RunOutcome(learner.averaged.eval(), phase, None, phase.stopped, recovered)
        if phase.stopped:
            return self._fall_back(best, recovered=recovered)
        learner.averaged.set_correction(best.correction)
        share = float(best.weights[SHARE_NAME].item()) if SHARE_NAME in best.weights else 0.0
        if share > 0:
            ends = [s.end for s in self.spans]
            calibrate(learner.averaged, self.panel.series, ends, self._horizon_time, share)
        recovered = recovered or best.phase.recoveries > 0
        return RunOutcome(learner.averaged.eval(), best.phase, best, stopped=False, recovered=recovered)

    def _calibrate(self, network: Network, ends: list[int]) -> None:
        """Fit the calibrated forecast on what is before `ends`, and choose its share after the fit span."""
        if network.calibrated is not None:
            unseen = [s.fit_end for s in self.spans]
            calibrate(network, self.panel.series, ends, self._horizon_time, unseen)

    @cached_property
    def _horizon_time(self) -> int:
        """The second of the day at which the calibrated forecast's horizons begin."""
        return find_time(self.panel.series, [s.end for s in self.spans])

    def _fall_back(self, best: BestRound, *, recovered: bool = False) -> RunOutcome:
        """Return the network of the select phase, corrected by all that it has not seen: the run was stopped."""
        learner = Learner(self.config, self.device, self.start)
        set_weights(learner.averaged, best.weights)
        learner.averaged.set_correction(best.correction)
        recovered = recovered or best.phase.recoveries > 0
        return RunOutcome(learner.averaged.eval(), best.phase, best, stopped=True, recovered=recovered)

    def _score(self, windows: Windows, quantiles: Floats, name: str) -> dict[str, dict[str, float]]:
        """Score the network by its quantiles (B, H, Q), and the baselines, on windows of the span of that name."""
        levels = self.config.quantiles
        season = self.panel.frequency.season
        baselines = [item for item in choose_affordable(len(windows.series), season, JUDGING_SECONDS) if item != "ets"]
        return {
            name: measure_quantiles(windows, quantiles, levels),
            **score_baselines(windows, season, baselines, levels),
        }

    @property
    def _planned_steps(self) -> int:
        """Optimiser steps of a phase that nothing ends early."""
        return self.config.training.epochs * self.config.training.steps_per_epoch

    def _pool(self, ends: list[int]) -> WindowPool | None:
        """Return the pool of the windows before `ends`, a position a series."""
        return window_pool(self.panel.series, ends, self.config, self.device)

    def _windows(self, origins: list[tuple[int, ...]]) -> Windows | None:
        """Return windows at the origins of each series, as many as the configuration wants at most."""
        return choose_windows(self.panel, origins, self.config.horizon, self.config.training.max_windows)

    def _begin(self, learner: Learner, name: str, total: int, resumed: FitState | None) -> tuple[PhaseState, Arrays]:
        """Return the phase's state and best weights, fresh or as the checkpoint left them."""
        if resumed is None or resumed.phase.name != name:
            return PhaseState(name, total), {}
        learner.load_arrays(resumed.learner)
        return resumed.phase, resumed.best_weights

    def _finish_epoch(self, phase: PhaseState, learner: Arrays, best_weights: Arrays) -> None:
        """Report the epoch, and hand over a checkpoint where one is wanted."""
        self.meter.report(phase, phase.train[-1])
        if self.save_checkpoint is not None:
            state = FitState(phase, learner, best_weights, self.best_round)
            self.save_checkpoint(state.to_checkpoint(self.identity))


def _stamps(windows: Windows) -> dict[str, list[int]]:
    """Return the stamps of the windows' origins by series id."""
    stamps: dict[str, list[int]] = {}
    for item, origin in zip(windows.series, windows.origins.tolist(), strict=True):
        stamps.setdefault(item.id, []).append(int(item.stamps(origin, origin + 1)[0]))
    return stamps
