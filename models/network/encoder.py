"""The encoder: recurrence over segments of the context, after a convolution and in both directions where wanted.

Shapes: B batch, T context, S segment, N segments of the context, D features of a segment.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config.network import NetworkConfig
from models.network.inputs import ScaledContext, dampen

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}

State = Tensor | tuple[Tensor, Tensor]
"""(layers, B, hidden) of a GRU, two of them of an LSTM"""


class Encoded(NamedTuple):
    """Results of the encoder, for the decoder."""

    states: Tensor
    """(B, N, hidden)"""
    last: Tensor
    """(B, hidden), the top layer's state after the whole context"""
    state: State
    """what a decoder's recurrence starts from"""


class Encoder(nn.Module):
    """Reads segments of values, the observed mask, and further features of each segment."""

    def __init__(self, config: NetworkConfig, extra_width: int) -> None:
        super().__init__()
        self.segment = config.segment
        self.mask = config.mask
        self.dampen = config.dampen
        self.steps = config.context_length // config.segment
        width = config.segment * (2 if config.mask else 1) + extra_width
        self.convolution = Convolution(width, config.hidden, config.convolution) if config.convolution else None
        width = config.hidden if config.convolution else width
        self.cell = build_cell(config, width, bidirectional=config.bidirectional)
        self.bridge = Bridge(config) if config.bidirectional else None

    def forward(self, context: ScaledContext, extra: list[Tensor]) -> Encoded:
        """Read a context (B, T) and further features of its segments, (B, N, ...) each."""
        values = self.build_values(context.z, context.observed)
        segments = [part.reshape(-1, self.steps, self.segment) for part in values]  # (B, N, S) each
        features = torch.cat([*segments, *extra], dim=-1)  # (B, N, D)
        if self.convolution is not None:
            features = self.convolution(features)  # (B, N, hidden)
        states, state = self.cell(features)
        if self.bridge is not None:
            joined: Encoded = self.bridge(states, state)
            return joined
        return Encoded(states, select_top(state), state)

    def build_values(self, z: Tensor, observed: Tensor) -> list[Tensor]:
        """Return what the recurrence reads of values in scaled units, of the shape of `z` each."""
        values = dampen(z) if self.dampen else z
        return [values, observed] if self.mask else [values]


class Convolution(nn.Module):
    """A causal convolution over the segments, the front end of a CNN-LSTM: (B, N, D) -> (B, N, hidden)."""

    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.filters = nn.Conv1d(width, hidden, kernel)

    def forward(self, features: Tensor) -> Tensor:
        padded = nn.functional.pad(features.transpose(1, 2), (self.kernel - 1, 0))  # (B, D, kernel - 1 + N)
        return nn.functional.silu(self.filters(padded)).transpose(1, 2)  # (B, N, hidden)


class Bridge(nn.Module):
    """Joins both directions of a bidirectional recurrence into states of one width."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.layers = config.layers
        kinds = 2 if config.cell == "lstm" else 1
        self.of_states = nn.Linear(2 * config.hidden, config.hidden)
        self.of_last = nn.ModuleList(nn.Linear(2 * config.hidden, config.hidden) for _ in range(kinds))

    def forward(self, states: Tensor, state: State) -> Encoded:
        """Join states (B, N, 2 * hidden) and the last state of each direction, (2 * layers, B, hidden) each."""
        parts = state if isinstance(state, tuple) else (state,)
        joined = []
        for part, join in zip(parts, self.of_last, strict=True):
            directions = part.reshape(self.layers, 2, *part.shape[1:])  # (layers, 2, B, hidden)
            pairs = directions.transpose(1, 2).flatten(2)  # (layers, B, 2 * hidden)
            joined.append(join(pairs))
        last: State = (joined[0], joined[1]) if isinstance(state, tuple) else joined[0]
        return Encoded(self.of_states(states), joined[0][-1], last)


def build_cell(config: NetworkConfig, width: int, *, bidirectional: bool = False) -> nn.LSTM | nn.GRU:
    """Return the configured recurrence over inputs of a width."""
    dropout = config.dropout if config.layers > 1 else 0.0
    return CELLS[config.cell](
        width, config.hidden, config.layers, batch_first=True, dropout=dropout, bidirectional=bidirectional
    )


def select_top(state: State) -> Tensor:
    """Return the last layer's state: (B, hidden). Read instead of the last of all steps, it leaves them unread."""
    return state[0][-1] if isinstance(state, tuple) else state[-1]


def map_state(state: State, change: Callable[[Tensor], Tensor]) -> State:
    """Change every part of a state."""
    return (change(state[0]), change(state[1])) if isinstance(state, tuple) else change(state)
