"""The network: basis forecasts, gated and corrected by a recurrent network over segments of the context.

Shapes: B batch, T context, H horizon, Q quantiles (Q last), S segment, N segments of the context, M segments
of the horizon, K basis forecasts, C calendar features, D features a step. Raw values go in and quantiles in
original units come out: filling gaps, scaling (in float64, so that 1e-9 and 1e12 survive) and sorting are
part of the network, and with it of the exported graph. The idea of segments is SegRNN's (Lin et al. 2023).
"""

from collections.abc import Callable
from math import ceil
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor, nn

from models.basis import basis_forecasts
from models.config import Config
from models.inputs import CalendarFeatures, Context, Normalise
from models.losses import POINT_LOSSES

STEP_FEATURES = 16
CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}

State = Tensor | tuple[Tensor, Tensor]


class Network(nn.Module):
    """Maps y (B, T) and calendar (B, T + H, 4) to quantiles (B, H, Q)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        net, seasons = config.network, config.network.seasons
        self.normalise = Normalise(net.context_length, seasons[0] if seasons else 1, net.scaler)
        self.calendar = CalendarFeatures(net.calendar)
        self.encoder = Encoder(config, self.calendar.width)
        self.head = Head(config)
        self.decoder = DECODERS[net.decoder](config, self.calendar.width, self.head.width)
        self.head.initialise(self.decoder.output)
        residuals = torch.zeros(config.horizon, len(config.quantiles), dtype=torch.float32)
        self.residuals: Tensor
        self.register_buffer("residuals", residuals)  # (H, Q), measured on the selection span

    def forward(self, y: Tensor, calendar: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) float64 in original units, ascending along Q."""
        context, quantiles = self.scaled(y, calendar)
        ordered = torch.sort(quantiles + self.residuals, dim=-1).values
        return ordered.double() * context.scale[..., None] + context.loc[..., None]

    def scaled(self, y: Tensor, calendar: Tensor) -> tuple[Context, Tensor]:
        """Return the context and the raw quantiles (B, H, Q) float32 in units of its scale."""
        net = self.config.network
        context = self.normalise(y)
        past, ahead = calendar[:, : net.context_length : net.segment], calendar[:, net.context_length :]
        states, state = self.encoder(context, self.calendar(past))
        parts = self.decoder(states, state, self.calendar(ahead))  # (B, H, K + 1 + Q or 1)
        return context, self.head(parts, context.z)


class Encoder(nn.Module):
    """Reads segments of values, observed mask and calendar -> states (B, N, hidden), last state."""

    def __init__(self, config: Config, calendar_width: int) -> None:
        super().__init__()
        net = config.network
        self.segment, self.mask = net.segment, net.mask
        self.steps = net.context_length // net.segment
        width = net.segment * (2 if net.mask else 1) + calendar_width
        dropout = net.dropout if net.layers > 1 else 0.0
        self.cell = CELLS[net.cell](width, net.hidden, net.layers, batch_first=True, dropout=dropout)

    def forward(self, context: Context, calendar: Tensor) -> tuple[Tensor, State]:
        parts = [context.z, context.observed] if self.mask else [context.z]
        segments = [part.reshape(-1, self.steps, self.segment) for part in parts]  # each (B, N, S)
        states, state = self.cell(torch.cat([*segments, calendar], dim=-1))
        return states, state


class LastStepDecoder(nn.Module):
    """Linear on the last state: (B, N, hidden) -> (B, H, width)."""

    def __init__(self, config: Config, calendar_width: int, width: int) -> None:
        super().__init__()
        self.horizon, self.width = config.horizon, width
        self.dropout = nn.Dropout(config.network.dropout)
        self.output = nn.Linear(config.network.hidden, config.horizon * width)

    def forward(self, states: Tensor, state: State, calendar: Tensor) -> Tensor:
        decoded: Tensor = self.output(self.dropout(states[:, -1]))
        return decoded.reshape(-1, self.horizon, self.width)


