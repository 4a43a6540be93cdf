"""The candidate forecasts that the gates choose from, and how well each has done lately in the same context.

Shapes: B batch, T context, H horizon, C calendar features, K candidates, F fixed candidates, L linear candidates,
R recent windows.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.classical.linear_maps import build_basis
from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.ets import ETS
from models.network.inputs import ScaledContext
from models.network.ridge import LinearForecast

MOST_RECENT = 3
"""windows at the end of the context on which candidates are tried"""
LONG_CONTEXT = 512
"""contexts longer than this are tried on one window: the maps are large, and the window is long enough"""
LEAST_ERROR = 0.02
"""Scales added to an error before its logarithm, so that an exact candidate does not outweigh all others"""


class CandidateForecasts(NamedTuple):
    """What there is to choose from."""

    forecasts: Tensor
    """(B, H, K) in scaled units"""
    log_errors: Tensor
    """(B, K): the logarithm of a candidate's recent error over the mean of all candidates; 0 where it is unknown"""
    anchor_shares: Tensor | None
    """(B or 1, K) of the smoothing models in the forecast without anything learned"""
    unit: Tensor | None
    """(B, 1), in scales, what those have missed one step ahead; None: levels are in scales"""


class Candidates(nn.Module):
    """Forecasts that need no recurrent state: fixed maps, smoothing models, linear ones, and pooled ones."""

    def __init__(self, model: Config, config: NetworkConfig, calendar_width: int) -> None:
        super().__init__()
        near = config.near
        self.horizon = model.horizon
        self.length = near.context_length
        self.names, maps = build_basis(near.context_length, model.horizon, near.seasons)
        self.fixed = len(maps)
        self.fixed_maps: Tensor
        self.register_buffer("fixed_maps", _flatten_maps(maps), persistent=False)  # (T, H * F)
        self.recent = RecentErrors(model, near, self.names)
        # worth trying where the trial is as long as the horizon and leaves whole seasons to read
        whole = self.recent.steps == model.horizon and self.recent.length >= max(near.seasons, default=0)
        tried = self.recent.windows if whole else 0
        self.linear = LinearForecast(model, near, calendar_width, tried) if near.linear else None
        backs = self.linear.backs if self.linear is not None else []
        self.starts = [config.context_length - back for back in backs]
        self.ets = ETS(model, near) if near.ets else None
        self.anchors = [self.fixed + k for k in self.ets.anchors] if self.ets is not None else []
        pooled_labels = [f"statistical_{number}" for number in range(1, near.statistical + 1)]
        pooled_labels += [f"prophet_{number}" for number in range(1, near.prophet + 1)]
        shape = (near.context_length, model.horizon * len(pooled_labels))
        self.pooled: Tensor
        self.register_buffer("pooled", torch.zeros(shape, dtype=torch.float32))  # (T, H * pooled)
        self.labels = list(self.names)
        self.labels += self.ets.labels if self.ets is not None else []
        self.labels += self.linear.labels if self.linear is not None else []
        self.labels += pooled_labels
        self.count = len(self.labels)

    def forward(self, context: ScaledContext, starts: Tensor, numbers: Tensor | None) -> CandidateForecasts:
        """Return the forecasts of a context.

        Args:
            starts: (B, len(self.starts), C) the calendar at those steps.
            numbers: (B, T + H, 3 * numeric) of the covariates (`models.network.inputs.CovariateNumbers`).
        """
        context, numbers = self.crop(context, numbers)
        z = context.z
        fixed = (z @ self.fixed_maps).reshape(-1, self.horizon, self.fixed)  # (B, H, F)
        errors = self.recent(z, context.observed)  # (B, F)
        tried = self.recent.tried  # (F,)
        ets = linear = None
        if self.linear is not None:
            linear, linear_error = self.linear(z, context.observed, starts, numbers)  # (B, H, L), (B, 1 or 0)
            errors = torch.cat([errors, linear_error], dim=-1)  # (B, F + 1 or F)
            tried = nn.functional.pad(tried, (0, linear_error.shape[1]), value=1.0)
        relative = _compare(errors, tried)  # (B, F + 1 or F)
        forecasts = [fixed]
        log_errors = [relative[:, : self.fixed]]
        if self.ets is not None:
            ets = self.ets(context)
            forecasts.append(ets.forecasts)
            log_errors.append(ets.log_errors)
        if linear is not None:
            measured = errors.shape[1] > self.fixed
            linear_errors = relative[:, self.fixed :] if measured else torch.zeros_like(linear[:, 0, :1])  # (B, 1)
            forecasts.append(linear)
            log_errors.append(linear_errors.expand(-1, linear.shape[-1]))  # (B, L): the moved ones share its error
        if self.pooled.shape[1]:
            pooled = self.pooled.shape[1] // self.horizon
            forecasts.append((z @ self.pooled).reshape(-1, self.horizon, pooled))  # (B, H, pooled)
        joined = torch.cat(log_errors, dim=-1)
        if joined.shape[1] < self.count:  # pooled ones are not tried, which come last
            joined = nn.functional.pad(joined, (0, self.count - joined.shape[1]))
        shares = unit = None
        if ets is not None:
            shares = nn.functional.pad(ets.shares, (self.fixed, self.count - self.fixed - ets.shares.shape[1]))
            unit = ets.unit if self.ets is not None and self.ets.kind == "wide" else None
        return CandidateForecasts(torch.cat(forecasts, dim=-1), joined, shares, unit)

    def crop(self, context: ScaledContext, numbers: Tensor | None) -> tuple[ScaledContext, Tensor | None]:
        """Return the steps that candidates read, of contexts (B, T) and of the covariates' numbers (B, T + H, ...)."""
        skipped = context.z.shape[1] - self.length
        cropped = context._replace(z=context.z[:, skipped:], observed=context.observed[:, skipped:])
        return cropped, numbers[:, skipped:] if numbers is not None else None


