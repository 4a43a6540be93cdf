"""The network: basis forecasts, gated and corrected by a recurrent network over segments of the context.

Shapes: B batch, T context, H horizon, Q quantiles (Q last), S segment, N segments of the context, C calendar
features, F covariate features. Raw values go in and quantiles in original units come out: filling gaps, scaling
(in float64, so that 1e-9 and 1e12 survive), averaging the members of an ensemble, sorting and bounds are part of
the network, and with it of the exported graph. The idea of segments is SegRNN's (Lin et al. 2023).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.calibrated import CalibratedForecast
from models.network.decoders import DECODERS, KnownFuture, RecursiveDecoder, Widths, repeat_steps
from models.network.encoder import Encoded, Encoder
from models.network.head import Choice, Head, MemberForecast
from models.network.inputs import CovariateFeatures, InputMask, ScaledContext
from models.network.modules import TypedModuleList
from models.network.outputs import average_levels, find_constants, find_rare, find_whole, rank_history, round_levels
from models.network.pretrained.member import PretrainedMember
from models.network.reader import Reader, Reading

FIRST_PRETRAINED_SHARE = 0.5
"""share of the pretrained network in the forecast while it is trained, and where no window chooses it"""


class ConformalCorrection(NamedTuple):
    """Correction of levels that do not cover as often as they say: median + scale * distance from it + offset."""

    offset: NDArray[np.float32]
    """(H, Q) in scaled units"""
    scale: NDArray[np.float32]
    """(H, Q) factor of a level's distance from the median"""
    lean: NDArray[np.float32] = np.ones((), np.float32)
    """() factor of the mean's distance from the median, beside the formula of `models.inference.means`"""
    excess: NDArray[np.float32] = np.zeros((), np.float32)
    """(Q,) or (): how far above a half a fraction must be for a count to be rounded up, in original units"""
    history: NDArray[np.float32] = np.zeros((), np.float32)
    """() share of the context's own quantiles in those of rare counts, mostly zero"""
    anchor: float | None = None
    """share of the smoothing models in the point forecast; None: as configured"""
    pretrained: float | None = None
    """share of the pretrained network in the forecast; None: there is none"""


class NetworkForecast(NamedTuple):
    """The outputs of the graph, float64 in original units."""

    quantiles: Tensor
    """(B, H, Q), ascending along Q"""
    mean: Tensor
    """(B, H)"""


