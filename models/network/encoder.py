"""The encoder: recurrence over segments of the context, after a convolution and in both directions where wanted.

Shapes: B batch, T context, S segment, N segments of the context, D features of a segment.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config.network import NetworkConfig
from models.network.inputs import Context, dampened

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}

State = Tensor | tuple[Tensor, Tensor]
"""(layers, B, hidden) of a GRU, two of them of an LSTM"""


class Encoded(NamedTuple):
    """What the encoder leaves to the decoder."""

    states: Tensor
    """(B, N, hidden)"""
    last: Tensor
    """(B, hidden), the top layer's state after the whole context"""
    state: State
    """what a decoder's recurrence starts from"""


class Encoder(nn.Module):
    """Reads segments of values, observed mask and what stands beside."""

    def __init__(self, own: NetworkConfig, beside: int) -> None:
        super().__init__()
        self.segment, self.mask, self.dampen = own.segment, own.mask, own.dampen
        self.steps = own.context_length // own.segment
        width = own.segment * (2 if own.mask else 1) + beside
        self.convolution = Convolution(width, own.hidden, own.convolution) if own.convolution else None
        width = own.hidden if own.convolution else width
        self.cell = recurrence(own, width, bidirectional=own.bidirectional)
        self.bridge = Bridge(own) if own.bidirectional else None

    def forward(self, context: Context, beside: list[Tensor]) -> Encoded:
        """Read a context and what stands beside its segments, (B, N, ...) each."""
        segments = [part.reshape(-1, self.steps, self.segment) for part in self.values(context.z, context.observed)]
        read = torch.cat([*segments, *beside], dim=-1)  # (B, N, D)
        if self.convolution is not None:
            read = self.convolution(read)
        states, state = self.cell(read)
        if self.bridge is not None:
            joined: Encoded = self.bridge(states, state)
            return joined
        return Encoded(states, top(state), state)

    def values(self, z: Tensor, observed: Tensor) -> list[Tensor]:
        """Return what the recurrence reads of values in scaled units, of the shape of `z` each."""
        values = dampened(z) if self.dampen else z
        return [values, observed] if self.mask else [values]


class Convolution(nn.Module):
    """A causal convolution over the segments, the front end of a CNN-LSTM: (B, N, D) -> (B, N, hidden)."""

    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.filters = nn.Conv1d(width, hidden, kernel)

    def forward(self, read: Tensor) -> Tensor:
        padded = nn.functional.pad(read.transpose(1, 2), (self.kernel - 1, 0))
        return nn.functional.silu(self.filters(padded)).transpose(1, 2)


class Bridge(nn.Module):
    """Joins both directions of a bidirectional recurrence into states of one width."""

    def __init__(self, own: NetworkConfig) -> None:
        super().__init__()
        self.layers = own.layers
        kinds = 2 if own.cell == "lstm" else 1
        self.of_states = nn.Linear(2 * own.hidden, own.hidden)
        self.of_last = nn.ModuleList(nn.Linear(2 * own.hidden, own.hidden) for _ in range(kinds))

    def forward(self, states: Tensor, state: State) -> Encoded:
        parts = state if isinstance(state, tuple) else (state,)
        joined = []
        for part, join in zip(parts, self.of_last, strict=True):
            pairs = part.reshape(self.layers, 2, *part.shape[1:]).transpose(1, 2).flatten(2)  # (layers, B, 2 * hidden)
            joined.append(join(pairs))
        last: State = (joined[0], joined[1]) if isinstance(state, tuple) else joined[0]
        return Encoded(self.of_states(states), joined[0][-1], last)


def recurrence(own: NetworkConfig, width: int, *, bidirectional: bool = False) -> nn.LSTM | nn.GRU:
    """Return the configured cell over inputs of a width."""
    dropout = own.dropout if own.layers > 1 else 0.0
    return CELLS[own.cell](
        width, own.hidden, own.layers, batch_first=True, dropout=dropout, bidirectional=bidirectional
    )


def top(state: State) -> Tensor:
    """Return the last layer's state: (B, hidden). Read instead of the last of all steps, it leaves them unread."""
    return state[0][-1] if isinstance(state, tuple) else state[-1]


def each(state: State, change: Callable[[Tensor], Tensor]) -> State:
    """Change every part of a state."""
    return (change(state[0]), change(state[1])) if isinstance(state, tuple) else change(state)
