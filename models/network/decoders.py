"""Decoders: from the encoder's states to what the head reads of each step of the horizon.

Shapes: B batch, H horizon, S segment, N segments of the context, M segments of the horizon, C calendar features,
F covariate features, D features a step, width of the head.
"""

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.encoder import Encoded, Encoder, each, recurrence, top

STEP_FEATURES = 16

Settle = Callable[[Tensor, int], Tensor]
"""(parts (B, 1, width), step of the horizon) -> its point forecast (B, 1) in scaled units"""


class Ahead(NamedTuple):
    """What is known of the horizon."""

    calendar: Tensor
    """(B, H, C)"""
    features: Tensor | None
    """(B, H, F) of the covariates"""
    static: Tensor | None
    """(B, F)"""

    def known(self, step: slice = slice(None)) -> Tensor:
        """Return calendar and covariates of some steps: (B, steps, C + F)."""
        parts = [self.calendar[:, step]]
        parts += [self.features[:, step]] if self.features is not None else []
        return torch.cat(parts, dim=-1)


class Widths(NamedTuple):
    """How many numbers stand beside the values."""

    calendar: int
    features: int
    static: int
    head: int
    """what a step of the horizon gives to the head"""


class Attention(nn.Module):
    """Scaled dot-product attention over the encoder's states, added to what asks (Vaswani et al. 2017)."""

    def __init__(self, own: NetworkConfig) -> None:
        super().__init__()
        self.heads, self.dropout = own.attention, own.dropout
        self.ask = nn.Linear(own.hidden, own.hidden)
        self.answer = nn.Linear(own.hidden, 2 * own.hidden)
        self.output = nn.Linear(own.hidden, own.hidden)

    def forward(self, asking: Tensor, states: Tensor) -> Tensor:
        """asking (B, M, hidden), states (B, N, hidden) -> (B, M, hidden)."""
        query = self._split(self.ask(asking))
        key, value = (self._split(part) for part in self.answer(states).chunk(2, dim=-1))
        dropout = self.dropout if self.training else 0.0
        found = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        joined: Tensor = asking + self.output(found.transpose(1, 2).flatten(2))
        return joined

    def _split(self, x: Tensor) -> Tensor:
        # (B, heads, steps, hidden / heads)
        return x.reshape(-1, x.shape[1], self.heads, x.shape[2] // self.heads).transpose(1, 2)


class Decoder(nn.Module):
    """What decoders share: attention where it is wanted, dropout, and an output layer that the head initialises."""

    output: nn.Linear

    def __init__(self, own: NetworkConfig) -> None:
        super().__init__()
        self.attention = Attention(own) if own.attention else None
        self.dropout = nn.Dropout(own.dropout)

    def attended(self, asking: Tensor, encoded: Encoded) -> Tensor:
        """asking (B, M, hidden) -> (B, M, hidden), with what it finds among the encoder's states."""
        return asking if self.attention is None else self.attention(asking, encoded.states)


class LastStepDecoder(Decoder):
    """Linear on the last state and what is known of the horizon, all steps at once: the articles' decoder."""

    def __init__(self, config: Config, own: NetworkConfig, widths: Widths) -> None:
        super().__init__(own)
        self.horizon, self.width = config.horizon, widths.head
        known = config.horizon * widths.features + widths.static
        self.output = nn.Linear(own.hidden + known, config.horizon * widths.head)

    def forward(self, encoded: Encoded, ahead: Ahead, encoder: Encoder, settle: Settle) -> Tensor:
        """Return (B, H, width)."""
        known = [self.dropout(self.attended(encoded.last[:, None], encoded)[:, 0])]
        known += [ahead.features.flatten(1)] if ahead.features is not None else []
        known += [ahead.static] if ahead.static is not None else []
        decoded: Tensor = self.output(torch.cat(known, dim=-1))
        return decoded.reshape(-1, self.horizon, self.width)


class ParallelDecoder(Decoder):
    """One more recurrent step for each horizon segment, all of them from the encoder's last state.

    A step reads the segment's learned position, its calendar and its covariates; a small perceptron then joins
    each segment's state with calendar and covariates of each of its steps: (B, H, width).
    """

    def __init__(self, config: Config, own: NetworkConfig, widths: Widths) -> None:
        super().__init__(own)
        self.horizon, self.segment = config.horizon, own.segment
        self.count = ceil(config.horizon / own.segment)
        self.position = nn.Parameter(torch.randn(self.count, STEP_FEATURES) * 0.1)
        beside = widths.calendar + own.segment * widths.features + widths.static
        self.cell = recurrence(own, STEP_FEATURES + beside)
        self.steps = nn.Linear(own.hidden, own.segment * STEP_FEATURES)
        known = widths.calendar + widths.features
        self.known = nn.Linear(known, STEP_FEATURES, bias=False) if known else None
        self.output = nn.Linear(STEP_FEATURES, widths.head)

    def forward(self, encoded: Encoded, ahead: Ahead, encoder: Encoder, settle: Settle) -> Tensor:
        """Return (B, H, width)."""
        inputs = self.inputs(ahead)  # (B, M, D + ...)
        if self.count > 1:
            inputs = inputs.flatten(0, 1)[:, None]  # (B * M, 1, D + ...)
        # no sequence of M steps: every segment starts from the same state and errors do not add up
        _, state = self.cell(inputs, each(encoded.state, lambda s: _repeated(s, self.count)))
        decoded = top(state)  # (B * M, hidden)
        if self.attention is not None:
            decoded = self.attended(decoded.reshape(-1, self.count, decoded.shape[-1]), encoded).flatten(0, 1)
        # runtimes add a bias within the product of two matrices, of which products of more dimensions are none
        steps = self.steps(self.dropout(decoded))  # (B * M, S * D)
        found = steps.reshape(-1, self.count * self.segment, STEP_FEATURES)[:, : self.horizon]  # (B, H, D)
        if self.known is not None:
            found = found + self.known(ahead.known())
        outputs: Tensor = self.output(nn.functional.silu(found).flatten(0, 1))
        return outputs.reshape(-1, self.horizon, outputs.shape[-1])

    def inputs(self, ahead: Ahead) -> Tensor:
        """Return what each segment's step reads: (B, M, D + ...)."""
        parts = [self.position.expand(ahead.calendar.shape[0], -1, -1), ahead.calendar[:, :: self.segment]]
        if ahead.features is not None:
            missing = self.count * self.segment - self.horizon
            flat = nn.functional.pad(ahead.features, (0, 0, 0, missing))
            parts.append(flat.reshape(-1, self.count, self.segment * flat.shape[-1]))  # (B, M, S * F)
        if ahead.static is not None:
            parts.append(expanded(ahead.static, self.count))
        return torch.cat(parts, dim=-1)


class RecursiveDecoder(Decoder):
    """One step after another: the encoder's own recurrence goes on over its point forecasts.

    Training runs through the same recursion, so that the network meets its own errors there already.
    """

    def __init__(self, config: Config, own: NetworkConfig, widths: Widths) -> None:
        super().__init__(own)
        self.horizon = config.horizon
        self.output = nn.Linear(own.hidden + widths.calendar + widths.features + widths.static, widths.head)

    def forward(self, encoded: Encoded, ahead: Ahead, encoder: Encoder, settle: Settle) -> Tensor:
        """Return (B, H, width)."""
        last, state, found = encoded.last[:, None], encoded.state, []
        for step in range(self.horizon):
            beside = [ahead.known(slice(step, step + 1))]
            beside += [ahead.static[:, None]] if ahead.static is not None else []
            parts = self.output(torch.cat([self.dropout(self.attended(last, encoded)), *beside], dim=-1))
            found.append(parts)
            if step + 1 < self.horizon:
                point = settle(parts, step)
                read = [value[..., None] for value in encoder.values(point, torch.ones_like(point))]
                last, state = encoder.cell(torch.cat([*read, *beside], dim=-1), state)
        return torch.cat(found, dim=1)


DECODERS: dict[str, type[LastStepDecoder] | type[ParallelDecoder] | type[RecursiveDecoder]] = {
    "parallel": ParallelDecoder,
    "last_step": LastStepDecoder,
    "recursive": RecursiveDecoder,
}


def _repeated(state: Tensor, count: int) -> Tensor:
    """Repeat each window's state: (layers, B, hidden) -> (layers, B * count, hidden)."""
    return state if count == 1 else state[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)


def expanded(fixed: Tensor, steps: int) -> Tensor:
    """Repeat (B, F) for each step: (B, steps, F)."""
    return fixed[:, None].expand(-1, steps, -1)
