"""The state of a training between epochs and between phases, and its form in a checkpoint.

The names within a checkpoint are older than those of the fields here, and stay as they are: a training goes on from the
checkpoint of an earlier release.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.arrays import Floats
from models.config.model import Config
from models.errors import CheckpointError, ConfigError
from models.network.network import ConformalCorrection
from models.training.checkpoint import Checkpoint
from models.training.learner import Arrays, add_prefix, strip_prefix
from models.training.phase import PhaseState

BEST_WEIGHTS = "best/"
"""before the best weights so far of the phase that is running"""
ROUND_WEIGHTS = "selected/"
"""before the weights of the best round"""
CORRECTION = "calibration/"
"""before the conformal correction of the best round"""
GATE = "judged/"
"""before the best round's forecasts of the gate"""


@dataclass(frozen=True)
class RunIdentity:
    """Configuration, data and start of a run. A checkpoint is continued by a run of the same identity alone."""

    config: Config
    fingerprint: str
    """digest of the data"""
    start_digest: str | None
    """digest of the weights that training began from; None: fresh weights"""

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"config": self.config.to_dict(), "data": self.fingerprint, "start": self.start_digest}

    def check(self, checkpoint: Checkpoint) -> None:
        """Raise CheckpointError for a checkpoint of another run."""
        record = {**checkpoint.record, "config": _complete(checkpoint.record.get("config"))}
        if any(record.get(name) != value for name, value in self.to_record().items()):
            raise CheckpointError("the checkpoint belongs to another configuration, other data or another start")


def _complete(config: Any) -> Any:
    """Return a recorded configuration with the fields that its release did not know, as they were."""
    try:
        return Config.from_dict(config).to_dict()
    except (ConfigError, TypeError):  # of a release that knows more, or no configuration
        return config


@dataclass(frozen=True, eq=False)
class BestRound:
    """Results of the select phase, for the refit and the report."""

    phase: PhaseState
    """the select phase at its end"""
    metrics: Mapping[str, Mapping[str, float]]
    """scores of the gate, or of the selection span where there is none: `TrainingReport.metrics`"""
    gate: Mapping[str, list[int]] | None
    """series id -> stamps of the gate's origins; None: no series is long enough for a gate"""
    weights: Arrays
    """weights with the least selection loss; a refit that is stopped falls back on them"""
    correction: ConformalCorrection
    """measured on the selection span and the gate, which the weights have not seen"""
    gate_quantiles: Floats | None
    """(B, H, Q) on the gate's windows, of the network that had not seen them"""

    def to_record(self) -> dict[str, Any]:
        """Return what is not an array, as plain JSON values."""
        return {"state": self.phase.to_record(), "metrics": self.metrics, "gate": self.gate}

    def to_arrays(self) -> Arrays:
        """Return the arrays, by their names in a checkpoint."""
        correction: Arrays = {
            "added": self.correction.offset,
            "widened": self.correction.scale,
            "lean": self.correction.lean,
            "excess": self.correction.excess,
            "history": self.correction.history,
        }
        if self.correction.anchor is not None:
            correction["anchor"] = np.array(self.correction.anchor)
        if self.correction.pretrained is not None:
            correction["pretrained"] = np.array(self.correction.pretrained)
        arrays = add_prefix(correction, CORRECTION)
        if self.gate_quantiles is not None:
            arrays[f"{GATE}quantiles"] = self.gate_quantiles
        return arrays | add_prefix(self.weights, ROUND_WEIGHTS)

    @staticmethod
    def from_checkpoint(checkpoint: Checkpoint) -> "BestRound | None":
        """Read what `to_record` and `to_arrays` wrote; None where no select phase had ended."""
        record = checkpoint.record["selected"]
        if not record:
            return None
        correction = strip_prefix(checkpoint.arrays, CORRECTION)
        return BestRound(
            phase=PhaseState.from_record(record["state"]),
            metrics=record["metrics"],
            gate=record["gate"],
            weights=strip_prefix(checkpoint.arrays, ROUND_WEIGHTS),
            correction=ConformalCorrection(
                offset=correction["added"],
                scale=correction["widened"],
                lean=correction.get("lean", np.ones((), np.float32)),
                excess=correction.get("excess", np.zeros((), np.float32)),
                history=correction.get("history", np.zeros((), np.float32)),
                anchor=float(correction["anchor"]) if "anchor" in correction else None,
                pretrained=float(correction["pretrained"]) if "pretrained" in correction else None,
            ),
            gate_quantiles=checkpoint.arrays.get(f"{GATE}quantiles"),
        )


@dataclass(frozen=True, eq=False)
class FitState:
    """A training between two epochs."""

    phase: PhaseState
    """the phase that is running"""
    learner: Arrays
    """`Learner.arrays`"""
    best_weights: Arrays
    """the best so far of the phase; empty where nothing selects"""
    best_round: BestRound | None
    """results of the select phase; None: it has not ended, or there is none"""

    def to_checkpoint(self, identity: RunIdentity) -> Checkpoint:
        """Return the checkpoint of a run."""
        record = {
            **identity.to_record(),
            "state": self.phase.to_record(),
            "selected": self.best_round.to_record() if self.best_round is not None else {},
        }
        arrays = self.learner | add_prefix(self.best_weights, BEST_WEIGHTS)
        return Checkpoint(record, arrays | (self.best_round.to_arrays() if self.best_round is not None else {}))

    @staticmethod
    def from_checkpoint(checkpoint: Checkpoint, identity: RunIdentity) -> "FitState":
        """Read what `to_checkpoint` wrote. Raises CheckpointError for the checkpoint of another run."""
        identity.check(checkpoint)
        prefixes = (BEST_WEIGHTS, ROUND_WEIGHTS, CORRECTION, GATE)
        return FitState(
            phase=PhaseState.from_record(checkpoint.record["state"]),
            learner={name: value for name, value in checkpoint.arrays.items() if not name.startswith(prefixes)},
            best_weights=strip_prefix(checkpoint.arrays, BEST_WEIGHTS),
            best_round=BestRound.from_checkpoint(checkpoint),
        )
