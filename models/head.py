"""The head: gates over the candidate forecasts, a correction, and the levels around it.

Shapes: B batch, T context, H horizon, Q quantiles, K candidates.
"""

from statistics import NormalDist

import torch
from torch import Tensor, nn

from models.candidates import Candidates
from models.config import Config, NetworkConfig
from models.losses import POINT_LOSSES
from models.reading import Reading
from models.smoothing import Smoothing

FIRST_TRUST = 1.0
"""Power of a candidate's recent error that its gate starts from: the inverse error"""

FIRST_LEAD = 2.0
"""What the gates of the context's own smoothing models start with beyond the others"""


class Head(nn.Module):
    """Turns decoder outputs into quantiles (B, H, Q)."""

    def __init__(self, config: Config, own: NetworkConfig, candidates: Candidates | None) -> None:
        super().__init__()
        self.levels = config.quantiles
        self.smoothing = Smoothing(config, own) if own.smoothing else None
        self.count = candidates.count + own.smoothing if candidates is not None else 0
        self.anchor, self.anchors = own.anchor, candidates.anchors if candidates is not None else []
        self.trust = nn.Parameter(torch.tensor(FIRST_TRUST)) if self.count else None
        self.spread = config.training.loss not in POINT_LOSSES
        self.width = self.count + 1 + (len(self.levels) if self.spread else 0)
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

    def forward(self, parts: Tensor, reading: Reading, state: Tensor) -> Tensor:
        """parts (B, H, width), state (B, hidden) of the encoder's last step."""
        point = parts[..., self.count]  # (B, H), the correction
        if reading.candidates is not None and reading.record is not None and self.trust is not None:
            found, record = reading.candidates, reading.record
            if self.smoothing is not None:
                own = self.smoothing(reading.context.z, state)
                found = torch.cat([found, own], dim=-1)
                record = nn.functional.pad(record, (0, own.shape[-1]))
            gates = (parts[..., : self.count] - self.trust * record[:, None]).softmax(-1)
            point = point + (gates * found).sum(-1)
            if self.anchor and not self.training:
                point = torch.lerp(point, found[..., self.anchors].mean(-1), self.anchor)
        if not self.spread:
            return point[..., None].expand(-1, -1, len(self.levels))
        return point[..., None] + parts[..., self.count + 1 :] * self.off_median
