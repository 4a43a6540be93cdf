"""Small panels, configurations and networks that the tests of the engine share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.config.model import Config
from models.data.covariates import build_covariate_config
from models.data.series import Panel, Series
from models.data.windows import Batch, assemble
from models.network.network import Network
from models.planning.defaults import default_config_for_lengths
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from models.training.fitted import Fitted

START = 1_704_067_200_000_000
"""2024-01-01"""
LEVELS = (0.1, 0.5, 0.9)
PLAIN: dict[str, object] = {
    "lookbacks": [],
    "ets": False,
    "ets_models": "basic",
    "anchor": 0.0,
    "linear": False,
    "calibrated": False,
    "smoothing": 0,
    "statistical": 0,
    "prophet": 0,
}
"""One member that gates fixed maps, whatever the defaults are."""
GATED: dict[str, object] = {
    "ets": True,
    "ets_models": "basic",
    "anchor": 0.3,
    "linear": True,
    "smoothing": 2,
    "statistical": 2,
}
"""Candidates of every kind."""
VARIANTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "stacked": ({"layers": 2, "dropout": 0.2}, {}),
    "gru": ({"cell": "gru"}, {}),
    "stepwise": ({"segment": 1}, {}),
    "without-basis": ({"basis": False}, {}),
    "ensemble": ({"lookbacks": [48, 24], **GATED}, {}),
    "bidirectional": ({"bidirectional": True, "layers": 2}, {}),
    "bidirectional-gru": ({"bidirectional": True, "cell": "gru", "decoder": "last_step"}, {}),
    "attention": ({"attention": 4}, {}),
    "attention-last-step": ({"attention": 2, "segment": 1, "decoder": "last_step"}, {}),
    "convolution": ({"convolution": 3, "segment": 4}, {}),
    "recursive": ({"decoder": "recursive", "segment": 1}, {}),
    "recursive-plain": ({"decoder": "recursive", "segment": 1, "basis": False, "cell": "gru", "attention": 2}, {}),
    "smoothing": ({"smoothing": 4}, {}),
    "pretrained": ({"pretrained": True}, {}),
    "wide-ets": ({"ets": True, "ets_models": "wide", "anchor": 0.3}, {}),
    "statistical": ({"statistical": 2}, {}),
    "prophet": ({"prophet": 2}, {}),
    "mse": ({}, {"loss": "mse"}),
    "mae": ({}, {"loss": "mae"}),
    "huber": ({}, {"loss": "huber"}),
    "student-t": ({}, {"loss": "student_t"}),
    "everything": ({"bidirectional": True, "attention": 2, "convolution": 2, **GATED}, {"loss": "student_t"}),
}
"""Networks that are one setting each: network fields, training fields."""
ROLES = {"known_future": ("temp", "day"), "past": ("flow", "state"), "static": ("size", "kind")}
"""A numeric and a categorical covariate of each role."""


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


def beside(length: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return the temporal covariates of ROLES (length,), a tenth of each missing."""
    rng = np.random.default_rng([seed, 1])
    found: dict[str, NDArray[Any]] = {
        "temp": 10 + 5 * rng.standard_normal(length),
        "day": rng.choice(np.array(["free", "work", "half"], object), length),
        "flow": 1e6 * rng.random(length),
        "state": rng.choice(np.array(["on", "off"], object), length),
    }
    for name, values in found.items():
        values[rng.random(length) < 0.1] = np.nan if name in ("temp", "flow") else None
    return found


def covariate_panel(length: int = 200, series: int = 2, ahead: int = 100) -> Panel:
    """Return hourly series with the covariates of ROLES, which reach `ahead` steps past the values."""
    statics: Sequence[dict[str, float | str]] = [{"size": 3.0, "kind": "dock"}, {"size": 7.0, "kind": "hall"}, {}]
    return Panel(
        parse_frequency("h"),
        tuple(
            replace(one, covariates=beside(length + ahead, seed), static=statics[seed % 3])
            for seed, one in enumerate(hourly_panel(length, series).series)
        ),
    )


def small(horizon: int = 24, length: int = 300, training: dict[str, object] | None = None, **network: object) -> Config:
    """Return a configuration that trains in about a second."""
    chosen = {"epochs": 2, "steps_per_epoch": 6, "batch_size": 16, **(training or {})}
    return default_config_for_lengths("h", horizon, LEVELS, [length], {"hidden": 16, **PLAIN, **network}, chosen)


def rich(panel: Panel, horizon: int = 12, training: dict[str, object] | None = None, **network: object) -> Config:
    """Return a small configuration that reads all covariates of ROLES, holidays, and gates every kind of candidate."""
    config = small(horizon, 200, training, **{"hidden": 8, "context_length": 48, "segment": 12, **GATED, **network})
    calendar = (*config.network.calendar, 4)
    return replace(
        config,
        network=replace(config.network, calendar=calendar),
        covariates=build_covariate_config(panel, **ROLES),
        country="DE",
    )


def random_network(config: Config, seed: int = 1) -> Network:
    """Return an untrained network whose every weight is random, the gates included, in evaluation mode.

    The weights are as large as those that training begins with elsewhere; what is fitted in closed form is random too.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(config)
        with torch.no_grad():
            for parameter in network.parameters():
                width = parameter.shape[-1] if parameter.ndim > 1 else 64
                parameter.add_(0.5 * torch.randn_like(parameter) / width**0.5)
            network.added.copy_(0.1 * torch.randn_like(network.added) * torch.tensor([1.0, 0.0, 1.0]))
            network.widened.copy_(0.5 + torch.rand_like(network.widened))
            if network.calibrated is not None:
                weight = network.calibrated.weight
                weight.copy_(torch.randn_like(weight) / len(weight))
                network.calibrated.share.fill_(0.5)
                network.calibrated.time.fill_(3600)  # the golden vectors' first window begins then
            for reader in network.readers:
                candidates = reader.candidates
                if candidates is not None and candidates.pooled.shape[1]:
                    maps = torch.rand_like(candidates.pooled)
                    candidates.pooled.copy_(maps / maps.sum(0))
                if candidates is not None and candidates.linear is not None:
                    weight = candidates.linear.weight
                    weight.copy_(torch.randn_like(weight) / len(weight))
    return network.eval()


def window(y: NDArray[np.float64], config: Config) -> Batch:
    """Return one window that ends with `y`."""
    grid = Grid(parse_frequency("h"), "UTC", START)
    return assemble([Series("a", y, grid)], np.array([len(y) - 1], np.int64), config)


def state_of(fitted: Fitted) -> dict[str, bytes]:
    """Return a model's weights, bit by bit."""
    return {name: value.numpy().tobytes() for name, value in fitted.network.state_dict().items()}


def checkpoints(panel: Panel, config: Config) -> tuple[Fitted, list[Checkpoint]]:
    """Fit, and keep the checkpoint of every epoch."""
    found: list[Checkpoint] = []
    return fit(panel, config, save_checkpoint=found.append), found
