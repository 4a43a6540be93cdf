"""Small panels, configurations and networks that the tests of the engine share."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.calendar import Grid, parse_frequency
from models.config import Config
from models.defaults import choose
from models.network import Network
from models.windows import Batch, Panel, Series, assemble


def hourly(length: int, seed: int = 0, noise: float = 0.4) -> NDArray[np.float64]:
    """Return a load-like hourly series (length,): day and week, a wandering level, noise."""
    rng = np.random.default_rng(seed)
    hours = np.arange(length)
    day = 3 * np.sin(2 * np.pi * hours / 24) + np.cos(4 * np.pi * hours / 24)
    week = 1.5 * (hours // 24 % 7 >= 5)
    return 20 + day - week + np.cumsum(0.05 * rng.standard_normal(length)) + noise * rng.standard_normal(length)


def hourly_panel(length: int = 300, series: int = 1) -> Panel:
    """Return a panel of hourly series named a, b, c ..."""
    return Panel.from_arrays({chr(97 + k): hourly(length, seed=k) for k in range(series)}, freq="h", start="2024-01-01")


def small(horizon: int = 24, length: int = 300, training: dict[str, object] | None = None, **network: object) -> Config:
    """Return a configuration that trains in about a second."""
    chosen = {"epochs": 2, "steps_per_epoch": 6, "batch_size": 16, **(training or {})}
    return choose("h", horizon, (0.1, 0.5, 0.9), [length], {"hidden": 16, **network}, chosen)


def random_network(config: Config, seed: int = 1) -> Network:
    """Return an untrained network whose every weight is random, the gates included, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(config)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def window(y: NDArray[np.float64], config: Config) -> Batch:
    """Return one window that ends with `y`."""
    grid = Grid(parse_frequency("h"), "UTC", 1_704_067_200_000_000)
    origin = np.array([len(y) - 1], np.int64)
    return assemble([Series("a", y, grid)], origin, config.network.context_length, config.horizon)
