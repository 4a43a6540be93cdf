"""A network in training: its losses and steps, and everything that its next step depends on.

Shapes: B windows, H horizon, Q quantiles.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.config.model import Config
from models.data.series import Series
from models.data.windows import inputs_of
from models.errors import ConfigError
from models.network.head import ANCHOR_SHARES
from models.network.inputs import ScaledContext
from models.network.network import Network
from models.training.closed_form import prepare
from models.training.losses import LOSSES, student_t
from models.training.sampling import TensorBatch, WindowPool, select_windows, split_batch
from models.training.warm_start import adopt, freeze

Arrays = dict[str, NDArray[Any]]
"""weights, states of optimisers and generators, by name"""

LARGEST_TARGET = 30.0
"""Targets are clipped to this many scales: a jump after a flat context must not outweigh other windows."""
LEAST_ERROR = 0.25
"""Season errors and sizes below this share of the scale count as this much: a constant context has none"""
RELATIVE_SHARE = 8.0
"""Weight of a relative error beside a scaled one: about their ratio for season-naive in the M4 competition"""
PRETRAINED_RATE_SHARE = 0.1
"""of the learning rate, with which the pretrained network is trained on"""
SCORED_AT_ONCE = 512
"""windows in one pass without gradients, for the sake of memory"""


class Learner:
    """A network in training with everything that its next step depends on."""

    def __init__(self, config: Config, device: torch.device, start: Network | None = None) -> None:
        """Build the network from the seed, or on from `start`. Sets torch's global generator, for dropout."""
        training = config.training
        self.config = config
        self.device = device
        torch.manual_seed(training.seed)
        self.network = Network(config).to(device)
        self.started = start is not None
        if start is not None:
            adopt(self.network, start)
        elif self.network.pretrained is not None:
            self.network.pretrained.begin_with_published()
        if training.freeze_encoder:
            freeze(self.network)
        self.averaged = _copy_network(self.network)
        optimizer = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[training.optimizer]
        groups = _group_parameters(self.network)
        # a fused step on the GPU: networks of this size keep it waiting for the next kernel, not for sums
        fused = True if device.type == "cuda" else None
        self.optimizer = optimizer(groups, lr=training.learning_rate, weight_decay=training.weight_decay, fused=fused)
        self.averagings = 0
        self.generator = torch.Generator().manual_seed(training.seed)
        self.levels = torch.tensor(config.quantiles, dtype=torch.float32, device=device)

    def prepare(
        self,
        series: Sequence[Series],
        ends: Sequence[int],
        pool: WindowPool,
        selection: TensorBatch | None,
        penalties: Sequence[float] | None = None,
    ) -> list[float]:
        """Set what a fresh network learns in closed form, as `closed_form.prepare` says; return the penalties."""
        chosen = prepare(self.network, series, ends, pool, selection, penalties, started=self.started)
        self.averaged.load_state_dict(self.network.state_dict())
        return chosen

    def loss(
        self, context: ScaledContext, quantiles: Tensor, target: Tensor, distribution: Tensor | None = None
    ) -> Tensor:
        """Return the mean loss of quantiles (B, H, Q) in scaled units against targets (B, H) in original units.

        With the parameters (B, H, 2) of a `distribution` it is the negative log-likelihood.
        """
        scaled = (target - context.loc) / context.scale  # (B, H), NaN where missing
        mask = ~torch.isnan(scaled)
        clipped = torch.where(mask, scaled, 0.0).clip(-LARGEST_TARGET, LARGEST_TARGET).float()
        weight = mask.float()
        if self.config.training.weighting == "relative":
            weight = weight * self.relative_weight(context, clipped)
        if distribution is not None:
            point = quantiles[..., self.network.median].float()  # (B, H)
            return student_t(point, distribution.float(), clipped, weight)
        return LOSSES[self.config.training.loss](quantiles.float(), clipped, weight, self.levels)

    def relative_weight(self, context: ScaledContext, target: Tensor) -> Tensor:
        """Return (B, H): the mean of one over the context's season-naive error and one over the target's size."""
        season = self.config.network.season_in_context
        lag = season if season < context.z.shape[1] else 1
        pair = context.observed[:, lag:] * context.observed[:, :-lag]  # (B, T - lag), 1 where both are observed
        change = ((context.z[:, lag:] - context.z[:, :-lag]).abs() * pair).sum(-1, keepdim=True)
        error = change / pair.sum(-1, keepdim=True).clip(1.0)  # (B, 1)
        size = (target + (context.loc / context.scale).float()).abs()  # in units of the scale
        return 0.5 * (1 / error.clip(LEAST_ERROR) + RELATIVE_SHARE / size.clip(LEAST_ERROR))

    def step(self, pool: WindowPool, rate: float) -> float:
        """Take one optimiser step and return its loss; a loss that is not finite changes nothing.

        Each member of the ensemble learns from windows of its own, and its gradient is clipped by itself.
        """
        self.network.train()
        size = self.config.training.batch_size
        members = self.network.learners
        drawn = pool.draw(size * len(members), self.generator)
        total = torch.zeros((), device=self.device)
        for number in range(len(members)):
            batch = select_windows(drawn, slice(number * size, (number + 1) * size))
            context, forecast = self.network.forecast_member(number, **inputs_of(batch, self.config))
            total = total + self.loss(context, forecast.quantiles, batch["target"], forecast.distribution)
        value = float(total.detach()) / len(members)
        if not math.isfinite(value):
            return value
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        for member in members:
            torch.nn.utils.clip_grad_norm_(member.parameters(), self.config.training.clip_norm)
        self.optimizer.step()
        self.average()
        return value

    def average(self) -> None:
        """Move the averaged weights towards the current ones: what is scored, kept and published."""
        self.averagings += 1
        # early steps count equally, or the initial weights would count for most
        share = max(1 - self.config.training.averaging, 1 / (1 + self.averagings))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), share)

    def score(self, batch: TensorBatch) -> float:
        """Return the ensemble's loss of fixed windows, without dropout: with the share of the smoothing models that
        suits them best, where that is chosen."""
        self.averaged.eval()
        if not self.config.network.chooses_anchor:
            return self._score(batch)
        return min(self._score_with(share, batch) for share in ANCHOR_SHARES)

    def _score_with(self, anchor: float, batch: TensorBatch) -> float:
        self.averaged.set_anchor(anchor)
        return self._score(batch)

    def _score(self, batch: TensorBatch) -> float:
        total = 0.0
        weight = 0.0
        with torch.no_grad():
            for piece in split_batch(batch, SCORED_AT_ONCE):
                observed = float((~torch.isnan(piece["target"])).sum())
                context, quantiles = self.averaged.forecast_scaled(**inputs_of(piece, self.config))
                total += float(self.loss(context, quantiles, piece["target"])) * observed
                weight += observed
        return total / max(weight, 1.0)

    def weights(self) -> Arrays:
        """Return a copy of the averaged network's state."""
        return _copy_state(self.averaged)

    def arrays(self) -> Arrays:
        """Return a copy of weights, optimiser and generators: all that the next step depends on."""
        arrays = add_prefix(_copy_state(self.network), "network/")
        arrays |= add_prefix(self.weights(), "averaged/")
        arrays["averagings"] = np.array(self.averagings, np.int64)
        for number, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                arrays[f"optimizer/{number}/{name}"] = value.detach().cpu().numpy().copy()
        arrays["rng/sampler"] = self.generator.get_state().numpy().copy()
        arrays["rng/torch"] = torch.get_rng_state().numpy().copy()
        if self.device.type == "cuda":
            arrays["rng/cuda"] = torch.cuda.get_rng_state(self.device).numpy().copy()
        return arrays

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]], *, generators: bool = True) -> None:
        """Load what `arrays` returned; strict."""
        set_weights(self.network, strip_prefix(arrays, "network/"))
        set_weights(self.averaged, strip_prefix(arrays, "averaged/"))
        self.averagings = int(arrays["averagings"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in strip_prefix(arrays, "optimizer/").items():
            number, key = name.split("/")
            state.setdefault(int(number), {})[key] = torch.from_numpy(np.array(value))
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        if generators:
            self.generator.set_state(torch.from_numpy(arrays["rng/sampler"].copy()))
            torch.set_rng_state(torch.from_numpy(arrays["rng/torch"].copy()))
            if self.device.type == "cuda" and "rng/cuda" in arrays:
                torch.cuda.set_rng_state(torch.from_numpy(arrays["rng/cuda"].copy()), self.device)


def _group_parameters(network: Network) -> list[dict[str, Any]]:
    """Return what learns, in groups with their share of the learning rate."""
    given = set(network.pretrained.parameters()) if network.pretrained is not None else set()
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learned if p not in given], "share": 1.0},
        {"params": [p for p in learned if p in given], "share": PRETRAINED_RATE_SHARE},
    ]
    return [group for group in groups if group["params"]]


def _copy_network(network: Network) -> Network:
    """Return a copy whose recurrences keep their weights in one piece, as cuDNN wants them."""
    copied = copy.deepcopy(network)
    for part in copied.modules():
        if isinstance(part, torch.nn.RNNBase):
            part.flatten_parameters()
    return copied


def _copy_state(network: Network) -> Arrays:
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def set_weights(network: Network, weights: Mapping[str, NDArray[Any]]) -> None:
    """Set a network's state from arrays; strict."""
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})


def choose_device(wanted: str) -> torch.device:
    """Return where `auto`, `cpu` or `cuda` trains. Raises ConfigError for a GPU that is not there."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device", "must be auto or cpu: this machine has no CUDA device")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def add_prefix(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    """Return the arrays, each name with the prefix before it."""
    return {f"{prefix}{name}": value for name, value in arrays.items()}


def strip_prefix(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    """Return the arrays whose names begin with the prefix, by what follows it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
