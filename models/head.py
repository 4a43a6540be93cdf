"""The head: gates over the candidate forecasts, a correction, and the levels around it.

Shapes: B batch, T context, H horizon, Q quantiles, K candidates.
"""

from statistics import NormalDist

import torch
from torch import Tensor, nn

from models.candidates import Candidates
from models.config import Config, NetworkConfig
from models.inputs import Context
from models.losses import POINT_LOSSES

FIRST_TRUST = 1.0
"""Power of a candidate's recent error that its gate starts from: the inverse error"""


class Head(nn.Module):
    """Turns decoder outputs into quantiles (B, H, Q)."""

    def __init__(self, config: Config, own: NetworkConfig, calendar: int) -> None:
        super().__init__()
        self.levels = config.quantiles
        self.candidates = Candidates(config, own, calendar) if own.basis else None
        self.count = self.candidates.count if self.candidates is not None else 0
        self.trust = nn.Parameter(torch.tensor(FIRST_TRUST)) if self.count else None
        self.spread = config.training.loss not in POINT_LOSSES
        self.width = self.count + 1 + (len(self.levels) if self.spread else 0)
        off_median = torch.tensor([float(q != 0.5) for q in self.levels])
        self.off_median: Tensor
        self.register_buffer("off_median", off_median, persistent=False)  # the median is the point forecast itself

    def initialise(self, output: nn.Linear) -> None:
        """Start from the mean of the candidates, gates uniform, levels spread like a normal law's."""
        if not self.count:
            return
        nn.init.zeros_(output.weight)
        nn.init.zeros_(output.bias)
        if self.spread:
            normal = torch.tensor([0.5 * NormalDist().inv_cdf(q) for q in self.levels])
            with torch.no_grad():
                output.bias.view(-1, self.width)[:, self.count + 1 :] = normal

    def forward(self, parts: Tensor, context: Context, state: Tensor, calendar: Tensor, known: Tensor | None) -> Tensor:
        """parts (B, H, width), state (B, hidden), calendar (B, H, C), known (B, T + H, 3 * numeric)."""
        point = parts[..., self.count]  # (B, H), the correction
        if self.candidates is not None and self.trust is not None:
            found = self.candidates(context.z, state, calendar, known)  # (B, H, K)
            record = self.candidates.record(context.z, context.observed)[:, None]  # (B, 1, K)
            gates = (parts[..., : self.count] - self.trust * record).softmax(-1)
            point = point + (gates * found).sum(-1)
        if not self.spread:
            return point[..., None].expand(-1, -1, len(self.levels))
        return point[..., None] + parts[..., self.count + 1 :] * self.off_median
