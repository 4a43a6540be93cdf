"""Training a model: select on the fit span, score on the gate, refit on everything.

Phase `select` trains on the fit span and lets the selection span decide how many steps are kept; the gate is
then forecast once. Phase `refit` trains a fresh network from the same seed on everything for that number of
steps, with the schedule that was selected. A run can stop after any epoch and go on from its checkpoint to
the same bits on the same CPU and number of threads. Torch's global generator, which dropout draws from, is
seeded inside and put back afterwards.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import torch

from models.config.model import Config
from models.config.validation import require
from models.data.aggregation import select_for_training
from models.data.preflight import select_trainable
from models.data.series import Panel
from models.errors import TrainingDataError
from models.evaluation.scoring import GateSpan
from models.network.network import Network
from models.planning.defaults import default_config
from models.planning.transfer import transfer_config
from models.training.checkpoint import Checkpoint
from models.training.fitted import Fitted
from models.training.learner import choose_device
from models.training.progress import Progress, ProgressMeter
from models.training.report import TrainingReport
from models.training.run import RunOutcome, TrainingRun

Device = Literal["auto", "cpu", "cuda"]
"""where to train; `auto` takes the GPU where there is one"""


def fit(
    panel: Panel,
    config: Config,
    *,
    device: Device = "auto",
    on_progress: Callable[[Progress], None] | None = None,
    save_checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
    start: Network | None = None,
    stop: Callable[[], bool] | None = None,
) -> Fitted:
    """Train a model on every series of the panel that is long enough, and has no more gaps than may be filled.

    Args:
        on_progress: called about twice a second and after every epoch.
        save_checkpoint: called after every epoch; the caller may skip some.
        resume: where an earlier run of the same configuration, data and start stopped.
        start: a trained network to begin from; `models.planning.transfer.transfer_config` chooses the configuration.
        stop: asked after every step; once it says yes, the best network so far is what comes of the run, with the
            warning `stopped`. It has not seen what it was selected and judged by.

    Raises TrainingDataError for data that cannot be trained on, CheckpointError for a foreign checkpoint.
    """
    complete, record = select_for_training(panel, config.cleaning)
    if not complete.series and record.refused:
        raise TrainingDataError("too_many_gaps", _describe_refused(record.refused))
    kept = select_trainable(complete)
    chosen_device = choose_device(device)
    meter = ProgressMeter(on_progress, config.training.steps_per_epoch, config.training.patience)
    with torch.random.fork_rng(devices=[chosen_device] if chosen_device.type == "cuda" else []):
        run = TrainingRun(kept, config, chosen_device, meter, save_checkpoint, start, stop or _never)
        outcome = run.train(resume)
    warnings = ["short_series"] if len(kept.series) < len(complete.series) else []
    warnings += ["incomplete_series"] if len(complete.series) < len(panel.series) else []
    gate_quantiles = outcome.best_round.gate_quantiles if outcome.best_round is not None else None
    return Fitted(config, outcome.network, _report(outcome, config, meter, warnings), gate_quantiles)


def _describe_refused(refused: Mapping[str, str]) -> str:
    """Say why none of the series is trained on, by the first of them."""
    name, problem = next(iter(refused.items()))
    return f"none of the {len(refused)} series can be trained on; {name!r}: {problem}"


def _never() -> bool:
    return False


def fine_tune(
    source: Fitted | Literal["auto"],
    panel: Panel,
    horizon: int | None = None,
    *,
    freeze_encoder: bool = False,
    training: Mapping[str, object] | None = None,
    device: Device = "auto",
    on_progress: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train on from a trained model, on other series and for another horizon where given.

    Args:
        source: what to begin from; `auto` is the pretrained network of the package, which becomes a further member of a
            new network and needs a horizon.
        freeze_encoder: learn everything but the encoder, which suits a few short series.
        training: single fields of TrainingConfig; what is left out is chosen from the amount of data.

    Raises ConfigError for data of another frequency, TrainingDataError for data that cannot be trained on.
    """
    given = {"freeze_encoder": freeze_encoder, **(training or {})}
    if source == "auto":
        require(horizon is not None, "horizon", "must be given: the pretrained network forecasts any")
        assert horizon is not None
        fresh = default_config(panel, horizon, network={"pretrained": True}, training=given)
        return fit(panel, fresh, device=device, on_progress=on_progress)
    config = transfer_config(source.config, panel, horizon, training=given)
    return fit(panel, config, device=device, on_progress=on_progress, start=source.network)


def _report(outcome: RunOutcome, config: Config, meter: ProgressMeter, warnings: list[str]) -> TrainingReport:
    """Return the report; `warnings` are those about the data."""
    phase = outcome.phase
    best = outcome.best_round
    gate = best.gate if best is not None else None
    origins = {name: tuple(stamps) for name, stamps in (gate or {}).items()}
    warnings += [] if gate else ["ungated"]
    warnings += ["stopped"] if outcome.stopped else []
    warnings += ["recovered"] if outcome.recovered else []
    seconds = meter.seconds
    return TrainingReport(
        loss_curve={"train": phase.train, "val": phase.val},
        metrics=best.metrics if best is not None else {},
        selected_steps=phase.best_step if phase.val else phase.step,
        epochs_trained=phase.epoch,
        gate=GateSpan(horizon=config.horizon, origins=origins) if gate else None,
        warnings=warnings,
        seconds=seconds,
        windows_per_second=meter.steps * config.training.batch_size / max(seconds, 1e-9),
    )
