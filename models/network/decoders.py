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
from models.network.encoder import Encoded, Encoder, build_cell, map_state, select_top

STEP_FEATURES = 16
"""D, features that a segment's state becomes for each of its steps, and width of a segment's learned position"""

Finish = Callable[[Tensor, int], Tensor]
"""(parts (B, 1, width), step of the horizon) -> its point forecast (B, 1) in scaled units"""


class KnownFuture(NamedTuple):
    """Known values of the horizon."""

    calendar: Tensor
    """(B, H, C)"""
    features: Tensor | None
    """(B, H, F) of the covariates"""
    static: Tensor | None
    """(B, F)"""

    def select(self, steps: slice = slice(None)) -> Tensor:
        """Return calendar and covariates of some steps: (B, steps, C + F)."""
        parts = [self.calendar[:, steps]]
        parts += [self.features[:, steps]] if self.features is not None else []
        return torch.cat(parts, dim=-1)


class Widths(NamedTuple):
    """Numbers of each kind that a step has."""

    calendar: int
    features: int
    static: int
    head: int
    """of each step of the horizon, for the head"""


class Attention(nn.Module):
    """Scaled dot-product attention over the encoder's states, added to the query (Vaswani et al. 2017)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.heads = config.attention
        self.dropout = config.dropout
        # weights files know queries by the name `ask`, and keys and values by the name `answer`
        self.ask = nn.Linear(config.hidden, config.hidden)
        self.answer = nn.Linear(config.hidden, 2 * config.hidden)
        self.output = nn.Linear(config.hidden, config.hidden)

    def forward(self, queries: Tensor, states: Tensor) -> Tensor:
        """queries (B, M, hidden), states (B, N, hidden) -> (B, M, hidden)."""
        query = self._split_heads(self.ask(queries))
        key, value = (self._split_heads(part) for part in self.answer(states).chunk(2, dim=-1))
        dropout = self.dropout if self.training else 0.0
        attended = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        joined = attended.transpose(1, 2).flatten(2)  # (B, M, hidden)
        output: Tensor = queries + self.output(joined)
        return output

    def _split_heads(self, x: Tensor) -> Tensor:
        """(B, steps, hidden) -> (B, heads, steps, hidden / heads)."""
        return x.reshape(-1, x.shape[1], self.heads, x.shape[2] // self.heads).transpose(1, 2)


class HorizonDecoder(nn.Module):
    """Base of the decoders: attention where it is wanted, dropout, and an output layer that the head initialises."""

    output: nn.Linear

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.attention = Attention(config) if config.attention else None
        self.dropout = nn.Dropout(config.dropout)

    def attend(self, queries: Tensor, encoded: Encoded) -> Tensor:
        """queries (B, M, hidden) -> (B, M, hidden), with what they find among the encoder's states."""
        return queries if self.attention is None else self.attention(queries, encoded.states)


class LastStepDecoder(HorizonDecoder):
    """Linear on the last state and what is known of the horizon, all steps at once: the articles' decoder."""

    def __init__(self, model: Config, config: NetworkConfig, widths: Widths) -> None:
        super().__init__(config)
        self.horizon = model.horizon
        self.width = widths.head
        future_width = model.horizon * widths.features + widths.static
        self.output = nn.Linear(config.hidden + future_width, model.horizon * widths.head)

    def forward(self, encoded: Encoded, future: KnownFuture) -> Tensor:
        """Return (B, H, width)."""
        last = self.attend(encoded.last[:, None], encoded)[:, 0]  # (B, hidden)
        parts = [self.dropout(last)]
        parts += [future.features.flatten(1)] if future.features is not None else []  # (B, H * F)
        parts += [future.static] if future.static is not None else []
        decoded: Tensor = self.output(torch.cat(parts, dim=-1))
        return decoded.reshape(-1, self.horizon, self.width)  # (B, H, width)