class RecentErrors(nn.Module):
    """Tries the fixed candidates on the last steps of the context, from what came before them."""

    def __init__(self, model: Config, config: NetworkConfig, names: tuple[str, ...]) -> None:
        super().__init__()
        length = config.context_length
        self.steps = max(1, min(model.horizon, length // 4))
        most = MOST_RECENT if length <= LONG_CONTEXT else 1
        self.windows = max(1, min(most, length // 2 // self.steps))
        self.length = length - self.windows * self.steps
        seasons = tuple(m for m in config.seasons if m <= self.length)
        shorter_names, maps = build_basis(self.length, self.steps, seasons)
        # a candidate that needs a longer context than is left is not tried; any map stands in for it
        positions = [shorter_names.index(name) if name in shorter_names else -1 for name in names]
        chosen = np.stack([maps[max(position, 0)] for position in positions])
        self.count = len(names)
        self.tried: Tensor
        self.maps: Tensor
        self.register_buffer("tried", torch.tensor([float(k >= 0) for k in positions]), persistent=False)  # (F,)
        self.register_buffer("maps", _flatten_maps(chosen, by_step=False), persistent=False)  # (T, F * steps)

    def forward(self, z: Tensor, observed: Tensor) -> Tensor:
        """z (B, T), observed (B, T) -> mean absolute errors (B, F)."""
        starts = [number * self.steps for number in range(self.windows)]
        values = z[:, None]  # (B, 1, T)
        contexts = torch.cat([values[..., s : s + self.length] for s in starts], dim=1)  # (B, R, T - R * steps)
        # what lies after them is the end of the context, stretch after stretch
        target = z[:, self.length :].reshape(-1, self.windows, self.steps)  # (B, R, steps)
        seen = observed[:, self.length :].reshape(-1, self.windows, self.steps)  # (B, R, steps)
        forecasts = (contexts @ self.maps).reshape(-1, self.windows, self.count, self.steps)  # (B, R, F, steps)
        missed = (forecasts - target[:, :, None]).abs() * seen[:, :, None]  # (B, R, F, steps)
        error: Tensor = missed.sum(-1).sum(1) / seen.flatten(1).sum(-1, keepdim=True).clip(1.0)  # (B, F)
        return error


def _compare(errors: Tensor, tried: Tensor) -> Tensor:
    """Return the log of errors (B, K) over the mean of those that were tried (K,), 0 for the others."""
    size = torch.log(errors + LEAST_ERROR) * tried
    return (size - size.sum(-1, keepdim=True) / tried.sum()) * tried


def _flatten_maps(maps: np.ndarray, *, by_step: bool = True) -> Tensor:
    """Turn maps (K, T, H) into one matrix (T, H * K), or (T, K * H)."""
    order = (1, 2, 0) if by_step else (1, 0, 2)
    flat = maps.transpose(order).reshape(maps.shape[1], -1)  # (T, H * K) or (T, K * H)
    return torch.from_numpy(np.ascontiguousarray(flat)).float()
