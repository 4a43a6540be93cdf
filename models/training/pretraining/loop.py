"""The loop: steps of the optimiser, averaged weights, checkpoints from which it goes on, and what it tells."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.network.pretrained.network import Positions, PretrainedNetwork, scale_context
from models.pretrained.forecaster import LEVELS
from models.training.pretraining.loss import compute_loss
from models.training.pretraining.plan import PretrainingPlan
from models.training.pretraining.windows import WindowBatch, make_batches

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"
CLIP = 1.0
"""largest norm of a gradient"""
BETAS = (0.9, 0.95)


@dataclass
class Pretraining:
    """A pretraining under way."""

    plan: PretrainingPlan
    device: torch.device
    network: PretrainedNetwork = field(init=False)
    averaged: dict[str, Tensor] = field(init=False)
    optimiser: torch.optim.AdamW = field(init=False)
    step: int = 0
    """steps done"""
    seconds: float = 0.0
    """spent, over all sessions"""
    windows: int = 0
    """seen"""

    def __post_init__(self) -> None:
        torch.manual_seed(self.plan.seed)
        self.network = PretrainedNetwork(self.plan.network).to(self.device)
        self.averaged = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self.plan.rate, betas=BETAS, weight_decay=self.plan.decay
        )
        self.levels = torch.tensor(LEVELS, device=self.device)

    def train_batch(self, batch: WindowBatch) -> float:
        """Take one step; return the loss."""
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.compute_rate(self.step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = compute_batch_loss(self.network, batch, self.levels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimiser.step()
        self.step += 1
        self.windows += len(batch.y)
        share = min(self.plan.average, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.averaged[name].lerp_(value, 1 - share)
        return float(loss.detach())

    def begin_with(self, path: Path) -> None:
        """Begin with the weights of a file, such as the published ones."""
        weights = {name: value.float() for name, value in load_file(path, str(self.device)).items()}
        self.network.load_state_dict(weights)
        self.averaged = {name: value.clone() for name, value in self.network.state_dict().items()}

    def get_averaged(self) -> PretrainedNetwork:
        """Return a network of the averaged weights."""
        network = PretrainedNetwork(self.plan.network).to(self.device)
        network.load_state_dict(self.averaged)
        return network.eval()

    def save(self, folder: Path) -> None:
        """Write the checkpoint, so that a reader sees the old one or the whole new one."""
        tensors = {f"weights.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": value for name, value in self.averaged.items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in state.items()}
        record = {"plan": asdict(self.plan), "step": self.step, "seconds": self.seconds, "windows": self.windows}
        partial = folder / f"{CHECKPOINT}.partial"
        save_file(
            {name: value.cpu().contiguous() for name, value in tensors.items()}, partial, {"record": json.dumps(record)}
        )
        os.replace(partial, folder / CHECKPOINT)

    def restore(self, folder: Path) -> None:
        """Go on from the checkpoint. Raises ValueError where it is of another network or seed."""
        path = folder / CHECKPOINT
        record = read_record(path)
        for name in ("network", "seed", "segments"):
            if record["plan"][name] != asdict(self.plan)[name]:
                raise ValueError(f"the checkpoint in {folder} was made with another {name}: {record['plan'][name]}")
        tensors = load_file(path, str(self.device))
        self.network.load_state_dict(_select(tensors, "weights."))
        self.averaged = {name: value.clone() for name, value in _select(tensors, "averaged.").items()}
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _select(tensors, "optimiser.").items():
            number, key = name.split(".", 1)
            state.setdefault(int(number), {})[key] = value
        self.optimiser.load_state_dict({"state": state, "param_groups": self.optimiser.state_dict()["param_groups"]})
        self.step, self.seconds, self.windows = record["step"], record["seconds"], record["windows"]


def read_record(path: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        record: dict[str, Any] = json.loads(file.metadata()["record"])
    return record


def _select(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def compute_batch_loss(network: PretrainedNetwork, batch: WindowBatch, levels: Tensor) -> Tensor:
    """Forecast a batch and compute its loss, a scalar."""
    device = levels.device
    segment, horizon = network.config.segment, network.config.horizon
    y = torch.from_numpy(np.ascontiguousarray(batch.y)).to(device)
    context = scale_context(y, batch.known)
    segments = torch.from_numpy(batch.segments).to(device)
    starts = (segments + 1) * segment  # (P,)
    targets = starts[:, None] + torch.arange(horizon, device=device)  # (P, H)
    z = torch.where(torch.isnan(y), torch.nan, context.z)
    actual = z[:, targets]  # (B, P, H)
    read = (int(batch.segments.max()) + 1) * segment
    steps = torch.arange(read, device=device)
    hidden = (steps >= batch.blank[0] * segment) & (steps < batch.blank[1] * segment)
    shown = torch.where(hidden, 0.0, 1.0)
    seen = context._replace(z=context.z[:, :read] * shown, observed=context.observed[:, :read] * shown)
    origins = torch.from_numpy(batch.origins).to(device)
    periods = torch.from_numpy(batch.periods).to(device)
    quantiles, units = network(seen, batch.known, periods, Positions(segments, origins))
    return compute_loss(quantiles.float(), actual, levels, units.season, batch.known)


def run(
    pretraining: Pretraining,
    folder: Path,
    until: float,
    tell: Callable[[str], None],
    judge: Callable[[PretrainedNetwork], Mapping[str, float]],
    every: float,
) -> None:
    """Train until the plan's last step or a time (of `time.monotonic`), telling and saving every so many seconds."""
    batches: Iterator[WindowBatch] = make_batches(pretraining.plan, pretraining.step)
    losses: list[float] = []
    begun = told = time.monotonic()
    seen = pretraining.windows
    spent = pretraining.seconds
    for batch in batches:
        losses.append(pretraining.train_batch(batch))
        now = time.monotonic()
        pretraining.seconds = spent + now - begun
        if now - told < every and now < until and pretraining.step < pretraining.plan.steps:
            continue
        rate = (pretraining.windows - seen) / (now - told)
        pretraining.save(folder)
        row = {
            "step": pretraining.step,
            "of": pretraining.plan.steps,
            "seconds": round(pretraining.seconds, 1),
            "windows": pretraining.windows,
            "windows_a_second": round(rate, 1),
            "loss": round(float(np.mean(losses)), 5),
            **{name: round(value, 4) for name, value in judge(pretraining.get_averaged()).items()},
        }
        with (folder / LOG).open("a") as file:
            file.write(json.dumps(row) + "\n")
        tell(" · ".join(f"{name} {value}" for name, value in row.items()))
        losses, seen, told = [], pretraining.windows, time.monotonic()
        if told >= until or pretraining.step >= pretraining.plan.steps:
            return
