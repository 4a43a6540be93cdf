"""The head: gates over the candidate forecasts, a correction, and the levels around it.

Shapes: B batch, T context, H horizon, Q quantiles, K candidates.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.config.training import POINT_LOSSES
from models.network.candidates import Candidates
from models.network.distributions import StudentT
from models.network.reader import Reading
from models.network.smoothing import Smoothing

ANCHOR_SHARES = (0.0, 0.4, 0.7, 0.9, 1.0)
"""shares of the point forecast that may stay with a context's own smoothing models, where that is chosen"""
FIRST_ERROR_POWER = 1.0
"""Power of a candidate's recent error that its gate starts from: the inverse error"""
FIRST_LEAD = 2.0
"""Lead of the gates of the context's own smoothing models when training begins"""
EXACT_LEAD = 15.0
"""Lead of the gates of candidates that have missed nothing: all others together weigh less than float32 can tell"""
FIRST_SPREAD = 0.5
"""Scales of the context that the deviation of the levels is when training begins; 1 unit where there are units"""


class Choice(NamedTuple):
    """Candidates that the gates choose from."""

    forecasts: Tensor
    """(B, H, K) of the candidates, in scaled units"""
    log_errors: Tensor
    """(B, 1, K), how each has done in the context"""
    anchor_shares: Tensor | None
    """(B or 1, 1, K) of the smoothing models in what is not learned"""
    unit: Tensor | None
    """(B, 1, 1) scales of correction and levels; None: 1"""


class MemberForecast(NamedTuple):
    """One member's forecast of the horizon, in scaled units."""

    quantiles: Tensor
    """(B, H, Q), not yet ordered"""
    distribution: Tensor | None
    """(B, H, 2) parameters of Student's t; None where levels are trained by themselves"""


class Head(nn.Module):
    """Turns decoder outputs into quantiles.

    A step's parts (width,) are K gates, a correction of the point forecast, and then two parameters of a distribution,
    or Q distances of the levels, or nothing.
    """

    def __init__(self, model: Config, config: NetworkConfig, candidates: Candidates | None) -> None:
        super().__init__()
        loss = model.training.loss
        self.levels = model.quantiles
        self.smoothing = Smoothing(model, config) if config.smoothing else None
        smoothing_labels = [f"smoothing_{number}" for number in range(1, config.smoothing + 1)]
        self.labels = [*candidates.labels, *smoothing_labels] if candidates is not None else []
        self.count = len(self.labels)
        self.has_anchor = config.anchor > 0
        self.anchor: Tensor
        # the share of the smoothing models
        self.register_buffer("anchor", torch.tensor(config.anchor), persistent=config.chooses_anchor)
        self.anchors = candidates.anchors if candidates is not None else []
        self.first_spread = FIRST_SPREAD if config.ets_models == "basic" else 1.0
        # the power of the recent errors in the gates; weights files know it by this name
        self.trust = nn.Parameter(torch.tensor(FIRST_ERROR_POWER)) if self.count else None
        self.distribution = StudentT(self.levels) if loss == "student_t" else None
        self.trains_levels = self.distribution is None and loss not in POINT_LOSSES
        parameters = 2 if self.distribution is not None else 0
        distances = len(self.levels) if self.trains_levels else 0
        self.width = self.count + 1 + parameters + distances
        off_median = torch.tensor([float(level != 0.5) for level in self.levels])
        self.off_median: Tensor
        # (Q,), 0 at the median, which is the point forecast itself
        self.register_buffer("off_median", off_median, persistent=False)

    def initialise(self, output: nn.Linear) -> None:
        """Start from the mean of the candidates, levels spread like those of a normal distribution."""
        if not self.count:
            return
        nn.init.zeros_(output.weight)
        nn.init.zeros_(output.bias)
        with torch.no_grad():
            bias = output.bias.view(-1, self.width)  # (steps of the output layer, width)
            bias[:, self.anchors] = FIRST_LEAD
            if self.trains_levels:
                normal = torch.tensor([self.first_spread * NormalDist().inv_cdf(level) for level in self.levels])
                bias[:, self.count + 1 :] = normal

    def lead(self, output: nn.Linear, columns: Sequence[int]) -> None:
        """Let the gates begin with some of the candidates alone; none of them changes nothing."""
        with torch.no_grad():
            output.bias.view(-1, self.width)[:, list(columns)] += EXACT_LEAD

    def build_choice(self, reading: Reading, state: Tensor) -> Choice | None:
        """Return what there is to choose from; state (B, hidden) of the encoder's last step."""
        if reading.candidates is None:
            return None
        forecasts, log_errors, shares, unit = reading.candidates
        if self.smoothing is not None:
            smoothed = self.smoothing(reading.context.z, state)  # (B, H, J)
            forecasts = torch.cat([forecasts, smoothed], dim=-1)  # (B, H, K)
            more = (0, smoothed.shape[-1])
            log_errors = nn.functional.pad(log_errors, more)  # (B, K)
            shares = nn.functional.pad(shares, more) if shares is not None else None
        return Choice(
            forecasts=forecasts,
            log_errors=log_errors[:, None],
            anchor_shares=shares[:, None] if shares is not None else None,
            unit=unit[:, None] if unit is not None else None,
        )

    def compute_point(self, parts: Tensor, choice: Choice | None, steps: slice = slice(None)) -> Tensor:
        """Return the point forecast of some steps, from their parts (B, steps, width): (B, steps)."""
        return self._compute_point(parts, choice, steps)[..., 0]

    def _compute_point(self, parts: Tensor, choice: Choice | None, steps: slice = slice(None)) -> Tensor:
        """Return (B, steps, 1)."""
        correction = parts[..., self.count : self.count + 1]  # (B, steps, 1)
        if choice is None:
            return correction
        chosen = (self.compute_weights(parts, choice) * choice.forecasts[:, steps]).sum(-1, keepdim=True)
        if choice.unit is not None:
            correction = correction * choice.unit
        return chosen + correction * (1 - self.anchor) if self.uses_anchor else chosen + correction

    def compute_weights(self, parts: Tensor, choice: Choice) -> Tensor:
        """Return the share of each candidate in the point forecast, (B, steps, K), from the parts of those steps."""
        assert self.trust is not None
        gates = (parts[..., : self.count] - self.trust * choice.log_errors).softmax(-1)  # (B, steps, K)
        if choice.anchor_shares is None or not self.uses_anchor:
            return gates
        return torch.lerp(gates, choice.anchor_shares.expand_as(gates), self.anchor)

    @property
    def uses_anchor(self) -> bool:
        """Whether a share of the point forecast is the anchor's: not while the gates are trained."""
        return self.has_anchor and not self.training

    def forward(self, parts: Tensor, choice: Choice | None) -> MemberForecast:
        """parts (B, H, width)."""
        point = self._compute_point(parts, choice)  # (B, H, 1)
        rest = parts[..., self.count + 1 :]  # (B, H, 2 or Q or 0)
        unit = choice.unit if choice is not None else None
        if self.distribution is not None:
            parameters = self.distribution.build_parameters(rest, unit)  # (B, H, 2)
            return MemberForecast(point + self.distribution.compute_distances(parameters), parameters)
        if not self.trains_levels:
            return MemberForecast(point.expand(-1, -1, len(self.levels)), None)
        distances = rest * self.off_median
        return MemberForecast(point + (distances if unit is None else distances * unit), None)
