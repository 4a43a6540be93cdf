"""The report of a training run. Knows no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.evaluation.scoring import GateSpan


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """Results of a training run."""

    loss_curve: Mapping[str, list[float]]
    """`train` and `val`, a value an epoch of the select phase (of the refit without a selection)"""
    metrics: Mapping[str, Mapping[str, float]]
    """`gate` and the baselines (`season_naive`, `naive` …) on the gate; without a gate, `selection` and the baselines
    on the selection span; empty without either. They measure the network that had not seen the span."""
    selected_steps: int
    """optimiser steps of the published network"""
    epochs_trained: int
    """epochs of the select phase (of the only phase)"""
    gate: GateSpan | None
    """the windows on which versions are compared; None: no series was long enough"""
    warnings: list[str] = field(default_factory=list)
    """codes: `ungated`, `short_series`, `recovered` (training diverged once and went on at a lower rate),
    `stopped` (ended early because the caller wanted it)"""
    seconds: float
    """wall time of both phases"""
    windows_per_second: float
    """training windows a second"""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, the gate's origins left out."""
        return {
            "loss_curve": {name: list(values) for name, values in self.loss_curve.items()},
            "metrics": {name: dict(values) for name, values in self.metrics.items()},
            "selected_steps": self.selected_steps,
            "epochs_trained": self.epochs_trained,
            "gate_windows": self.gate.n_windows if self.gate else 0,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
            "windows_per_second": self.windows_per_second,
        }