class Network(nn.Module):
    """An ensemble of members, each of which reads its own stretch of the context."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        members = config.network.members
        lengths = list(dict.fromkeys(member.context_length for member in members))
        self.reader_indices = [lengths.index(member.context_length) for member in members]
        readers = [Reader(config, members[self.reader_indices.index(index)]) for index in range(len(lengths))]
        self.readers: TypedModuleList[Reader] = TypedModuleList(readers)
        self.members: TypedModuleList[Member] = TypedModuleList(
            Member(config, member, readers[index]) for member, index in zip(members, self.reader_indices, strict=True)
        )
        self.pretrained = PretrainedMember(config, members[0]) if config.network.pretrained else None
        self.pretrained_share: Tensor
        self.register_buffer(
            "pretrained_share", torch.tensor(FIRST_PRETRAINED_SHARE), persistent=config.network.pretrained
        )
        self.calibrated = CalibratedForecast(config, members[0]) if config.network.calibrated else None
        self.median = config.median
        shape = (config.horizon, len(config.quantiles))
        # the conformal correction's offset and scale; weights files know them by these names
        self.added: Tensor
        self.widened: Tensor
        self.register_buffer("added", torch.zeros(shape, dtype=torch.float32))
        self.register_buffer("widened", torch.ones(shape, dtype=torch.float32))
        self.lean: Tensor
        self.register_buffer("lean", torch.ones((), dtype=torch.float32), persistent=config.mean)
        self.history: Tensor
        self.register_buffer("history", torch.zeros(()), persistent=config.whole)
        self.excess: Tensor
        self.register_buffer("excess", torch.zeros(len(config.quantiles)), persistent=config.whole)
        # whether constant contexts stay as they are, those of zeros and others: models.training.exact
        self.holds: Tensor
        self.register_buffer("holds", torch.tensor([0.0, 1.0]), persistent=config.exact)

    def forward(
        self,
        y: Tensor,
        calendar: Tensor,
        covariates: Tensor | None = None,
        static: Tensor | None = None,
        signed: Tensor | None = None,
    ) -> Tensor:
        """Return quantiles (B, H, Q) float64 in original units, ascending along Q; the arguments are `forecast`'s."""
        return self.forecast(y, calendar, covariates, static, signed).quantiles

    def forecast(
        self,
        y: Tensor,
        calendar: Tensor,
        covariates: Tensor | None = None,
        static: Tensor | None = None,
        signed: Tensor | None = None,
    ) -> NetworkForecast:
        """Forecast y (B, T), calendar (B, T + H, 5), covariates (B, T + H, C), static (B, S), signed (B, 1):
        `models.data.windows.Batch`."""
        context, quantiles = self.forecast_scaled(y, calendar, covariates, static)
        corrected = self.apply_correction(torch.sort(quantiles, dim=-1).values)
        ordered = torch.sort(corrected, dim=-1).values
        ordered = self.hold_constants(ordered * context.scale[..., None] + context.loc[..., None], y)
        bounded = self.clip_to_bounds(self.blend_history(ordered, y), y, signed)
        mean = average_levels(bounded, self.config.quantiles, self.lean)
        return NetworkForecast(
            self.round_counts(bounded, y, signed), self.clip_to_bounds(mean[..., None], y, signed)[..., 0]
        )

    def forecast_scaled(
        self, y: Tensor, calendar: Tensor, covariates: Tensor | None = None, static: Tensor | None = None
    ) -> tuple[ScaledContext, Tensor]:
        """Return the first member's context and the forecast (B, H, Q) float64 in units of its scale, which is the
        members' mean, moved towards the calibrated forecast."""
        readings = self.read(y, calendar, covariates, static)
        quantiles = self.forecast_members(readings)
        return readings[0].context, self.move(quantiles, readings[0], calendar[:, y.shape[1]])

    def forecast_members(self, readings: Sequence[Reading]) -> Tensor:
        """Return the members' mean forecast (B, H, Q) float64 in units of the first context, in which the pretrained
        network has a share of its own."""
        forecasts = [
            member(readings[index]).quantiles for member, index in zip(self.members, self.reader_indices, strict=True)
        ]
        return self.blend_pretrained(self.average_members(readings, forecasts), readings[0])

    def blend_pretrained(self, quantiles: Tensor, reading: Reading) -> Tensor:
        """Give the pretrained network its share in quantiles (B, H, Q) in units of the first reading."""
        if self.pretrained is None:
            return quantiles
        return torch.lerp(quantiles, self.pretrained(reading.context).double(), self.pretrained_share.double())

    def move(self, quantiles: Tensor, reading: Reading, first: Tensor) -> Tensor:
        """Move quantiles (B, H, Q) in units of the first reading towards the calibrated forecast, their distances kept.

        first (B, 5): the calendar of the horizon's first step.
        """
        if self.calibrated is None:
            return quantiles
        linear: Tensor = self.calibrated(reading.context.z, first, reading.numbers)  # (B, H)
        moved = self.calibrated.find_share(first) * (linear - quantiles[..., self.median])  # (B, H)
        return quantiles + moved[..., None]

    def read(
        self,
        y: Tensor,
        calendar: Tensor,
        covariates: Tensor | None = None,
        static: Tensor | None = None,
        mask: InputMask | None = None,
    ) -> list[Reading]:
        """Return what each reader reads, of inputs that are as present as the mask says."""
        return [reader(y, calendar, covariates, static, mask) for reader in self.readers]

    def average_members(self, readings: Sequence[Reading], forecasts: Sequence[Tensor]) -> Tensor:
        """Return the mean of the members' forecasts (B, H, Q), each in its context's units, in the first one's."""
        first = readings[0].context
        total = torch.zeros((), dtype=torch.float64, device=first.loc.device)
        for forecast, index in zip(forecasts, self.reader_indices, strict=True):
            quantiles = forecast.double()  # (B, H, Q)
            if index:
                context = readings[index].context
                quantiles = quantiles * (context.scale / first.scale)[..., None]
                quantiles = quantiles + ((context.loc - first.loc) / first.scale)[..., None]
            total = total + quantiles
        return total / len(self.reader_indices)

    def forecast_member(
        self,
        number: int,
        y: Tensor,
        calendar: Tensor,
        covariates: Tensor | None = None,
        static: Tensor | None = None,
    ) -> tuple[ScaledContext, MemberForecast]:
        """Return one member's context and its forecast, float32 in units of that context; the pretrained network is the
        one after the others."""
        if number == len(self.members):
            assert self.pretrained is not None
            context = self.readers[0](y, calendar, covariates, static).context
            return context, MemberForecast(self.pretrained(context), None)
        reading = self.readers[self.reader_indices[number]](y, calendar, covariates, static)
        return reading.context, self.members[number](reading)

    @property
    def learners(self) -> list[nn.Module]:
        """What learns by gradients: the members, and the pretrained network after them."""
        return [*self.members, *([self.pretrained] if self.pretrained is not None else [])]

    def set_correction(self, correction: ConformalCorrection) -> None:
        """Set what `models.training.conformal.measure_correction` found."""
        self.added.copy_(torch.from_numpy(correction.offset))
        self.widened.copy_(torch.from_numpy(correction.scale))
        self.lean.copy_(torch.from_numpy(correction.lean))
        self.excess.copy_(torch.from_numpy(correction.excess))
        self.history.copy_(torch.from_numpy(correction.history))
        if correction.anchor is not None:
            self.set_anchor(correction.anchor)
        if correction.pretrained is not None:
            self.pretrained_share.fill_(correction.pretrained)

    def set_anchor(self, share: float) -> None:
        """Set the share of the smoothing models in the point forecast of each member."""
        for member in self.members:
            member.head.anchor.fill_(share)

    def apply_correction(self, ordered: Tensor) -> Tensor:
        """Move ordered quantiles (B, H, Q) in scaled units by the conformal correction."""
        middle = ordered[..., self.median : self.median + 1]  # (B, H, 1)
        return middle + (ordered - middle) * self.widened + self.added

    def hold_constants(self, quantiles: Tensor, y: Tensor) -> Tensor:
        """Replace the quantiles (B, H, Q) of constant contexts y (B, T) by their value, where constants are exact."""
        if not self.config.exact:
            return quantiles
        constants = find_constants(y)
        holds = torch.where(constants.value == 0, self.holds[0], self.holds[1]) > 0  # (B, 1)
        return torch.where((constants.found & holds)[..., None], constants.value[..., None], quantiles)

    def blend_history(self, quantiles: Tensor, y: Tensor) -> Tensor:
        """Give the context's own quantiles their share in the quantiles (B, H, Q) of rare counts y (B, T)."""
        if not self.config.whole:
            return quantiles
        own = rank_history(y, self.config.quantiles)[:, None]  # (B, 1, Q)
        return torch.where(find_rare(y)[..., None], quantiles + self.history * (own - quantiles), quantiles)

    def round_counts(self, quantiles: Tensor, y: Tensor, signed: Tensor | None = None) -> Tensor:
        """Round the quantiles (B, H, Q) of contexts y (B, T) of small whole numbers, in a panel of those."""
        if not self.config.whole:
            return quantiles
        rounded = torch.where(find_whole(y)[..., None], round_levels(quantiles, self.excess), quantiles)
        return self.clip_to_bounds(rounded, y, signed)

    def clip_to_bounds(self, quantiles: Tensor, y: Tensor, signed: Tensor | None = None) -> Tensor:
        """Keep quantiles (B, H, Q) within the bounds that the configuration sets; y (B, T) is their context, signed
        (B, 1) says which series zero does not bound."""
        low, high = self.config.bounds
        if self.config.nonnegative:
            negative = (y < 0).any(-1)[:, None, None]  # (B, 1, 1); NaN is not below zero
            if signed is not None:
                negative = negative | (signed > 0)[..., None]
            quantiles = torch.where(negative, quantiles, quantiles.clip(0.0))
        return quantiles if low is None and high is None else quantiles.clip(low, high)


