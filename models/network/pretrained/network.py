"""The pretrained network: recurrences read segments of a context, and the steps ahead are decoded at any of them.

Shapes: B windows, T steps of the context, S steps of a segment, N segments, P positions, H steps ahead, Q levels, W
width.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.network.inputs import dampen
from models.network.modules import TypedModuleList
from models.network.pretrained.blocks import GatedPerceptron, ResidualRecurrence
from models.network.pretrained.lookups import (
    COUNT,
    Units,
    fill_forward,
    gather_steps,
    look_up,
    measure_units,
    number_steps,
)
from models.pretrained.contexts import REACH, SEGMENT
from models.pretrained.forecaster import LEVELS

SIDE = len(LEVELS) // 2
"""levels on each side of the median"""
GLOBALS = 8
PHASES = 4
"""sine and cosine of two seasons"""


@dataclass(frozen=True, kw_only=True)
class PretrainedConfig:
    """Sizes of the pretrained network."""

    segment: int = SEGMENT
    """S, steps of a segment whatever the frequency"""
    width: int = 128
    """W, of the recurrent states"""
    inner: int = 192
    """of gated perceptrons"""
    blocks: int = 2
    """recurrences, each with a perceptron"""
    horizon: int = REACH
    """H, steps that each position forecasts; a multiple of `segment`"""


class Positions(NamedTuple):
    """Where forecasts are made."""

    segments: Tensor
    """(P,) number of the last segment that was read, 0 for the first; segments without any value count"""
    origins: Tensor
    """(P,) steps that are known there, where the gap of unknown ones begins"""


class Scaled(NamedTuple):
    """Contexts in units of their own known part."""

    z: Tensor
    """(B, T) float32, 0 where nothing was observed"""
    observed: Tensor
    """(B, T) float32"""
    loc: Tensor
    """(B, 1) float64"""
    scale: Tensor
    """(B, 1) float64"""


def scale_context(y: Tensor, known: int) -> Scaled:
    """Scale y (B, T), NaN where missing, by mean and standard deviation of its first `known` steps."""
    seen = ~torch.isnan(y)
    data = torch.where(seen, y, 0.0).double()
    observed = seen.double()
    part, there = data[:, :known], observed[:, :known]
    count = there.sum(-1, keepdim=True).clip(1.0)
    loc = part.sum(-1, keepdim=True) / count
    deviation = (part - loc) * there
    spread = ((deviation * deviation).sum(-1, keepdim=True) / count).sqrt()
    spread = torch.maximum(spread, loc.abs() * 1e-6)
    scale = torch.where(spread > 1e-30, spread, 1.0)
    return Scaled(((data - loc) / scale * observed).float(), observed.float(), loc, scale)


class PretrainedNetwork(nn.Module):
    """Forecasts nine quantiles of the next H steps at any segment, in units of the context's known part."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.config = config
        segment, width = config.segment, config.width
        self.embed = nn.Linear(3 * segment + PHASES + 2 + GLOBALS, width)
        self.blocks: TypedModuleList[ResidualRecurrence] = TypedModuleList(
            ResidualRecurrence(width, config.inner) for _ in range(config.blocks)
        )
        self.norm = nn.RMSNorm(width)
        self.from_state = nn.Linear(width, width)
        self.from_step = nn.Linear(segment * COUNT + PHASES + 1 + GLOBALS, width, bias=False)
        self.mix = GatedPerceptron(width, config.inner)
        self.finish = nn.RMSNorm(width)
        self.outputs = COUNT + 2 + 2 * SIDE
        self.output = nn.Linear(width, segment * self.outputs)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, context: Scaled, known: int, periods: Tensor, positions: Positions) -> tuple[Tensor, Units]:
        """Return quantiles (B, P, H, Q) float32 in the context's units, and the units that they were made in.

        Args:
            context: T steps, a multiple of S; those that are to be forecast hold nothing.
            known: steps that units are measured on.
            periods: (B, 2) season lengths in steps, 0 for none.
            positions: where to forecast.
        """
        units = measure_units(context.z[:, :known], context.observed[:, :known], periods)
        first = context.observed.argmax(dim=1, keepdim=True)  # (B, 1)
        filled = fill_forward(context.z, context.observed)
        states = self.read(context, filled, first, periods, units, positions)  # (B, P, W)
        return self.decode(states, filled, first, periods, units, positions), units

    def read(
        self, context: Scaled, filled: Tensor, first: Tensor, periods: Tensor, units: Units, positions: Positions
    ) -> Tensor:
        """Return the state at each position: (B, P, W)."""
        segment = self.config.segment
        batch, length = context.z.shape
        count = length // segment
        starts = number_steps(filled)[::segment]  # (N,)
        before = gather_steps(filled, (starts - 1).clip(0)[None].expand(batch, count))  # (B, N)
        parts = context.z.reshape(batch, count, segment)
        observed = context.observed.reshape(batch, count, segment)
        near = dampen((parts - before[..., None]) / units.unit[..., None]) * observed
        age = torch.log1p(((starts[None] - first) / segment).clip(0.0)) / 5  # (B, N)
        empty = 1 - observed.amax(-1, keepdim=True)  # (B, N, 1)
        features = torch.cat(
            [
                dampen(parts),
                observed,
                near,
                compute_phases(starts[None].expand(batch, count), periods),
                age[..., None],
                empty,
                units.features[:, None].expand(-1, count, -1),
            ],
            dim=-1,
        )
        states = self.embed(features)
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            states = block(states, positions.segments if number == last else None)
        normed: Tensor = self.norm(states)
        return normed

    def decode(
        self, states: Tensor, filled: Tensor, first: Tensor, periods: Tensor, units: Units, positions: Positions
    ) -> Tensor:
        """Return quantiles (B, P, H, Q) from the states (B, P, W) of some positions."""
        segment, horizon = self.config.segment, self.config.horizon
        batch, count = states.shape[:2]
        pieces = horizon // segment
        gap = (positions.segments + 1) * segment - positions.origins  # (P,) steps without values before the first
        ahead = gap[:, None] + torch.arange(horizon, device=states.device)  # (P, H)
        candidates = look_up(filled, first, periods, positions.origins, ahead)  # (B, P, H, K)
        last = candidates[..., :1]
        unit = units.unit[:, :, None, None]  # (B, 1, 1, 1)
        relative = dampen((candidates - last) / unit).reshape(batch, count, pieces, segment * COUNT)
        starts = ahead[:, ::segment]  # (P, H / S)
        times = (positions.origins[:, None] + starts).flatten()[None].expand(batch, -1)  # (B, P * H / S)
        phases = compute_phases(times, periods).reshape(batch, count, pieces, PHASES)
        far = (torch.log1p(starts / segment) / 5)[None, ..., None].expand(batch, -1, -1, -1)
        fixed = units.features[:, None, None].expand(batch, count, pieces, GLOBALS)
        features = torch.cat([relative, phases, far, fixed], dim=-1)
        hidden = nn.functional.silu(self.from_state(states)[:, :, None] + self.from_step(features))
        raw = self.output(self.finish(self.mix(hidden))).reshape(batch, count, horizon, self.outputs)
        gates = raw[..., :COUNT].softmax(-1)
        middle = (gates * candidates).sum(-1, keepdim=True) + unit * raw[..., COUNT : COUNT + 1]
        spread = nn.functional.softplus(raw[..., COUNT + 1 : COUNT + 2]) * 2 * unit
        steps = nn.functional.softplus(raw[..., COUNT + 2 :]) * 0.5 * spread  # (B, P, H, 2 * SIDE)
        below = steps[..., :SIDE].cumsum(-1).flip(-1)
        above = steps[..., SIDE:].cumsum(-1)
        return torch.cat([middle - below, middle, middle + above], dim=-1)


def compute_phases(times: Tensor, periods: Tensor) -> Tensor:
    """Return sine and cosine of the phase of steps (B, N) in each season (B, 2), 0 where there is none: (B, N, 4)."""
    length = periods.clip(1)[:, None]  # (B, 1, 2)
    turn = (times[..., None] % length).float() / length * (2 * torch.pi)  # (B, N, 2)
    there = (periods > 0)[:, None]
    return torch.cat([turn.sin() * there, turn.cos() * there], dim=-1)
