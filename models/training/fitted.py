"""A trained model, and the network as a plain function of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models.arrays import Floats, Ints
from models.config.model import Config
from models.data.aggregation import aggregate_panel
from models.data.series import Panel, Series
from models.data.windows import Batch, graph_inputs_of
from models.errors import TrainingDataError
from models.inference.predict import Forecast, Runner, predict, run_windows
from models.network.network import Network
from models.training.report import TrainingReport


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model."""

    config: Config
    network: Network
    report: TrainingReport
    gate_quantiles: Floats | None = None
    """(B, H, Q) on the windows of the report's gate, by the network that had not seen them"""

    @property
    def runner(self) -> Runner:
        """The network as a function of arrays."""
        return runner_of(self.network)

    def predict(self, panel: Panel, origins: Sequence[int] | None = None) -> list[Forecast]:
        """Forecast each series of the panel from its last observed value, or from positions in its `y`.

        A panel that the model aggregates is forecast from its last full steps; positions are then those of the
        aggregated panel. Raises TrainingDataError where a series has no full step.
        """
        aggregated, record = aggregate_panel(panel, self.config.cleaning)
        for series_id, reason in record.refused.items():
            raise TrainingDataError("no_history", f"series {series_id!r} cannot be forecast: {reason}")
        return predict(aggregated.series, self.runner, self.config, origins)

    def quantiles(self, series: Sequence[Series], origins: Ints) -> Floats:
        """Forecast windows: series (B,), positions (B,) in their `y` of the last value seen -> (B, H, Q)."""
        return run_windows(series, origins, self.runner, self.config)


def runner_of(network: Network) -> Runner:
    """Return the network as a function of arrays."""
    device = next(network.parameters()).device

    def run(batch: Batch) -> Floats:
        network.eval()
        arrays = graph_inputs_of(batch, network.config)
        tensors = {name: torch.from_numpy(values).to(device) for name, values in arrays.items()}
        with torch.inference_mode():
            quantiles: Floats = network(**tensors).cpu().numpy()
        return quantiles

    return run