class Member(nn.Module):
    """One network of the ensemble: turns what its reader read into quantiles (B, H, Q) float32 in scaled units."""

    def __init__(self, model: Config, config: NetworkConfig, reader: Reader) -> None:
        super().__init__()
        self.config = config
        self.covariates = CovariateFeatures(model.covariates.temporal, model.covariates)
        self.static = CovariateFeatures(model.covariates.static, model.covariates)
        calendar = reader.calendar.width
        extra = config.segment * self.covariates.width + calendar + self.static.width
        self.encoder = Encoder(config, extra)
        self.head = Head(model, config, reader.candidates)
        widths = Widths(calendar, self.covariates.width, self.static.width, self.head.width)
        self.decoder = DECODERS[config.decoder](model, config, widths)
        self.head.initialise(self.decoder.output)

    def forward(self, reading: Reading) -> MemberForecast:
        """Return the forecast of what was read."""
        parts, choice = self.decode(reading)
        forecast: MemberForecast = self.head(parts, choice)
        return forecast

    def decode(self, reading: Reading) -> tuple[Tensor, Choice | None]:
        """Return what the head reads: the parts (B, H, width) of each step, and the candidates to choose from."""
        mask = reading.mask
        extra = [reading.past_calendar]  # (B, N, C)
        features = static = None
        if reading.covariates is not None and reading.numbers is not None:
            present = mask.covariates if mask is not None else None
            both = self.covariates(reading.covariates, reading.numbers, present)  # (B, T + H, F)
            past, features = both.tensor_split([self.config.context_length], dim=1)  # (B, T, F), (B, H, F)
            extra.append(past.reshape(-1, extra[0].shape[1], self.config.segment * past.shape[-1]))  # (B, N, S * F)
        if reading.static is not None and reading.static_numbers is not None:
            present = mask.static if mask is not None else None
            static = self.static(reading.static, reading.static_numbers, present)[:, 0]  # (B, F)
            extra.append(repeat_steps(static, self.config.context_length // self.config.segment))  # (B, N, F)
        encoded = self.encoder(reading.context, extra)
        choice = self.head.build_choice(reading, encoded.last)
        future = KnownFuture(reading.future_calendar, features, static)
        return self._decode_horizon(encoded, future, choice), choice

    def _decode_horizon(self, encoded: Encoded, future: KnownFuture, choice: Choice | None) -> Tensor:
        """Return (B, H, width)."""
        if not isinstance(self.decoder, RecursiveDecoder):
            parts: Tensor = self.decoder(encoded, future)
            return parts

        def finish(parts: Tensor, step: int) -> Tensor:
            return self.head.compute_point(parts, choice, slice(step, step + 1))

        recursive: Tensor = self.decoder(encoded, future, self.encoder, finish)
        return recursive
