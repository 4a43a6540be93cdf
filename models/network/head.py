"""The head: gates over the candidate forecasts, a correction, and the levels around it.

Shapes: B batch, T context, H horizon, Q quantiles, K candidates.
"""

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

FIRST_TRUST = 1.0
"""Power of a candidate's recent error that its gate starts from: the inverse error"""
FIRST_LEAD = 2.0
"""What the gates of the context's own smoothing models start with beyond the others"""


class Choice(NamedTuple):
    """What the gates choose from."""

    found: Tensor
    """(B, H, K) forecasts"""
    record: Tensor
    """(B, 1, K)"""


class Raw(NamedTuple):
    """What a member says of the horizon, in scaled units."""

    quantiles: Tensor
    """(B, H, Q), not yet ordered"""
    law: Tensor | None
    """(B, H, 2) of a Student-t law"""


class Head(nn.Module):
    """Turns decoder outputs into quantiles."""

    def __init__(self, config: Config, own: NetworkConfig, candidates: Candidates | None) -> None:
        super().__init__()
        self.levels, loss = config.quantiles, config.training.loss
        self.smoothing = Smoothing(config, own) if own.smoothing else None
        smoothings = [f"smoothing_{number}" for number in range(1, own.smoothing + 1)]
        self.labels = [*candidates.labels, *smoothings] if candidates is not None else []
        self.count = len(self.labels)
        self.anchor, self.anchors = own.anchor, candidates.anchors if candidates is not None else []
        anchored = torch.zeros(self.count)
        anchored[self.anchors] = 1 / max(len(self.anchors), 1)
        self.anchored: Tensor
        self.register_buffer("anchored", anchored, persistent=False)  # (K,), what the anchor gives each
        self.trust = nn.Parameter(torch.tensor(FIRST_TRUST)) if self.count else None
        self.law = StudentT(self.levels) if loss == "student_t" else None
        self.spread = self.law is None and loss not in POINT_LOSSES
        self.width = self.count + 1 + (2 if self.law is not None else len(self.levels) * self.spread)
        off_median = torch.tensor([float(q != 0.5) for q in self.levels])
        self.off_median: Tensor
        self.register_buffer("off_median", off_median, persistent=False)  # the median is the point forecast itself

    def initialise(self, output: nn.Linear) -> None:
        """Start from the mean of the candidates, levels spread like a normal law's."""
        if not self.count:
            return
        nn.init.zeros_(output.weight)
        nn.init.zeros_(output.bias)
        with torch.no_grad():
            bias = output.bias.view(-1, self.width)
            bias[:, self.anchors] = FIRST_LEAD
            if self.spread:
                normal = torch.tensor([0.5 * NormalDist().inv_cdf(q) for q in self.levels])
                bias[:, self.count + 1 :] = normal

    def choice(self, reading: Reading, state: Tensor) -> Choice | None:
        """Return what there is to choose from; state (B, hidden) of the encoder's last step."""
        if reading.candidates is None or reading.record is None:
            return None
        found, record = reading.candidates, reading.record
        if self.smoothing is not None:
            own = self.smoothing(reading.context.z, state)
            found = torch.cat([found, own], dim=-1)
            record = nn.functional.pad(record, (0, own.shape[-1]))
        return Choice(found, record[:, None])

    def point(self, parts: Tensor, choice: Choice | None, steps: slice = slice(None)) -> Tensor:
        """Return the point forecast of some steps, from their parts (B, steps, width): (B, steps)."""
        return self._point(parts, choice, steps)[..., 0]

    def _point(self, parts: Tensor, choice: Choice | None, steps: slice = slice(None)) -> Tensor:
        """Return (B, steps, 1)."""
        correction = parts[..., self.count : self.count + 1]
        if choice is None:
            return correction
        chosen = (self.weights(parts, choice) * choice.found[:, steps]).sum(-1, keepdim=True)
        return chosen + correction * (1 - self.anchor) if self.anchored_now else chosen + correction

    def weights(self, parts: Tensor, choice: Choice) -> Tensor:
        """Return the share of each candidate in the point forecast, (B, steps, K), from the parts of those steps."""
        assert self.trust is not None
        gates = (parts[..., : self.count] - self.trust * choice.record).softmax(-1)
        return torch.lerp(gates, self.anchored.expand_as(gates), self.anchor) if self.anchored_now else gates

    @property
    def anchored_now(self) -> bool:
        """Whether a share of the point forecast is the anchor's: not while the gates are trained."""
        return self.anchor > 0 and not self.training

    def forward(self, parts: Tensor, choice: Choice | None) -> Raw:
        """parts (B, H, width)."""
        point = self._point(parts, choice)
        rest = parts[..., self.count + 1 :]
        if self.law is not None:
            law = self.law.of(rest)
            return Raw(point + self.law.distances(law), law)
        if not self.spread:
            return Raw(point.expand(-1, -1, len(self.levels)), None)
        return Raw(point + rest * self.off_median, None)
