"""An estimate of a training's size and memory, before it begins."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from models.config.model import Config
from models.data.splits import shortest_context
from models.inference.predict import BATCH

BASE_BYTES = 800_000_000
"""bytes of the libraries, the runtime and the export, measured on the CPU"""
ROW_BYTES = 250
"""bytes of a row on its way from the database into a panel, of its stored copy, and of the pool of windows"""
COLUMN_BYTES = 200
"""bytes that each covariate adds to a row"""
STATE_FLOATS = 12
"""numbers that a recurrent step keeps for its gradient, for each hidden value: gates, states, and their gradients"""
CONTEXT_ARRAYS = 6
"""copies of a batch of contexts: raw, scaled, masked, with calendar"""
MEASURED_ARRAYS = 5
"""copies of all forecasts of a backtest while they are measured"""


@dataclass(frozen=True)
class Cost:
    """The size of a training; memory is an estimate from above."""

    rows: int
    """steps of all series from their first to their last value"""
    windows: int
    """windows of all series that may be trained on"""
    steps: int
    """most optimiser steps, both phases together"""
    memory_bytes: int
    """peak of the process"""

    def to_dict(self) -> dict[str, int]:
        """Return plain JSON."""
        return asdict(self)


def estimate_cost(
    config: Config, lengths: Sequence[int], covariates: int = 0, trainings: int = 1, measured: int = 0
) -> Cost:
    """Estimate the cost of training on series of these lengths in steps.

    Args:
        covariates: number of temporal covariates, which a configuration without vocabularies lacks.
        trainings: number of trainings, one after another.
        measured: number of forecast windows that are measured at the end, as in a backtest.
    """
    network, training = config.network, config.training
    rows = sum(lengths)
    windows = sum(max(0, n - config.horizon - shortest_context(config.horizon, n) + 1) for n in lengths)
    members = max(1, len(network.lookbacks))
    states = training.batch_size * (network.context_length // network.segment) * network.hidden * network.layers
    scored = max(training.batch_size, min(BATCH, windows)) * (network.context_length + config.horizon)
    memory = (
        BASE_BYTES
        + rows * (ROW_BYTES + COLUMN_BYTES * covariates)
        + 4 * STATE_FLOATS * states * members
        + 8 * CONTEXT_ARRAYS * scored * (1 + covariates)
        + 8 * MEASURED_ARRAYS * measured * config.horizon * len(config.quantiles)
    )
    return Cost(rows, windows, 2 * trainings * training.epochs * training.steps_per_epoch, memory)