class ParallelDecoder(nn.Module):
    """One more recurrent step for each horizon segment, all of them from the encoder's last state.

    A step reads the segment's learned position and its calendar; a small perceptron then joins each
    segment's state with the calendar of each of its steps: (B, H, width).
    """

    def __init__(self, config: Config, calendar_width: int, width: int) -> None:
        super().__init__()
        net = config.network
        self.horizon, self.segment = config.horizon, net.segment
        self.position = nn.Parameter(torch.randn(ceil(config.horizon / net.segment), STEP_FEATURES) * 0.1)
        dropout = net.dropout if net.layers > 1 else 0.0
        cell = CELLS[net.cell]
        self.cell = cell(STEP_FEATURES + calendar_width, net.hidden, net.layers, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(net.dropout)
        self.steps = nn.Linear(net.hidden, net.segment * STEP_FEATURES)
        self.calendar = nn.Linear(calendar_width, STEP_FEATURES, bias=False) if calendar_width else None
        self.output = nn.Linear(STEP_FEATURES, width)

    def forward(self, states: Tensor, state: State, calendar: Tensor) -> Tensor:
        count = len(self.position)
        position = self.position.expand(calendar.shape[0], -1, -1)
        inputs = torch.cat([position, calendar[:, :: self.segment]], dim=-1).flatten(0, 1)  # (B * M, C + D)
        # no sequence of M steps: every segment starts from the same state and errors do not add up
        decoded, _ = self.cell(inputs[:, None], _each(state, lambda s: _repeated(s, count)))
        steps = self.steps(self.dropout(decoded[:, 0]))  # (B * M, S * D)
        features = steps.reshape(-1, count * self.segment, STEP_FEATURES)[:, : self.horizon]  # (B, H, D)
        if self.calendar is not None:
            features = features + self.calendar(calendar)
        outputs: Tensor = self.output(nn.functional.silu(features))
        return outputs


DECODERS: dict[str, type[LastStepDecoder] | type[ParallelDecoder]] = {
    "parallel": ParallelDecoder,
    "last_step": LastStepDecoder,
}


class Head(nn.Module):
    """Turns decoder outputs into quantiles: gates over basis forecasts, a correction, level offsets."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        net = config.network
        self.basis: Tensor
        maps = np.zeros((0, net.context_length, config.horizon))
        if net.basis:
            _, maps = basis_forecasts(net.context_length, config.horizon, net.seasons)
        self.count, self.horizon = len(maps), config.horizon
        flat = maps.transpose(1, 2, 0).reshape(net.context_length, -1)  # (T, H * K)
        self.register_buffer("basis", torch.from_numpy(flat.copy()).float(), persistent=False)
        self.levels = config.quantiles
        self.spread = config.training.loss not in POINT_LOSSES
        self.width = self.count + 1 + (len(self.levels) if self.spread else 0)

    def initialise(self, output: nn.Linear) -> None:
        """Start from the mean of the basis forecasts, gates uniform, levels spread like a normal law's."""
        if not self.count:
            return
        nn.init.zeros_(output.weight)
        nn.init.zeros_(output.bias)
        if self.spread:
            normal = torch.tensor([0.5 * NormalDist().inv_cdf(q) for q in self.levels])
            with torch.no_grad():
                output.bias.view(-1, self.width)[:, self.count + 1 :] = normal

    def forward(self, parts: Tensor, z: Tensor) -> Tensor:
        point = parts[..., self.count]  # (B, H), the correction
        if self.count:
            candidates = (z @ self.basis).reshape(-1, self.horizon, self.count)  # (B, H, K)
            point = point + (parts[..., : self.count].softmax(-1) * candidates).sum(-1)
        if not self.spread:
            return point[..., None].expand(-1, -1, len(self.levels))
        return point[..., None] + parts[..., self.count + 1 :] * self.off_median

    @property
    def off_median(self) -> Tensor:
        """0 at the median, which is the point forecast itself, and 1 elsewhere: (Q,)."""
        return self.basis.new_tensor([float(q != 0.5) for q in self.levels])


def _each(state: State, change: Callable[[Tensor], Tensor]) -> State:
    return (change(state[0]), change(state[1])) if isinstance(state, tuple) else change(state)


def _repeated(state: Tensor, count: int) -> Tensor:
    """Repeat each window's state: (layers, B, hidden) -> (layers, B * count, hidden)."""
    return state[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)
