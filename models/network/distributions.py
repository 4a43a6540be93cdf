"""Distributions of the forecast error whose parameters the network gives.

Shapes: B batch, H horizon, Q quantiles, G grid of a table.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

LEAST_FREEDOM = 2.1
"""degrees of freedom; at two and below the distribution has no variance"""
GRID = 128
"""nodes of the table: straight lines between so many hold the quantiles to a thousandth of the scale"""
LEAST_SCALE = 1e-3
"""least scale, as a share of the context's: a likelihood without a floor grows without bounds on a constant series"""


class StudentT(nn.Module):
    """Student's t distribution around the point forecast.

    Its quantiles have no closed form. They are smooth in the inverse of the degrees of freedom, so a table over that,
    interpolated by straight lines, holds them; as a matrix product it fits every graph.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        from scipy import special  # late: a large package, which this distribution alone needs

        super().__init__()
        inverse = np.linspace(0.0, 1 / LEAST_FREEDOM, GRID)
        probabilities = np.asarray(levels, np.float64)
        rows = [special.ndtri(probabilities) if v == 0 else special.stdtrit(1 / v, probabilities) for v in inverse]
        self.table: Tensor
        self.nodes: Tensor
        self.register_buffer("table", torch.from_numpy(np.stack(rows)).float(), persistent=False)  # (G, Q)
        self.register_buffer("nodes", torch.arange(GRID, dtype=torch.float32), persistent=False)  # (G,)

    def build_parameters(self, outputs: Tensor, unit: Tensor | None = None) -> Tensor:
        """Turn raw outputs (B, H, 2) into scale and inverse degrees of freedom (B, H, 2); unit (B, 1, 1) in scales."""
        scale = nn.functional.softplus(outputs[..., 0]) + LEAST_SCALE
        if unit is not None:
            scale = scale * unit[..., 0]
        inverse = torch.sigmoid(outputs[..., 1]).clip(1e-3) / LEAST_FREEDOM
        return torch.stack([scale, inverse], dim=-1)  # (B, H, 2)

    def compute_distances(self, parameters: Tensor) -> Tensor:
        """Return the levels' distances from the point, (B, H, Q), for parameters (B, H, 2)."""
        position = parameters[..., 1:] * (LEAST_FREEDOM * (GRID - 1))  # (B, H, 1), among the table's nodes
        weight = (1 - (position - self.nodes).abs()).clip(0.0)  # (B, H, G), two of them above 0
        distances: Tensor = weight @ self.table * parameters[..., :1]  # (B, H, Q)
        return distances
