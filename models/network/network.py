"""The network: basis forecasts, gated and corrected by a recurrent network over segments of the context.

Shapes: B batch, T context, H horizon, Q quantiles (Q last), S segment, N segments of the context, C calendar
features, F covariate features. Raw values go in and quantiles in original units come out: filling gaps, scaling
(in float64, so that 1e-9 and 1e12 survive), averaging the members of an ensemble, sorting and bounds are part of
the network, and with it of the exported graph. The idea of segments is SegRNN's (Lin et al. 2023).
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.decoders import DECODERS, Ahead, Widths, expanded
from models.network.encoder import Encoder
from models.network.head import Head, Raw
from models.network.inputs import Context, CovariateFeatures
from models.network.reader import Reader, Reading


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

        y (B, T), calendar (B, T + H, 5), covariates (B, T + H, C), static (B, S): `models.data.windows.Batch`.
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
            own = member(readings[place]).quantiles.double()
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
    ) -> tuple[Context, Raw]:
        """Return one member's context and what it says, float32 in units of that context."""
        reading = self.readers[self.places[number]](y, calendar, covariates, static)
        return reading.context, self.members[number](reading)

    def correct(self, corrections: Mapping[str, NDArray[np.float32]]) -> None:
        """Set what `models.training.conformal.corrections` found."""
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
    """One network of the ensemble: turns what its reader read into quantiles (B, H, Q) float32 in scaled units."""

    def __init__(self, config: Config, own: NetworkConfig, reader: Reader) -> None:
        super().__init__()
        self.own = own
        self.covariates = CovariateFeatures(config.covariates.temporal, config.covariates)
        self.static = CovariateFeatures(config.covariates.static, config.covariates)
        calendar = reader.calendar.width
        self.encoder = Encoder(own, own.segment * self.covariates.width + calendar + self.static.width)
        self.head = Head(config, own, reader.candidates)
        widths = Widths(calendar, self.covariates.width, self.static.width, self.head.width)
        self.decoder = DECODERS[own.decoder](config, own, widths)
        self.head.initialise(self.decoder.output)

    def forward(self, reading: Reading) -> Raw:
        own = self.own
        beside = [reading.past]  # (B, N, C)
        features = fixed = None
        if reading.covariates is not None and reading.numbers is not None:
            both = self.covariates(reading.covariates, reading.numbers)
            seen, features = both.tensor_split([own.context_length], dim=1)
            beside.append(seen.reshape(-1, beside[0].shape[1], own.segment * seen.shape[-1]))  # (B, N, S * F)
        if reading.static is not None and reading.static_numbers is not None:
            fixed = self.static(reading.static, reading.static_numbers)[:, 0]  # (B, F)
            beside.append(expanded(fixed, own.context_length // own.segment))
        encoded = self.encoder(reading.context, beside)
        choice = self.head.choice(reading, encoded.last)

        def settle(parts: Tensor, step: int) -> Tensor:
            return self.head.point(parts, choice, slice(step, step + 1))

        parts = self.decoder(encoded, Ahead(reading.ahead, features, fixed), self.encoder, settle)  # (B, H, width)
        raw: Raw = self.head(parts, choice)
        return raw