class ParallelDecoder(HorizonDecoder):
    """One more recurrent step for each horizon segment, all of them from the encoder's last state.

    A step reads the segment's learned position, its calendar and its covariates; a small perceptron then joins
    each segment's state with calendar and covariates of each of its steps: (B, H, width).
    """

    def __init__(self, model: Config, config: NetworkConfig, widths: Widths) -> None:
        super().__init__(config)
        self.horizon = model.horizon
        self.segment = config.segment
        self.count = ceil(model.horizon / config.segment)
        self.position = nn.Parameter(torch.randn(self.count, STEP_FEATURES) * 0.1)
        segment_width = widths.calendar + config.segment * widths.features + widths.static
        self.cell = build_cell(config, STEP_FEATURES + segment_width)
        self.steps = nn.Linear(config.hidden, config.segment * STEP_FEATURES)
        step_width = widths.calendar + widths.features
        self.known = nn.Linear(step_width, STEP_FEATURES, bias=False) if step_width else None
        self.output = nn.Linear(STEP_FEATURES, widths.head)

    def forward(self, encoded: Encoded, future: KnownFuture) -> Tensor:
        """Return (B, H, width)."""
        inputs = self.build_inputs(future)  # (B, M, D + ...)
        if self.count > 1:
            inputs = inputs.flatten(0, 1)[:, None]  # (B * M, 1, D + ...)
        # no sequence of M steps: every segment starts from the same state and errors do not add up
        start = map_state(encoded.state, lambda part: _repeat_windows(part, self.count))
        _, state = self.cell(inputs, start)
        decoded = select_top(state)  # (B * M, hidden)
        if self.attention is not None:
            queries = decoded.reshape(-1, self.count, decoded.shape[-1])  # (B, M, hidden)
            decoded = self.attend(queries, encoded).flatten(0, 1)  # (B * M, hidden)
        # flat, because runtimes add the bias within a product of two matrices but not of tensors of more dimensions
        steps = self.steps(self.dropout(decoded))  # (B * M, S * D)
        features = steps.reshape(-1, self.count * self.segment, STEP_FEATURES)[:, : self.horizon]  # (B, H, D)
        if self.known is not None:
            features = features + self.known(future.select())
        outputs: Tensor = self.output(nn.functional.silu(features).flatten(0, 1))  # (B * H, width)
        return outputs.reshape(-1, self.horizon, outputs.shape[-1])  # (B, H, width)

    def build_inputs(self, future: KnownFuture) -> Tensor:
        """Return what each segment's step reads: (B, M, D + ...)."""
        position = self.position.expand(future.calendar.shape[0], -1, -1)  # (B, M, D)
        parts = [position, future.calendar[:, :: self.segment]]  # the calendar (B, M, C) where a segment begins
        if future.features is not None:
            missing = self.count * self.segment - self.horizon
            padded = nn.functional.pad(future.features, (0, 0, 0, missing))  # (B, M * S, F)
            parts.append(padded.reshape(-1, self.count, self.segment * padded.shape[-1]))  # (B, M, S * F)
        if future.static is not None:
            parts.append(repeat_steps(future.static, self.count))
        return torch.cat(parts, dim=-1)


class RecursiveDecoder(HorizonDecoder):
    """One step after another: the encoder's own recurrence goes on over its point forecasts.

    Training runs through the same recursion, so that the network meets its own errors there already.
    """

    def __init__(self, model: Config, config: NetworkConfig, widths: Widths) -> None:
        super().__init__(config)
        self.horizon = model.horizon
        self.output = nn.Linear(config.hidden + widths.calendar + widths.features + widths.static, widths.head)

    def forward(self, encoded: Encoded, future: KnownFuture, encoder: Encoder, finish: Finish) -> Tensor:
        """Return (B, H, width); `finish` gives the point forecast that the next step reads back."""
        last = encoded.last[:, None]  # (B, 1, hidden)
        state = encoded.state
        outputs: list[Tensor] = []
        for step in range(self.horizon):
            extra = [future.select(slice(step, step + 1))]  # (B, 1, C + F)
            extra += [future.static[:, None]] if future.static is not None else []
            parts = self.output(torch.cat([self.dropout(self.attend(last, encoded)), *extra], dim=-1))  # (B, 1, width)
            outputs.append(parts)
            if step + 1 < self.horizon:
                point = finish(parts, step)  # (B, 1)
                values = [part[..., None] for part in encoder.build_values(point, torch.ones_like(point))]  # (B, 1, 1)
                last, state = encoder.cell(torch.cat([*values, *extra], dim=-1), state)
        return torch.cat(outputs, dim=1)  # (B, H, width)


DECODERS: dict[str, type[LastStepDecoder] | type[ParallelDecoder] | type[RecursiveDecoder]] = {
    "parallel": ParallelDecoder,
    "last_step": LastStepDecoder,
    "recursive": RecursiveDecoder,
}


def _repeat_windows(state: Tensor, count: int) -> Tensor:
    """Repeat each window's state: (layers, B, hidden) -> (layers, B * count, hidden)."""
    return state if count == 1 else state[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)


def repeat_steps(fixed: Tensor, steps: int) -> Tensor:
    """Repeat (B, F) for each step: (B, steps, F)."""
    return fixed[:, None].expand(-1, steps, -1)
