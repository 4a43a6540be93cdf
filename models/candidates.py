"""The candidate forecasts that the gates choose from, and how well each has done lately in the same context.

Shapes: B batch, T context, H horizon, K candidates, m season, J smoothings, P linear inputs, R recent windows.
"""

from math import log

import numpy as np
import torch
from torch import Tensor, nn

from models.basis import basis_forecasts, detrended_profile
from models.config import Config, NetworkConfig
from models.ets import ETS
from models.inputs import Context, dampened

FIRST_RATES = (0.1, 0.5, 0.02, 0.9, 0.3, 0.05, 0.7, 0.2)
"""Smoothing rates that training starts from"""
WIDEST_LINEAR = 1200
"""Most inputs of the linear forecast beside a long context; covariates before the origin are left out first"""
MOST_RECENT = 3
"""windows at the end of the context on which the fixed candidates are tried"""
LONG_CONTEXT = 512
"""contexts longer than this are tried on one window: the maps are large, and the window is long enough"""
LEAST_ERROR = 0.02


class Candidates(nn.Module):
    """Forecasts that need no recurrent state: fixed maps, smoothing models, pooled ones, and the linear forecast."""

    def __init__(self, config: Config, own: NetworkConfig, calendar: int) -> None:
        super().__init__()
        self.horizon = config.horizon
        names, maps = basis_forecasts(own.context_length, config.horizon, own.seasons)
        self.fixed, self.names = len(maps), names
        self.basis: Tensor
        self.register_buffer("basis", _flat(maps), persistent=False)  # (T, H * K)
        self.statistical: Tensor
        shape = (own.context_length, config.horizon * own.statistical)
        self.register_buffer("statistical", torch.zeros(shape, dtype=torch.float32))
        self.ets = ETS(config, own) if own.ets else None
        self.linear = LinearForecast(config, own, calendar) if own.linear else None
        self.recent = Recent(config, own, names)
        self.anchors = [self.fixed + k for k in self.ets.anchors] if self.ets is not None else []
        self.count = self.fixed + (self.ets.count if self.ets is not None else 0) + own.statistical + own.linear

    def forward(self, context: Context, calendar: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the forecasts (B, H, K) and their records (B, K), the log of each one's error over the mean of them.

        calendar (B, H, C), known (B, T + H, 3 * numeric). A record is 0 where it is unknown.
        """
        z = context.z
        found = [(z @ self.basis).reshape(-1, self.horizon, self.fixed)]
        record = [self.recent(z, context.observed)]
        if self.ets is not None:
            own, likely = self.ets(context)
            found.append(own)
            record.append(likely)
        if self.statistical.shape[1]:
            pooled = self.statistical.shape[1] // self.horizon
            found.append((z @ self.statistical).reshape(-1, self.horizon, pooled))
        if self.linear is not None:
            found.append(self.linear(self.linear.inputs(z, calendar, known))[..., None])
        told = torch.cat(record, dim=-1)
        return torch.cat(found, dim=-1), nn.functional.pad(told, (0, self.count - told.shape[1]))


class Recent(nn.Module):
    """Tries the fixed candidates on the last steps of the context, from what came before them."""

    def __init__(self, config: Config, own: NetworkConfig, names: tuple[str, ...]) -> None:
        super().__init__()
        length = own.context_length
        self.steps = max(1, min(config.horizon, length // 4))
        most = MOST_RECENT if length <= LONG_CONTEXT else 1
        self.windows = max(1, min(most, length // 2 // self.steps))
        self.length = length - self.windows * self.steps
        seasons = tuple(m for m in own.seasons if m <= self.length)
        found, maps = basis_forecasts(self.length, self.steps, seasons)
        here = [found.index(name) if name in found else -1 for name in names]
        self.count = len(names)
        self.known: Tensor
        self.maps: Tensor
        self.register_buffer("known", torch.tensor([float(k >= 0) for k in here]), persistent=False)
        self.register_buffer("maps", _flat(np.stack([maps[max(k, 0)] for k in here])), persistent=False)

    def forward(self, z: Tensor, observed: Tensor) -> Tensor:
        """z (B, T), observed (B, T) -> (B, number of fixed candidates)."""
        starts = [number * self.steps for number in range(self.windows)]
        contexts = torch.stack([z[:, s : s + self.length] for s in starts], dim=1)  # (B, R, T - R * steps)
        after = [slice(s + self.length, s + self.length + self.steps) for s in starts]
        target = torch.stack([z[:, a] for a in after], dim=1)[..., None]  # (B, R, steps, 1)
        seen = torch.stack([observed[:, a] for a in after], dim=1)[..., None]
        forecasts = (contexts @ self.maps).reshape(-1, self.windows, self.steps, self.count)
        error = ((forecasts - target).abs() * seen).sum((1, 2)) / seen.sum((1, 2)).clip(1.0)  # (B, K)
        size = torch.log(error + LEAST_ERROR)
        known = size * self.known
        return (size - known.sum(-1, keepdim=True) / self.known.sum()) * self.known


def _flat(maps: np.ndarray) -> Tensor:
    """Turn maps (K, T, H) into one matrix (T, H * K)."""
    flat = maps.transpose(1, 2, 0).reshape(maps.shape[1], -1)
    return torch.from_numpy(np.ascontiguousarray(flat)).float()


class Smoothing(nn.Module):
    """The seasonal profile on an exponentially smoothed level; the rates are each context's own.

    ES-RNN (Smyl 2020) learns rates and seasons of each series beside a shared network. Here the network reads
    the rates from the context, so that a series that was not trained on has its own as well.
    """

    def __init__(self, config: Config, own: NetworkConfig) -> None:
        super().__init__()
        self.season = own.seasons[0] if own.seasons else 1
        length = own.context_length
        profile = detrended_profile(np.eye(length), self.season) if own.seasons else np.zeros((length, 1))
        age = np.arange(own.context_length)[::-1].copy()
        phase = (np.arange(own.context_length) - own.context_length) % self.season
        self.profile: Tensor
        self.age: Tensor
        self.phase: Tensor
        self.ahead: Tensor
        self.register_buffer("profile", torch.from_numpy(profile).float(), persistent=False)
        self.register_buffer("age", torch.from_numpy(age).float(), persistent=False)
        self.register_buffer("phase", torch.from_numpy(phase), persistent=False)
        self.register_buffer("ahead", torch.arange(config.horizon) % self.season, persistent=False)
        self.rates = nn.Linear(own.hidden, own.smoothing)
        nn.init.zeros_(self.rates.weight)
        with torch.no_grad():
            self.rates.bias.copy_(torch.tensor([log(a / (1 - a)) for a in FIRST_RATES[: own.smoothing]]))

    def forward(self, z: Tensor, state: Tensor) -> Tensor:
        """z (B, T), state (B, hidden) -> (B, H, J)."""
        keep = nn.functional.logsigmoid(-self.rates(state))  # (B, J), log of 1 - rate
        weights = torch.exp(keep[:, :, None] * self.age)  # (B, J, T)
        weights = weights / weights.sum(-1, keepdim=True)
        profile = z @ self.profile  # (B, m)
        rest = z - profile.index_select(1, self.phase)
        level = (weights * rest[:, None]).sum(-1)  # (B, J)
        return profile.index_select(1, self.ahead)[..., None] + level[:, None]


class LinearForecast(nn.Module):
    """A forecast that is linear in context (dampened), calendar and known-future covariates; models.prepare fits it."""

    def __init__(self, config: Config, own: NetworkConfig, calendar: int) -> None:
        super().__init__()
        numeric = [n for n in config.covariates.temporal if n not in config.covariates.levels]
        most = max(0, (WIDEST_LINEAR - own.context_length) // config.horizon)
        future = [i for i, n in enumerate(numeric) if n in config.covariates.known_future][:most]
        # of models.inputs.CovariateNumbers: the z-scores in the window
        self.columns = [len(numeric) + i for i in future]
        room = WIDEST_LINEAR - own.context_length - config.horizon * len(future)
        season = own.seasons[0] if own.seasons else 1
        steps = max(0, min(own.context_length, room // max(len(future), 1))) // season * season
        self.first = own.context_length - steps
        self.width = own.context_length + calendar + (steps + config.horizon) * len(future) + 1
        self.weight: Tensor
        self.register_buffer("weight", torch.zeros(self.width, config.horizon, dtype=torch.float32))

    def inputs(self, z: Tensor, calendar: Tensor, known: Tensor | None) -> Tensor:
        """z (B, T), calendar (B, H, C), known (B, T + H, 3 * numeric) -> (B, P)."""
        parts = [dampened(z), calendar[:, 0], torch.ones_like(z[:, :1])]  # spikes would outweigh all else
        if known is not None and self.columns:
            parts.append(known[:, self.first :, self.columns].flatten(1))
        return torch.cat(parts, dim=-1)

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs (B, P) -> (B, H)."""
        return inputs @ self.weight
