"""The network: basis forecasts, gated and corrected by a recurrent network over segments of the context.

Shapes: B batch, T context, H horizon, Q quantiles (Q last), S segment, N segments of the context, M segments
of the horizon, K basis forecasts, C calendar features, F covariate features, D features a step. Raw values go
in and quantiles in original units come out: filling gaps, scaling (in float64, so that 1e-9 and 1e12 survive),
averaging the members of an ensemble, sorting and bounds are part of the network, and with it of the exported
graph. The idea of segments is SegRNN's (Lin et al. 2023).
"""

from collections.abc import Callable, Mapping
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.config import Config, NetworkConfig
from models.head import Head
from models.inputs import Context, CovariateFeatures, dampened
from models.reading import Reader, Reading

STEP_FEATURES = 16
CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}

State = Tensor | tuple[Tensor, Tensor]


class Ahead(NamedTuple):
    """What is known of the horizon."""

    calendar: Tensor
    """(B, H, C)"""
    features: Tensor | None
    """(B, H, F) of the covariates"""
    static: Tensor | None
    """(B, F)"""


class Network(nn.Module):
    """An ensemble of members, each of which reads its own stretch of the context."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        members = config.network.members
        lengths = list(dict.fromkeys(own.context_length for own in members))
        self.places = [lengths.index(own.context_length) for own in members]
        readers = [Reader(config, members[self.places.index(place)]) for place in range(len(lengths))]
        self.readers = nn.ModuleList(readers)
        self.members = nn.ModuleList(
            Member(config, own, readers[place]) for own, place in zip(members, self.places, strict=True)
        )
        self.median = config.quantiles.index(0.5)
        shape = (config.horizon, len(config.quantiles))
        self.added: Tensor
        self.widened: Tensor
        self.register_buffer("added", torch.zeros(shape, dtype=torch.float32))
        self.register_buffer("widened", torch.ones(shape, dtype=torch.float32))

    def forward(
        self, y: Tensor, calendar: Tensor, covariates: Tensor | None = None, static: Tensor | None = None
    ) -> Tensor:
        """Return quantiles (B, H, Q) float64 in original units, ascending along Q.

        y (B, T), calendar (B, T + H, 5), covariates (B, T + H, C), static (B, S): `models.windows.Batch`.
        """
        context, quantiles = self.scaled(y, calendar, covariates, static)
        ordered = torch.sort(quantiles, dim=-1).values
        middle = ordered[..., self.median : self.median + 1]
        ordered = torch.sort(middle + (ordered - middle) * self.widened + self.added, dim=-1).values
        return self.bounded(ordered * context.scale[..., None] + context.loc[..., None], y)

    def scaled(
        self, y: Tensor, calendar: Tensor, covariates: Tensor | None = None, static: Tensor | None = None
    ) -> tuple[Context, Tensor]:
        """Return the first member's context and the members' mean (B, H, Q) float64 in units of its scale."""
        readings = [reader(y, calendar, covariates, static) for reader in self.readers]
        first, total = readings[0].context, torch.zeros((), dtype=torch.float64, device=y.device)
        for member, place in zip(self.members, self.places, strict=True):
            context = readings[place].context
            own = member(readings[place]).double()
            if place:
                own = own * (context.scale / first.scale)[..., None]
                own = own + ((context.loc - first.loc) / first.scale)[..., None]
            total = total + own
        return first, total / len(self.places)

    def of_member(
        self,
        number: int,
        y: Tensor,
        calendar: Tensor,
        covariates: Tensor | None = None,
        static: Tensor | None = None,
    ) -> tuple[Context, Tensor]:
        """Return one member's context and its raw quantiles (B, H, Q) float32 in units of that context."""
        reading = self.readers[self.places[number]](y, calendar, covariates, static)
        return reading.context, self.members[number](reading)

    def correct(self, corrections: Mapping[str, NDArray[np.float32]]) -> None:
        """Set what `models.calibration.corrections` found."""
        self.added.copy_(torch.from_numpy(corrections["added"]))
        self.widened.copy_(torch.from_numpy(corrections["widened"]))

    def bounded(self, quantiles: Tensor, y: Tensor) -> Tensor:
        """Keep quantiles (B, H, Q) within the bounds that the configuration sets."""
        low, high = self.config.bounds
        if self.config.nonnegative:
            negative = (y < 0).any(-1)[:, None, None]  # NaN is not below zero
            quantiles = torch.where(negative, quantiles, quantiles.clip(0.0))
        return quantiles if low is None and high is None else quantiles.clip(low, high)


