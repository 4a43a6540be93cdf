"""A trained model, and the network as a plain function of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.config import Config
from models.network import Network
from models.predict import Forecast, Runner, predict
from models.report import Report
from models.windows import Panel


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model."""

    config: Config
    network: Network
    report: Report

    @property
    def runner(self) -> Runner:
        """The network as a function of arrays."""
        return runner_of(self.network)

    def predict(self, panel: Panel, origins: Sequence[int] | None = None) -> list[Forecast]:
        """Forecast each series of the panel from its last observed value, or from positions in its `y`."""
        return predict(
            panel.series,
            self.runner,
            context_length=self.config.network.context_length,
            horizon=self.config.horizon,
            levels=self.config.quantiles,
            origins=origins,
        )


def runner_of(network: Network) -> Runner:
    """Return the network as a function (y (B, T), calendar (B, T + H, 4)) -> quantiles (B, H, Q)."""
    device = next(network.parameters()).device

    def run(y: NDArray[np.float64], calendar: NDArray[np.int64]) -> NDArray[np.float64]:
        network.eval()
        with torch.inference_mode():
            quantiles = network(torch.from_numpy(y).to(device), torch.from_numpy(calendar).to(device))
        found: NDArray[np.float64] = quantiles.cpu().numpy()
        return found

    return run
