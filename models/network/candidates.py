"""The candidate forecasts that the gates choose from, and how well each has done lately in the same context.

Shapes: B batch, T context, H horizon, C calendar features, K candidates, R recent windows.
"""

import numpy as np
import torch
from torch import Tensor, nn

from models.classical.linear_maps import build_basis
from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.ets import ETS
from models.network.inputs import Context
from models.network.ridge import LinearForecast

MOST_RECENT = 3
"""windows at the end of the context on which candidates are tried"""
LONG_CONTEXT = 512
"""contexts longer than this are tried on one window: the maps are large, and the window is long enough"""
LEAST_ERROR = 0.02


class Candidates(nn.Module):
    """Forecasts that need no recurrent state: fixed maps, smoothing models, pooled ones, and linear ones."""

    def __init__(self, config: Config, own: NetworkConfig, calendar: int) -> None:
        super().__init__()
        full, own = own, own.near
        self.horizon, self.length = config.horizon, own.context_length
        names, maps = build_basis(own.context_length, config.horizon, own.seasons)
        self.fixed, self.names = len(maps), names
        self.basis: Tensor
        self.register_buffer("basis", _flat(maps), persistent=False)  # (T, H * K)
        self.recent = Recent(config, own, names)
        # worth trying where the trial is as long as the horizon and leaves whole seasons to read
        whole = self.recent.steps == config.horizon and self.recent.length >= max(own.seasons, default=0)
        tried = self.recent.windows if whole else 0
        self.linear = LinearForecast(config, own, calendar, tried) if own.linear else None
        self.starts = [full.context_length - back for back in self.linear.backs] if self.linear is not None else []
        self.ets = ETS(config, own) if own.ets else None
        self.anchors = [self.fixed + k for k in self.ets.anchors] if self.ets is not None else []
        self.pooled: Tensor
        labels = [f"statistical_{number}" for number in range(1, own.statistical + 1)]
        labels += [f"prophet_{number}" for number in range(1, own.prophet + 1)]
        shape = (own.context_length, config.horizon * len(labels))
        self.register_buffer("pooled", torch.zeros(shape, dtype=torch.float32))
        parts = (self.ets, self.linear)
        self.labels = [*names, *(label for part in parts if part is not None for label in part.labels), *labels]
        self.count = len(self.labels)

    def forward(self, context: Context, starts: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the forecasts (B, H, K) and their records (B, K), the log of each one's error over the mean of them.

        starts (B, len(self.starts), C) the calendar at those steps, known (B, T + H, 3 * numeric). A record is 0 where
        it is unknown.
        """
        context, known = self.last(context, known)
        z = context.z
        found = [(z @ self.basis).reshape(-1, self.horizon, self.fixed)]
        errors, tried = self.recent(z, context.observed), self.recent.known
        linear = None
        if self.linear is not None:
            linear, error = self.linear(z, context.observed, starts, known)
            errors = torch.cat([errors, error], dim=-1)
            tried = nn.functional.pad(tried, (0, error.shape[1]), value=1.0)
        record = _relative(errors, tried)
        records = [record[:, : self.fixed]]
        if self.ets is not None:
            own, likely = self.ets(context)
            found.append(own)
            records.append(likely)
        if linear is not None:
            found.append(linear)
            own = [record[:, self.fixed :]] if errors.shape[1] > self.fixed else [torch.zeros_like(linear[:, 0, :1])]
            records += own * linear.shape[-1]
        if self.pooled.shape[1]:
            found.append((z @ self.pooled).reshape(-1, self.horizon, self.pooled.shape[1] // self.horizon))
        told = torch.cat(records, dim=-1)
        if told.shape[1] < self.count:
            told = nn.functional.pad(told, (0, self.count - told.shape[1]))
        return torch.cat(found, dim=-1), told

    def last(self, context: Context, known: Tensor | None) -> tuple[Context, Tensor | None]:
        """Return the steps that candidates read, of contexts (B, T) and of what is known (B, T + H, ...)."""
        skipped = context.z.shape[1] - self.length
        z, observed = context.z[:, skipped:], context.observed[:, skipped:]
        return context._replace(z=z, observed=observed), known[:, skipped:] if known is not None else None


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
        found, maps = build_basis(self.length, self.steps, seasons)
        here = [found.index(name) if name in found else -1 for name in names]
        self.count = len(names)
        self.known: Tensor
        self.maps: Tensor
        self.register_buffer("known", torch.tensor([float(k >= 0) for k in here]), persistent=False)
        self.register_buffer("maps", _flat(np.stack([maps[max(k, 0)] for k in here]), by_step=False), persistent=False)

    def forward(self, z: Tensor, observed: Tensor) -> Tensor:
        """z (B, T), observed (B, T) -> mean absolute errors (B, number of fixed candidates)."""
        starts = [number * self.steps for number in range(self.windows)]
        values = z[:, None]
        contexts = torch.cat([values[..., s : s + self.length] for s in starts], dim=1)  # (B, R, T - R * steps)
        # what lies after them is the end of the context, stretch after stretch
        target, seen = (part[:, self.length :].reshape(-1, self.windows, self.steps) for part in (z, observed))
        forecasts = (contexts @ self.maps).reshape(-1, self.windows, self.count, self.steps)
        missed = (forecasts - target[:, :, None]).abs() * seen[:, :, None]
        error: Tensor = missed.sum(-1).sum(1) / seen.flatten(1).sum(-1, keepdim=True).clip(1.0)
        return error


def _relative(errors: Tensor, known: Tensor) -> Tensor:
    """Return the log of errors (B, K) over the mean of the known ones (K,), 0 for others."""
    size = torch.log(errors + LEAST_ERROR) * known
    return (size - size.sum(-1, keepdim=True) / known.sum()) * known


def _flat(maps: np.ndarray, *, by_step: bool = True) -> Tensor:
    """Turn maps (K, T, H) into one matrix (T, H * K), or (T, K * H)."""
    flat = maps.transpose((1, 2, 0) if by_step else (1, 0, 2)).reshape(maps.shape[1], -1)
    return torch.from_numpy(np.ascontiguousarray(flat)).float()
