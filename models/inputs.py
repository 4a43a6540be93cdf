"""What the network makes of its raw inputs: contexts of unit scale without gaps, calendars on circles.

B batch, T context, N seasons of the context, m steps of a season, L steps, C calendar features.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.basis import fill_kernel
from models.calendar import CALENDAR_PERIODS
from models.scalers import SCALERS

HARMONICS = (4, 3, 2, 3)
"""Sine and cosine pairs of each calendar field; three describe the days of a week completely."""


class Context(NamedTuple):
    """A context brought to unit scale."""

    z: Tensor
    """(B, T) float32, gaps filled"""
    observed: Tensor
    """(B, T) float32, 1 where a value exists"""
    loc: Tensor
    """(B, 1) float64"""
    scale: Tensor
    """(B, 1) float64"""


class Normalise(nn.Module):
    """Scales a context and fills its gaps.

    A gap takes the weighted mean of the same phase in the context's other seasons, near ones weighing most;
    a phase that was never observed takes the season's level. Both are constant matrix products.
    """

    def __init__(self, context_length: int, season: int, scaler: str) -> None:
        super().__init__()
        self.scaler, self.season = SCALERS[scaler], season
        self.padding = -context_length % season
        kernel = fill_kernel((context_length + self.padding) // season)
        age = np.arange(context_length)[::-1] / season
        self.kernel: Tensor
        self.recency: Tensor
        self.register_buffer("kernel", torch.from_numpy(kernel).float(), persistent=False)
        self.register_buffer("recency", torch.from_numpy((1.0 + age) ** -4.0), persistent=False)

    def forward(self, y: Tensor) -> Context:
        seen = ~torch.isnan(y)
        observed = seen.double()
        data = torch.where(seen, y, torch.zeros_like(y))
        loc, scale = self.scaler(data, observed, self.recency)
        z = ((data - loc) / scale * observed).float()
        return Context(self.filled(z, observed.float()), observed.float(), loc, scale)

    def filled(self, z: Tensor, observed: Tensor) -> Tensor:
        """Fill z (B, T), which holds 0 where observed is 0."""
        pair = torch.stack([z, observed], dim=1)
        pair = nn.functional.pad(pair, (self.padding, 0))
        pair = pair.reshape(-1, 2, len(self.kernel), self.season)  # (B, 2, N, m)
        level = pair.mean(-1, keepdim=True)
        numerator, denominator = (self.kernel @ (pair + 1e-4 * level)).flatten(2).unbind(1)  # (B, N * m)
        fill = (numerator / denominator.clip(1e-30))[:, self.padding :]
        return z + (1 - observed) * fill


class CalendarFeatures(nn.Module):
    """Puts calendar integers on circles: (B, L, 4) -> (B, L, C)."""

    def __init__(self, fields: tuple[int, ...]) -> None:
        super().__init__()
        pairs = [(f, 2 * np.pi * k / CALENDAR_PERIODS[f]) for f in fields for k in range(1, HARMONICS[f] + 1)]
        self.width = 2 * len(pairs)
        self.fields: Tensor
        self.rates: Tensor
        self.register_buffer("fields", torch.tensor([f for f, _ in pairs], dtype=torch.int64), persistent=False)
        self.register_buffer("rates", torch.tensor([r for _, r in pairs], dtype=torch.float32), persistent=False)

    def forward(self, calendar: Tensor) -> Tensor:
        angles: Tensor = calendar.index_select(-1, self.fields).float() * self.rates
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
