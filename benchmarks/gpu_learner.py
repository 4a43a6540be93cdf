"""What is trained in benchmarks.gpu: the same series, configurations and learner for every figure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.config.model import Config
from models.data.series import Panel
from models.planning.defaults import default_config_for_lengths
from models.planning.presets import ARTICLES_NETWORK, ARTICLES_TRAINING
from models.training.learner import Learner
from models.training.sampling import WindowPool, window_pool

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
HORIZON = 24


@dataclass(frozen=True)
class Sizes:
    """How large everything is."""

    series: int
    """fewer than 30: then no candidate of the default network needs another library"""
    length: int
    """steps of each series"""
    batches: tuple[int, ...]
    """windows in a step; the first is the default's"""
    parity_steps: int
    """of each training whose losses are compared"""
    copied: int
    """bytes that are copied at once"""
    served: tuple[int, ...]
    """forecasts that are asked for at once"""
    network: dict[str, Any]
    """what differs from the default network"""


FULL = Sizes(24, 2400, (128, 4096), 25, 1 << 30, (1, 64, 4096), {})
SMALL = Sizes(6, 300, (32,), 10, 1 << 24, (1, 64, 256), {"hidden": 16, "context_length": 48})


def example(sizes: Sizes) -> Panel:
    """Return seeded hourly series with a daily season of different sizes, trends and noise."""
    random, hours = np.random.default_rng(0), np.arange(sizes.length)
    day = np.sin(2 * np.pi * hours / 24)
    return Panel.from_arrays(
        {
            f"s{k}": 10 + (1 + k % 3) * day + 0.002 * (k % 4) * hours + random.normal(0, 0.3, sizes.length)
            for k in range(sizes.series)
        },
        "h",
    )


def default_config(sizes: Sizes, network: dict[str, Any] | None = None, **training: Any) -> Config:
    """Return what the project chooses for these series, but for the fields that are given."""
    lengths = [sizes.length] * sizes.series
    return default_config_for_lengths("h", HORIZON, LEVELS, lengths, {**sizes.network, **(network or {})}, training)


def stepwise_config(sizes: Sizes, **training: Any) -> Config:
    """Return the articles' configuration: the recurrence reads one step of the context after another."""
    lengths = [sizes.length] * sizes.series
    network = {**ARTICLES_NETWORK, "hidden": 128, "context_length": 168, **sizes.network}
    return default_config_for_lengths("h", HORIZON, LEVELS, lengths, network, {**ARTICLES_TRAINING, **training})


def pool_of(panel: Panel, config: Config, device: torch.device, held_out: int = 0) -> WindowPool:
    """Return all windows of the panel on a device, but for the last `held_out` steps of each series."""
    pool = window_pool(panel.series, [len(one.y) - held_out for one in panel.series], config, device)
    assert pool is not None
    return pool


class PreciseLearner(Learner):
    """The project's learner, in mixed precision where wanted: the project itself trains in float32."""

    def __init__(self, config: Config, device: torch.device, *, mixed: bool) -> None:
        super().__init__(config, device)
        self.mixed = mixed

    def step(self, pool: WindowPool, rate: float) -> float:
        """Take one step, with bfloat16 where it is safe."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            return super().step(pool, rate)
