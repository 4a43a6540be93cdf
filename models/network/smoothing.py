"""Exponential smoothing whose rates the network reads from the context.

Shapes: B batch, T context, H horizon, m season, J smoothings.
"""

from math import ceil, log

import numpy as np
import torch
from torch import Tensor, nn

from models.classical.linear_maps import detrended_profile
from models.config.model import Config
from models.config.network import NetworkConfig

FIRST_RATES = (0.1, 0.5, 0.02, 0.9, 0.3, 0.05, 0.7, 0.2)
"""Smoothing rates that training starts from"""


class Smoothing(nn.Module):
    """The seasonal profile on an exponentially smoothed level; the rates are each context's own.

    ES-RNN (Smyl 2020) learns rates and seasons of each series beside a shared network. Here the network reads
    the rates from the context, so that a series that was not trained on has its own as well.
    """

    def __init__(self, config: Config, own: NetworkConfig) -> None:
        super().__init__()
        own = own.near
        self.season = own.seasons[0] if own.seasons else 1
        self.length = length = own.context_length
        profile = detrended_profile(np.eye(length), self.season) if own.seasons else np.zeros((length, 1))
        age = np.arange(length)[::-1].copy()
        self.seasons = ceil(length / self.season)
        self.repeats = config.horizon > self.season
        self.profile: Tensor
        self.age: Tensor
        self.ahead: Tensor
        self.register_buffer("profile", torch.from_numpy(profile).float(), persistent=False)
        self.register_buffer("age", torch.from_numpy(age).float(), persistent=False)
        self.register_buffer("ahead", torch.arange(config.horizon) % self.season, persistent=False)
        self.rates = nn.Linear(own.hidden, own.smoothing)
        nn.init.zeros_(self.rates.weight)
        with torch.no_grad():
            self.rates.bias.copy_(torch.tensor([log(a / (1 - a)) for a in FIRST_RATES[: own.smoothing]]))

    def forward(self, z: Tensor, state: Tensor) -> Tensor:
        """z (B, T), state (B, hidden) -> (B, H, J)."""
        z = z[:, -self.length :]
        keep = nn.functional.logsigmoid(-self.rates(state))  # (B, J), log of 1 - rate
        weights = torch.exp(keep[:, :, None] * self.age)  # (B, J, T)
        profile = z @ self.profile  # (B, m)
        # the last season ends with the context
        missing = self.seasons * self.season - self.length
        blocks = nn.functional.pad(z, (missing, 0)) if missing else z
        rest = (blocks.reshape(-1, self.seasons, self.season) - profile[:, None]).flatten(1)[:, missing:]
        level = (weights * rest[:, None]).sum(-1) / weights.sum(-1)  # (B, J)
        ahead = profile.index_select(1, self.ahead) if self.repeats else profile[:, : len(self.ahead)]
        return ahead[..., None] + level[:, None]
