"""What a training will take, before it begins. Knows no torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from models.config.model import Config
from models.data.splits import shortest_context
from models.inference.predict import BATCH

BASE_BYTES = 800_000_000
"""libraries, the runtime and the export, measured on the CPU"""
ROW_BYTES = 250
"""a row on its way from the database into a panel, its stored copy, and the pool of windows"""
COLUMN_BYTES = 200
"""the same of one covariate"""
STATE_FLOATS = 12
"""numbers that a recurrent step keeps for its gradient, a unit of its width: gates, states, and their gradients"""
CONTEXT_ARRAYS = 6
"""copies of a batch of contexts: raw, scaled, masked, with calendar"""
JUDGED_ARRAYS = 5
"""copies of all forecasts of a backtest while they are measured"""


@dataclass(frozen=True)
class Cost:
    """The size of a training; memory is an estimate from above."""

    rows: int
    """steps of all series from their first to their last value"""
    windows: int
    """that may be trained on"""
    steps: int
    """of the optimiser at most, both phases together"""
    memory_bytes: int

    def to_dict(self) -> dict[str, int]:
        """Return plain JSON."""
        return asdict(self)


def cost_of(config: Config, lengths: Sequence[int], covariates: int = 0, trainings: int = 1, judged: int = 0) -> Cost:
    """Estimate a training of series of these lengths, which is done so many times over, with so many windows judged.

    `covariates` is the number of temporal covariates, which a configuration without vocabularies does not know yet.
    """
    rows, network, training = sum(lengths), config.network, config.training
    windows = sum(max(0, n - config.horizon - shortest_context(config.horizon, n) + 1) for n in lengths)
    members = max(1, len(network.lookbacks))
    states = training.batch_size * (network.context_length // network.segment) * network.hidden * network.layers
    scored = max(training.batch_size, min(BATCH, windows)) * (network.context_length + config.horizon)
    memory = (
        BASE_BYTES
        + rows * (ROW_BYTES + COLUMN_BYTES * covariates)
        + 4 * STATE_FLOATS * states * members
        + 8 * CONTEXT_ARRAYS * scored * (1 + covariates)
        + 8 * JUDGED_ARRAYS * judged * config.horizon * len(config.quantiles)
    )
    return Cost(rows, windows, 2 * trainings * training.epochs * training.steps_per_epoch, memory)