class Member(nn.Module):
    """One network of the ensemble: turns what its reader read into raw quantiles (B, H, Q) float32 in scaled units."""

    def __init__(self, config: Config, own: NetworkConfig, reader: Reader) -> None:
        super().__init__()
        self.own = own
        self.covariates = CovariateFeatures(config.covariates.temporal, config.covariates)
        self.static = CovariateFeatures(config.covariates.static, config.covariates)
        calendar = reader.calendar.width
        self.encoder = Encoder(own, own.segment * self.covariates.width + calendar + self.static.width)
        self.head = Head(config, own, reader.candidates)
        self.decoder = DECODERS[own.decoder](
            config, own, calendar, self.covariates.width, self.static.width, self.head.width
        )
        self.head.initialise(self.decoder.output)

    def forward(self, reading: Reading) -> Tensor:
        own = self.own
        past, ahead = reading.calendar.tensor_split([own.context_length], dim=1)
        beside = [past[:, :: own.segment]]  # (B, N, C)
        features = fixed = None
        if reading.covariates is not None and reading.numbers is not None:
            both = self.covariates(reading.covariates, reading.numbers)
            seen, features = both.tensor_split([own.context_length], dim=1)
            beside.append(seen.reshape(-1, beside[0].shape[1], own.segment * seen.shape[-1]))  # (B, N, S * F)
        if reading.static is not None and reading.static_numbers is not None:
            fixed = self.static(reading.static, reading.static_numbers)[:, 0]  # (B, F)
            beside.append(_expanded(fixed, own.context_length // own.segment))
        states, state = self.encoder(reading.context, beside)
        parts = self.decoder(states, state, Ahead(ahead, features, fixed))  # (B, H, width)
        quantiles: Tensor = self.head(parts, reading, states[:, -1])
        return quantiles


class Encoder(nn.Module):
    """Reads segments of values, observed mask and what stands beside -> states (B, N, hidden), last state."""

    def __init__(self, own: NetworkConfig, beside: int) -> None:
        super().__init__()
        self.segment, self.mask, self.dampen = own.segment, own.mask, own.dampen
        self.steps = own.context_length // own.segment
        width = own.segment * (2 if own.mask else 1) + beside
        dropout = own.dropout if own.layers > 1 else 0.0
        self.cell = CELLS[own.cell](width, own.hidden, own.layers, batch_first=True, dropout=dropout)

    def forward(self, context: Context, beside: list[Tensor]) -> tuple[Tensor, State]:
        values = dampened(context.z) if self.dampen else context.z
        parts = [values, context.observed] if self.mask else [values]
        segments = [part.reshape(-1, self.steps, self.segment) for part in parts]  # each (B, N, S)
        states, state = self.cell(torch.cat([*segments, *beside], dim=-1))
        return states, state


class LastStepDecoder(nn.Module):
    """Linear on the last state and what is known of the horizon: (B, N, hidden) -> (B, H, width)."""

    def __init__(
        self, config: Config, own: NetworkConfig, calendar: int, features: int, static: int, width: int
    ) -> None:
        super().__init__()
        self.horizon, self.width = config.horizon, width
        self.dropout = nn.Dropout(own.dropout)
        self.output = nn.Linear(own.hidden + config.horizon * features + static, config.horizon * width)

    def forward(self, states: Tensor, state: State, ahead: Ahead) -> Tensor:
        known = [self.dropout(states[:, -1])]
        known += [ahead.features.flatten(1)] if ahead.features is not None else []
        known += [ahead.static] if ahead.static is not None else []
        decoded: Tensor = self.output(torch.cat(known, dim=-1))
        return decoded.reshape(-1, self.horizon, self.width)


class ParallelDecoder(nn.Module):
    """One more recurrent step for each horizon segment, all of them from the encoder's last state.

    A step reads the segment's learned position, its calendar and its covariates; a small perceptron then joins
    each segment's state with calendar and covariates of each of its steps: (B, H, width).
    """

    def __init__(
        self, config: Config, own: NetworkConfig, calendar: int, features: int, static: int, width: int
    ) -> None:
        super().__init__()
        self.horizon, self.segment = config.horizon, own.segment
        self.count = ceil(config.horizon / own.segment)
        self.position = nn.Parameter(torch.randn(self.count, STEP_FEATURES) * 0.1)
        dropout = own.dropout if own.layers > 1 else 0.0
        beside = calendar + own.segment * features + static
        self.cell = CELLS[own.cell](STEP_FEATURES + beside, own.hidden, own.layers, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(own.dropout)
        self.steps = nn.Linear(own.hidden, own.segment * STEP_FEATURES)
        self.known = nn.Linear(calendar + features, STEP_FEATURES, bias=False) if calendar + features else None
        self.output = nn.Linear(STEP_FEATURES, width)

    def forward(self, states: Tensor, state: State, ahead: Ahead) -> Tensor:
        inputs = self.inputs(ahead).flatten(0, 1)  # (B * M, D + ...)
        # no sequence of M steps: every segment starts from the same state and errors do not add up
        decoded, _ = self.cell(inputs[:, None], _each(state, lambda s: _repeated(s, self.count)))
        steps = self.steps(self.dropout(decoded[:, 0]))  # (B * M, S * D)
        found = steps.reshape(-1, self.count * self.segment, STEP_FEATURES)[:, : self.horizon]  # (B, H, D)
        if self.known is not None:
            known = ahead.calendar if ahead.features is None else torch.cat([ahead.calendar, ahead.features], dim=-1)
            found = found + self.known(known)
        outputs: Tensor = self.output(nn.functional.silu(found))
        return outputs

    def inputs(self, ahead: Ahead) -> Tensor:
        """Return what each segment's step reads: (B, M, D + ...)."""
        parts = [self.position.expand(ahead.calendar.shape[0], -1, -1), ahead.calendar[:, :: self.segment]]
        if ahead.features is not None:
            missing = self.count * self.segment - self.horizon
            flat = nn.functional.pad(ahead.features, (0, 0, 0, missing))
            parts.append(flat.reshape(-1, self.count, self.segment * flat.shape[-1]))  # (B, M, S * F)
        if ahead.static is not None:
            parts.append(_expanded(ahead.static, self.count))
        return torch.cat(parts, dim=-1)


DECODERS: dict[str, type[LastStepDecoder] | type[ParallelDecoder]] = {
    "parallel": ParallelDecoder,
    "last_step": LastStepDecoder,
}


def _each(state: State, change: Callable[[Tensor], Tensor]) -> State:
    return (change(state[0]), change(state[1])) if isinstance(state, tuple) else change(state)


def _repeated(state: Tensor, count: int) -> Tensor:
    """Repeat each window's state: (layers, B, hidden) -> (layers, B * count, hidden)."""
    return state[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)


def _expanded(fixed: Tensor, steps: int) -> Tensor:
    """Repeat (B, F) for each step: (B, steps, F)."""
    return fixed[:, None].expand(-1, steps, -1)
