"""The point forecast of a network as a function of how present each of its inputs is.

Shapes: B windows, T context, H horizon, C temporal and S static covariates, K candidates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.network.head import Choice
from models.network.inputs import InputMask
from models.network.network import Network
from models.network.reader import Reading

LEAST_SHARE = 1e-300
"""floor of a sum of shares that is divided by; where it is 0 the quotient is not read"""


@dataclass
class CandidateShares:
    """Weights (B, H, K) and forecasts (B, H, K) in original units of each member's candidates, by label."""

    weights: dict[str, list[Tensor]] = field(default_factory=dict)
    """(B, H) of each member that has the candidate"""
    forecasts: dict[str, list[Tensor]] = field(default_factory=dict)
    """(B, H) of each member that has the candidate"""
    members: int = 1

    def add(self, labels: Sequence[str], weights: Tensor, forecasts: Tensor) -> None:
        """Add a member's candidates: weights and forecasts (B, H, K)."""
        for k, label in enumerate(labels):
            self.weights.setdefault(label, []).append(weights[..., k].double())
            self.forecasts.setdefault(label, []).append(forecasts[..., k])

    def average(self, row: int, steps: int) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Yield label, weight (steps,) and forecast (steps,) of each candidate of one window.

        They are the members' mean shares, and the means of the forecasts that these were given to.
        """
        for label, weights in self.weights.items():
            shares = torch.stack([member[row, :steps] for member in weights])  # (members, steps)
            forecasts = torch.stack([member[row, :steps] for member in self.forecasts[label]])  # (members, steps)
            total = shares.sum(0)
            weighted = (shares * forecasts).sum(0) / total.clip(LEAST_SHARE)
            yield label, total / self.members, torch.where(total > 0, weighted, forecasts.mean(0))


class MaskedForecast:
    """The point forecast as a function of an `InputMask`, and what it was made of in the last call.

    The mask scales what the network makes of its inputs, so that the path is straight where it reads them.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.readings: list[Reading] = []
        self.decoded: list[tuple[Tensor, Choice | None]] = []
        self.first = torch.empty(0)
        """(B, 5) the calendar of the horizon's first step"""

    def __call__(self, *given: Tensor) -> Tensor:
        """Return the point forecast (B, H).

        Args:
            given: masks of lags (B, T), temporal (B, T + H, C) and static covariates (B, S) as far as the network reads
                such, then the network's inputs.
        """
        network = self.network
        names = network.config.inputs
        count = len(names) - 1  # the calendar has no mask
        masks = dict(zip(("lags", *names[2:]), given[:count], strict=True))
        mask = InputMask(masks["lags"], masks.get("covariates"), masks.get("static"))
        inputs = dict(zip(names, given[count:], strict=True))
        self.readings = network.read(**inputs, mask=mask)
        self.decoded = [
            member.decode(self.readings[index])
            for member, index in zip(network.members, network.reader_indices, strict=True)
        ]
        pairs = zip(network.members, self.decoded, strict=True)
        forecasts = [member.head(parts, choice).quantiles for member, (parts, choice) in pairs]
        self.first = inputs["calendar"][:, inputs["y"].shape[1]]
        quantiles = network.average_members(self.readings, forecasts)  # (B, H, Q)
        quantiles = network.blend_pretrained(quantiles, self.readings[0])
        quantiles = network.move(quantiles, self.readings[0], self.first)
        context = self.readings[0].context
        return quantiles[..., network.median] * context.scale + context.loc

    def scale(self) -> Tensor:
        """Return the scale (B, 1) of the windows of the last call."""
        return self.readings[0].context.scale

    def shares(self) -> CandidateShares:
        """Return what the candidates were in the last call."""
        network = self.network
        shares = CandidateShares(members=len(network.members))
        share, calibrated = self._calibrate()
        rest = 1 - share[..., None]  # (B, 1, 1)
        for member, index, (parts, choice) in zip(network.members, network.reader_indices, self.decoded, strict=True):
            if choice is not None:
                context = self.readings[index].context
                forecasts = choice.forecasts.double() * context.scale[..., None] + context.loc[..., None]
                shares.add(member.head.labels, rest * member.head.compute_weights(parts, choice), forecasts)
                if calibrated is not None:
                    shares.add(["calibrated"], share.expand_as(calibrated)[..., None], calibrated[..., None])
        return shares

    def _calibrate(self) -> tuple[Tensor, Tensor | None]:
        """Return the calibrated forecast's share (B, 1), and the forecast (B, H) in original units if there is one."""
        part = self.network.calibrated
        reading = self.readings[0]
        if part is None:
            return torch.zeros_like(reading.context.scale), None
        forecast = part(reading.context.z, self.first, reading.numbers)
        return part.find_share(self.first), forecast * reading.context.scale + reading.context.loc
