"""Exponential smoothing whose rates the network reads from the context.

Shapes: B batch, T context, H horizon, N seasons of the context, m season, J smoothings.
"""

from math import ceil, log

import numpy as np
import torch
from torch import Tensor, nn

from models.classical.linear_maps import detrended_profile
from models.config.model import Config
from models.config.network import NetworkConfig

FIRST_RATES = (0.1, 0.5, 0.02, 0.9, 0.3, 0.05, 0.7, 0.2)
"""Smoothing rates that training starts from, slow and fast ones in turn: the first `smoothing` of them are used"""


class Smoothing(nn.Module):
    """The seasonal profile on an exponentially smoothed level; the rates are each context's own.

    ES-RNN (Smyl 2020) learns rates and seasons of each series beside a shared network. Here the network reads
    the rates from the context, so that a series that was not trained on has its own as well.
    """

    def __init__(self, model: Config, config: NetworkConfig) -> None:
        super().__init__()
        near = config.near
        self.season = near.season_in_context
        self.length = near.context_length
        profile = detrended_profile(np.eye(self.length), self.season) if near.seasons else np.zeros((self.length, 1))
        age = np.arange(self.length)[::-1].copy()
        self.seasons = ceil(self.length / self.season)
        self.repeats = model.horizon > self.season
        self.profile: Tensor
        self.age: Tensor
        self.phases: Tensor
        self.register_buffer("profile", torch.from_numpy(profile).float(), persistent=False)  # (T, m)
        self.register_buffer("age", torch.from_numpy(age).float(), persistent=False)  # (T,)
        self.register_buffer("phases", torch.arange(model.horizon) % self.season, persistent=False)  # (H,)
        self.rates = nn.Linear(near.hidden, near.smoothing)
        nn.init.zeros_(self.rates.weight)
        with torch.no_grad():
            self.rates.bias.copy_(torch.tensor([log(a / (1 - a)) for a in FIRST_RATES[: near.smoothing]]))

    def forward(self, z: Tensor, state: Tensor) -> Tensor:
        """z (B, T), state (B, hidden) -> (B, H, J)."""
        z = z[:, -self.length :]
        log_keep = nn.functional.logsigmoid(-self.rates(state))  # (B, J), log of 1 - rate
        weights = torch.exp(log_keep[:, :, None] * self.age)  # (B, J, T)
        profile = z @ self.profile  # (B, m)
        # the last season ends with the context
        missing = self.seasons * self.season - self.length
        padded = nn.functional.pad(z, (missing, 0)) if missing else z
        blocks = padded.reshape(-1, self.seasons, self.season)  # (B, N, m)
        rest = (blocks - profile[:, None]).flatten(1)[:, missing:]  # (B, T)
        level = (weights * rest[:, None]).sum(-1) / weights.sum(-1)  # (B, J)
        future = profile.index_select(1, self.phases) if self.repeats else profile[:, : len(self.phases)]  # (B, H)
        return future[..., None] + level[:, None]  # (B, H, J)
